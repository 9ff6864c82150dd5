/** A gateway on a port of its own in front of an engine of the test's process, and a client that remembers what it was sent. */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocket } from 'ws';
import type { Gatekeeper } from '../../access/gatekeeper.ts';
import type { Principal } from '../../access/principal.ts';
import { ACTIONS } from '../../access/roles.ts';
import { decodeMessage, encodeMessage, type AnyFrame } from '../../client/websocket-codec.ts';
import type { FrameName } from '../../client/websocket-frames.ts';
import { OrderEntry } from '../../service/order-entry.ts';
import { Problem } from '../../service/problem.ts';
import { startLocalEngine, type LocalEngine } from '../../testing/local-engine.ts';
import { createHttpServer } from '../http/server.ts';
import { RateLimiter } from '../rate-limit.ts';
import { registerWebSocket, type GatewayParts } from './gateway.ts';

const PATIENCE_MS = 5000;

/**
 * Tokens are `role:account,account` or `role:all`, with `:expired` behind it for one that ends at once, `:keyless`
 * for one whose key goes at once; `broken` fails.
 */
const gatekeeper: Gatekeeper = {
  authenticate(token) {
    const [role, accounts, fate] = (token ?? '').split(':');
    if (role === 'broken') throw new TypeError('the gatekeeper fails');
    if (role !== 'trader' && role !== 'viewer' && role !== 'risk') throw new Problem('HFT_UNAUTHORIZED', 'no such token');
    const names = accounts === 'all' ? 'all' : new Set((accounts ?? '').split(','));
    const principal: Principal = {
      subject: role,
      roles: [role],
      accounts: names,
      expiresAtMs: fate === 'expired' ? 0 : Infinity,
      keyId: fate === 'keyless' ? '' : 'k',
    };
    return Promise.resolve(principal);
  },
  holds: ({ keyId }) => keyId !== '',
  authorize({ roles, accounts }, action, account) {
    const rule: { roles: readonly string[]; ofAccount: boolean } = ACTIONS[action];
    const mine = !rule.ofAccount || accounts === 'all' || (account !== undefined && accounts.has(account));
    if (!mine || !roles.some((role) => rule.roles.includes(role))) throw new Problem('HFT_UNAUTHORIZED', 'not allowed');
  },
};

export interface LocalGateway extends AsyncDisposable {
  readonly engine: LocalEngine;
  readonly url: string;
  connect(options?: { token?: string; protocol?: string; deflate?: boolean }): Promise<Client>;
  close(): Promise<void>;
}

export async function startGateway(
  options: Partial<Pick<GatewayParts, 'heartbeatMs' | 'mostConnections' | 'mostOfUser' | 'requests'>> = {},
): Promise<LocalGateway> {
  const engine = await startLocalEngine({ config: { journal: { durability: 'commit' }, limits: { ordersPerSecond: 1e6, burst: 1e6 } } });
  const { engine: served } = engine.running;
  const app = createHttpServer({ bodyLimit: 1000, logLevel: 'fatal' });
  const entry = new OrderEntry({ engine: served, limiter: new RateLimiter(served.config.limits), stats: served.stats });
  registerWebSocket(app, { engine: served, entry, gatekeeper, requests: { takeRequest: () => 0 }, ...options });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const address = app.server.address();
  const url = `ws://127.0.0.1:${address === null || typeof address === 'string' ? 0 : address.port}/v1/ws`;
  const close = async (): Promise<void> => {
    await app.close();
    await engine[Symbol.asyncDispose]();
  };
  return {
    engine,
    url,
    connect: async ({ token = 'trader:alice,bob', protocol = 'hft.binary.v1', deflate = false } = {}) => {
      const ws = new WebSocket(url, protocol, { headers: { authorization: `Bearer ${token}` }, perMessageDeflate: deflate });
      const client = new Client(ws);
      await once(ws, 'open');
      await client.next('instrument');
      return client;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

export class Client {
  readonly ws: WebSocket;
  readonly frames: AnyFrame[] = [];
  readonly messages: Buffer[] = [];
  readonly closed: Promise<number>;
  /** Below `ws`, once it is open. */
  socket: Socket | undefined;
  #read = 0;

  constructor(ws: WebSocket) {
    this.ws = ws;
    this.closed = new Promise((resolve) => ws.once('close', resolve));
    ws.on('error', () => undefined);
    ws.once('upgrade', ({ socket }) => (this.socket = socket));
    ws.on('message', (data, isBinary) => {
      const bytes = data as Buffer;
      this.messages.push(bytes);
      this.frames.push(...(isBinary ? decodeMessage(bytes) : (JSON.parse(bytes.toString()) as AnyFrame[])));
    });
  }

  /** Sends frames as one message: binary, or JSON where that was asked for. */
  send(...frames: AnyFrame[]): void {
    this.ws.send(this.ws.protocol === 'hft.json.v1' ? JSON.stringify(frames) : encodeMessage(frames));
  }

  /** The next frame of a name; those before it are passed over. */
  async next<Name extends FrameName>(name: Name): Promise<Extract<AnyFrame, { frame: Name }>> {
    for (const untilMs = performance.now() + PATIENCE_MS; performance.now() < untilMs; await delay(1)) {
      while (this.#read < this.frames.length) {
        const frame = this.frames[this.#read];
        this.#read += 1;
        if (frame?.frame === name) return frame as Extract<AnyFrame, { frame: Name }>;
      }
    }
    throw new Error(`no frame ${name} came`);
  }
}

/** A limit order of the first instrument. */
export const ORDER = {
  frame: 'newOrder',
  number: 1,
  account: 0,
  instrument: 0,
  side: 'buy',
  orderType: 'limit',
  timeInForce: 'GTC',
  selfTrade: 'none',
  clientOrderId: '0000000000000000',
  priceTicks: 100,
  quantityLots: 5,
} as const;
