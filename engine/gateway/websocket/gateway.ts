/** The WebSocket gateway of the orders port, at /v1/ws: who comes in, how many, for how long. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocketServer, type RawData, type WebSocket } from 'ws';
import type { Gatekeeper } from '../../access/gatekeeper.ts';
import type { Principal } from '../../access/principal.ts';
import { FrameFault, type AnyFrame } from '../../client/websocket-codec.ts';
import { STATE_VALUES } from '../../client/websocket-values.ts';
import type { Engine } from '../../service/engine.ts';
import type { OrderEntry } from '../../service/order-entry.ts';
import { Problem } from '../../service/problem.ts';
import { problemOf, type HttpServer } from '../http/server.ts';
import { Backlog } from './backlog.ts';
import { CLOSE, closeWhenDue } from './closing.ts';
import { Connection, MOST_MESSAGE_BYTES } from './connection.ts';
import { BINARY, JSON_FORM, offeredProtocols, refuseUpgrade, tokenOf } from './handshake.ts';
import { bytesOfJson } from './json.ts';

const PATH = '/v1/ws';
const HEARTBEAT_MS = 5000;
const MOST_CONNECTIONS = 1000;
/** Of one user. */
const MOST_OF_USER = 100;
/** What may wait for clients in all, in bytes; then the slowest are cut. */
const MOST_BACKLOG_BYTES = 256 * 1024 * 1024;
/** Answers under way at the end are waited for as long at most. */
const DRAIN_MS = 3000;
const DRAIN_CHECK_MS = 5;
const COMPRESSED_FROM_BYTES = 512;

export interface GatewayParts {
  readonly engine: Engine;
  readonly entry: OrderEntry;
  readonly gatekeeper: Gatekeeper;
  readonly requests: {
    /** Takes one request of a user: the milliseconds to wait when it has sent too many, else 0. */
    takeRequest(principal: Principal, nowMs: number): number;
    /** As the gatekeeper's, for a token from this address; the gatekeeper's without it. */
    authenticate?(token: string | undefined, address: string | undefined): Promise<Principal>;
  };
  readonly heartbeatMs?: number;
  readonly mostConnections?: number;
  /** Of one user. */
  readonly mostOfUser?: number;
}

/** Serves WebSockets on the server of `app`; ends them, with their answers sent, before it closes. */
export function registerWebSocket(app: HttpServer, parts: GatewayParts): void {
  const gateway = new Gateway(parts, app.log);
  app.server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => void gateway.upgrade(request, socket, head));
  app.addHook('preClose', async () => await gateway.drain());
}

class Gateway {
  readonly #parts: GatewayParts;
  readonly #log: HttpServer['log'];
  readonly #heartbeatMs: number;
  readonly #connections = new Set<Connection>();
  readonly #backlog = new Backlog(MOST_BACKLOG_BYTES);
  readonly #server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    autoPong: false,
    maxPayload: MOST_MESSAGE_BYTES,
    perMessageDeflate: { threshold: COMPRESSED_FROM_BYTES, serverNoContextTakeover: true, clientNoContextTakeover: true },
    handleProtocols: (offered) => [BINARY, JSON_FORM].find((protocol) => offered.has(protocol)) ?? false,
  });
  readonly #timer: NodeJS.Timeout;
  #opening = 0;
  #draining = false;

  constructor(parts: GatewayParts, log: HttpServer['log']) {
    this.#parts = parts;
    this.#log = log;
    this.#heartbeatMs = parts.heartbeatMs ?? HEARTBEAT_MS;
    this.#timer = setInterval(() => this.#beat(), this.#heartbeatMs).unref();
  }

  async upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    // Who goes away meanwhile is noticed by what is written.
    const ignore = (): void => undefined;
    socket.on('error', ignore);
    this.#opening += 1;
    try {
      const principal = await this.#admit(request);
      this.#boundUser(principal);
      socket.removeListener('error', ignore);
      this.#server.handleUpgrade(request, socket, head, (ws) => this.#open(ws, socket as Socket, principal));
    } catch (cause) {
      const problem = problemOf(cause instanceof Error ? cause : new Error(String(cause)));
      if (problem.code === 'HFT_INTERNAL') this.#log.error({ err: cause }, 'a WebSocket could not be opened');
      refuseUpgrade(socket, problem);
    } finally {
      this.#opening -= 1;
    }
  }

  /** Waits for the answers of what was taken, then ends every connection. */
  async drain(): Promise<void> {
    this.#draining = true;
    clearInterval(this.#timer);
    const untilMs = performance.now() + DRAIN_MS;
    const isBusy = (): boolean => [...this.#connections].some(({ waiting }) => waiting > 0);
    while (isBusy() && performance.now() < untilMs) await delay(DRAIN_CHECK_MS);
    for (const connection of this.#connections) connection.close(CLOSE.restart, 'the engine stops: connect again');
    while (this.#connections.size > 0 && performance.now() < untilMs) await delay(DRAIN_CHECK_MS);
  }

  async #admit(request: IncomingMessage): Promise<Principal> {
    const { engine, gatekeeper, requests, mostConnections = MOST_CONNECTIONS } = this.#parts;
    if ((request.url ?? '').split('?', 1)[0] !== PATH) throw new Problem('HFT_NOT_FOUND', `WebSockets are at ${PATH}`);
    const offered = offeredProtocols(request);
    if (!offered.includes(BINARY) && !offered.includes(JSON_FORM))
      throw new Problem('HFT_BAD_REQUEST', `ask for the sub-protocol ${BINARY} or ${JSON_FORM}`);
    if (this.#draining) throw engine.refusal();
    // Names and instruments are told at once, so they must be there.
    if (!engine.serving) throw engine.refusal();
    if (this.#connections.size + this.#opening > mostConnections)
      throw new Problem('HFT_RATE_LIMIT', `${mostConnections} connections are open, and no more are taken`, { retryAfterMs: 1000 });
    const token = tokenOf(request, offered);
    const principal = await (requests.authenticate?.(token, request.socket.remoteAddress) ?? gatekeeper.authenticate(token));
    const waitMs = requests.takeRequest(principal, performance.now());
    if (waitMs > 0)
      throw new Problem('HFT_USER_RATE_LIMIT', `this user sends more requests than it may: wait ${Math.ceil(waitMs)} ms`, {
        retryAfterMs: waitMs,
      });
    gatekeeper.authorize(principal, 'market.read');
    return principal;
  }

  /** Asked right before the connection is opened, so that none is opened in between. */
  #boundUser({ subject }: Principal): void {
    const { mostOfUser = MOST_OF_USER } = this.#parts;
    let open = 0;
    for (const { principal } of this.#connections) if (principal.subject === subject) open += 1;
    if (open >= mostOfUser)
      throw new Problem('HFT_USER_RATE_LIMIT', `${mostOfUser} connections of this user are open, and no more are taken`, {
        retryAfterMs: 1000,
      });
  }

  #open(ws: WebSocket, socket: Socket, principal: Principal): void {
    const { engine, entry, gatekeeper } = this.#parts;
    const json = ws.protocol === JSON_FORM;
    socket.setNoDelay(true);
    const connection = new Connection({
      ws,
      socket,
      json,
      entry,
      principal,
      gatekeeper,
      backlog: this.#backlog,
      sessions: engine.sessions,
    });
    this.#connections.add(connection);
    ws.on('close', () => {
      this.#connections.delete(connection);
      connection.end();
    });
    // The library closes with the code that the fault deserves.
    ws.on('error', () => undefined);
    ws.on('ping', (data) => connection.pong(data));
    ws.on('message', (data, isBinary) => receive(connection, data, isBinary, json));
    this.#welcome(connection);
  }

  #welcome(connection: Connection): void {
    const { engine } = this.#parts;
    const { principal } = connection;
    const names = principal.accounts === 'all' ? [] : [...principal.accounts];
    const accounts = names
      .map((name) => ({ frame: 'account', number: 0, account: connection.handleOf(name), name }) as const)
      .filter(({ account }) => account >= 0);
    const { market } = engine;
    const instruments = [...market.bySymbol.values()].map(
      ({ id, symbol, tick, lot }) =>
        ({
          frame: 'instrument',
          number: 0,
          instrument: id,
          state: STATE_VALUES[market.core.book(id).state] ?? '',
          symbol,
          tickSize: tick.text,
          lotSize: lot.text,
        }) as const,
    );
    const welcome: AnyFrame = {
      frame: 'welcome',
      number: 0,
      allAccounts: principal.accounts === 'all',
      sequence: engine.sequence,
      timeMicros: Date.now() * 1000,
      heartbeatMs: this.#heartbeatMs,
      mostMessageBytes: MOST_MESSAGE_BYTES,
      accounts: accounts.length,
      instruments: instruments.length,
      subject: principal.subject.slice(0, 64),
    };
    connection.send([welcome, ...accounts, ...instruments]);
  }

  #beat(): void {
    const nowMs = Date.now();
    for (const connection of this.#connections) {
      connection.beat();
      if (closeWhenDue(connection, this.#parts.gatekeeper, nowMs)) continue;
      connection.send([{ frame: 'heartbeat', number: 0, timeMicros: nowMs * 1000 }]);
    }
  }
}

/** A message of a client has come. */
export function receive(connection: Connection, data: RawData, isBinary: boolean, json: boolean): void {
  // The library gives messages as Buffers unless it is told otherwise.
  const bytes = data as Buffer;
  if (isBinary === json) return connection.close(CLOSE.unsupported, json ? 'hft.json.v1 is text' : 'hft.binary.v1 is binary');
  if (!json) return connection.receive(bytes);
  try {
    connection.receive(bytesOfJson(bytes.toString('utf8')));
  } catch (cause) {
    if (!(cause instanceof FrameFault)) throw cause;
    connection.close(CLOSE.protocol, cause.message);
  }
}
