/** gRPC of market data, on a port of its own in the thread of market data: who comes in, what they ask for. */
import type { AddressInfo } from 'node:net';
import { Server } from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import type { Gatekeeper } from '../access/gatekeeper.ts';
import type { Principal } from '../access/principal.ts';
import type { Certificates } from '../access/tls.ts';
import { METHODS, PACKAGE } from '../client/grpc-contract.ts';
import { ACCOUNT_TEXT } from '../client/schemas.ts';
import { CHANNELS } from '../client/websocket-frames.ts';
import { hostOf, tokenOf } from '../gateway/grpc/calls.ts';
import { EngineHealth } from '../gateway/grpc/health.ts';
import { listenerOf, type GrpcListener } from '../gateway/grpc/listener.ts';
import { problemOfCause, statusOf } from '../gateway/grpc/status.ts';
import { Backlog } from '../gateway/websocket/backlog.ts';
import { CLOSE } from '../gateway/websocket/closing.ts';
import { Problem } from '../service/problem.ts';
import type { AccountHandles } from './account-handles.ts';
import type { Entrance } from './entrance.ts';
import type { FeedInstrument } from './gateway.ts';
import { GrpcSubscriber, type SubscribeCall } from './grpc-subscriber.ts';
import { ALL_OF_THEM, type Hub } from './hub.ts';
import type { Channel } from './subscriber.ts';

const NAME = 'hftengine.v1.MarketDataService';
/** As for WebSockets. */
const MOST_STREAMS = 2000;
const MOST_OF_USER = 1000;
const MOST_CONNECTIONS = 2000;
/** What may wait for clients in all, in bytes; then the slowest are cut. */
const MOST_BACKLOG_BYTES = 256 * 1024 * 1024;
const TOKEN_CHECK_MS = 1000;
const DRAIN_MS = 1000;

export interface GrpcGatewayParts {
  readonly gatekeeper: Gatekeeper;
  readonly entrance: Entrance;
  readonly handles: AccountHandles;
  readonly served: () => { readonly hub: Pick<Hub, 'subscribe' | 'leave'>; readonly instruments: readonly FeedInstrument[] } | undefined;
  readonly warn: (details: object, message: string) => void;
  /** The port speaks TLS, with these. */
  readonly certificates?: Certificates | undefined;
  readonly mostBacklogBytes?: number;
}

export class MarketGrpcGateway {
  readonly #parts: GrpcGatewayParts;
  readonly #subscribers = new Set<GrpcSubscriber>();
  readonly #backlog: Backlog;
  readonly #health: EngineHealth;
  readonly #timer: NodeJS.Timeout;
  readonly #listening: GrpcListener;

  constructor(parts: GrpcGatewayParts) {
    this.#parts = parts;
    this.#backlog = new Backlog(parts.mostBacklogBytes ?? MOST_BACKLOG_BYTES);
    this.#timer = setInterval(() => this.#checkTokens(), TOKEN_CHECK_MS).unref();
    const server = new Server({
      'grpc.max_receive_message_length': 4096,
      'grpc.max_concurrent_streams': 1000,
      'grpc.keepalive_time_ms': 30_000,
      'grpc.keepalive_timeout_ms': 10_000,
      'grpc.max_connection_idle_ms': 600_000,
      'grpc.enable_channelz': 0,
    });
    server.addService(
      { Subscribe: { ...METHODS.subscribe, responseSerialize: (bytes: Buffer) => bytes } },
      { Subscribe: (call: SubscribeCall) => void this.#open(call) },
    );
    const engine = {
      get serving(): boolean {
        return parts.served() !== undefined;
      },
    };
    this.#health = new EngineHealth(engine, [NAME]);
    this.#health.addToServer(server);
    new ReflectionService(PACKAGE, { services: [NAME] }).addToServer(server);
    this.#listening = listenerOf(server, {
      certificates: parts.certificates,
      mostConnections: MOST_CONNECTIONS,
      watch: (listener) => parts.entrance.watch(listener),
    });
  }

  /** Gives the port. Rejects when it cannot be had. */
  async listen(host: string, port: number): Promise<number> {
    const { listener } = this.#listening;
    return await new Promise((resolve, reject) => {
      listener.once('error', reject);
      listener.listen({ host, port, backlog: 1024 }, () => resolve((listener.address() as AddressInfo).port));
    });
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#health.stop();
    for (const subscriber of this.#subscribers) subscriber.close(CLOSE.restart, 'the engine stops: subscribe again');
    await this.#listening.close(DRAIN_MS);
  }

  async #open(call: SubscribeCall): Promise<void> {
    try {
      const principal = await this.#parts.entrance.authenticate(tokenOf(call.metadata), hostOf(call.getPeer()));
      this.#parts.gatekeeper.authorize(principal, 'market.read');
      if (!call.cancelled) this.#begin(call, principal);
    } catch (cause) {
      if (!(cause instanceof Problem)) this.#parts.warn({ cause: String(cause) }, 'a stream of market data could not be opened');
      call.emit('error', statusOf(problemOfCause(cause)));
    }
  }

  #begin(call: SubscribeCall, principal: Principal): void {
    const { gatekeeper, handles, served } = this.#parts;
    const serving = served();
    if (serving === undefined)
      throw new Problem('HFT_RECOVERING', 'there is no market data for the moment: try again', { retryAfterMs: 1000 });
    const { symbol, depth, account, fromSequence } = call.request;
    const channel = CHANNELS[call.request.channel - 1];
    if (channel === undefined) throw new Problem('HFT_INVALID_FIELD', 'channel must say which', { field: 'channel' });
    if (channel === 'own-orders') {
      if (!ACCOUNT_TEXT.test(account)) throw new Problem('HFT_INVALID_FIELD', 'account must say whose orders', { field: 'account' });
      gatekeeper.authorize(principal, 'orders.read', account);
    }
    if (channel === 'drop-copy') gatekeeper.authorize(principal, 'orders.read', undefined);
    const instrument = symbol === '' ? ALL_OF_THEM : serving.instruments.findIndex((one) => one.symbol === symbol);
    if (instrument < 0) throw new Problem('HFT_INSTRUMENT_NOT_FOUND', `there is no instrument ${symbol}`, { field: 'symbol' });
    this.#requireRoom(principal);
    const names = {
      symbolOf: (id: number) => serving.instruments[id]?.symbol ?? '',
      accountOf: (handle: number) => handles.nameOf(handle) ?? '',
    };
    const peer = call.getPeer();
    const leave = (): void => {
      this.#subscribers.delete(subscriber);
      serving.hub.leave(subscriber);
    };
    const cutConnection = (): void => this.#cut(peer);
    const subscriber = new GrpcSubscriber({ call, principal, channel, names, backlog: this.#backlog, leave, cutConnection });
    this.#subscribers.add(subscriber);
    const request = { channel: channel satisfies Channel, number: 1, instrument, depth, fromSequence };
    serving.hub.subscribe(subscriber, { ...request, account: channel === 'own-orders' ? account : '' });
  }

  #requireRoom({ subject }: Principal): void {
    if (this.#subscribers.size >= MOST_STREAMS)
      throw new Problem('HFT_RATE_LIMIT', `${MOST_STREAMS} streams are open, and no more are taken`, { retryAfterMs: 1000 });
    let open = 0;
    for (const { principal } of this.#subscribers) if (principal.subject === subject) open += 1;
    if (open >= MOST_OF_USER)
      throw new Problem('HFT_USER_RATE_LIMIT', `${MOST_OF_USER} streams of this user are open, and no more are taken`, {
        retryAfterMs: 1000,
      });
  }

  /** One stream alone cannot be reset: the library ends it behind all that waits. */
  #cut(peer: string): void {
    for (const socket of this.#listening.sockets) if (`${socket.remoteAddress}:${socket.remotePort}` === peer) socket.destroy();
  }

  #checkTokens(): void {
    const nowMs = Date.now();
    for (const subscriber of this.#subscribers) {
      if (subscriber.principal.expiresAtMs <= nowMs || !this.#parts.gatekeeper.holds(subscriber.principal))
        subscriber.close(CLOSE.expired, 'the token has ended, or its key is no longer taken: subscribe with a new one');
    }
  }
}
