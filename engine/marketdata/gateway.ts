/** WebSockets of the market data port, at /v1/market-data: who comes in, what they ask for. */
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocketServer, type WebSocket } from 'ws';
import type { Gatekeeper } from '../access/gatekeeper.ts';
import type { Principal } from '../access/principal.ts';
import type { Certificates } from '../access/tls.ts';
import { ACCOUNT_TEXT } from '../client/schemas.ts';
import { decodeMessage, encodeMessage, FrameFault, type AnyFrame, type FrameOf } from '../client/websocket-codec.ts';
import { CHANNELS } from '../client/websocket-frames.ts';
import { REJECT } from '../core/types.ts';
import { HTTP_OPTIONS, SecureServer, TIMEOUTS } from '../gateway/http/secure-server.ts';
import { problemJson } from '../gateway/problem-json.ts';
import { Backlog } from '../gateway/websocket/backlog.ts';
import { CLOSE, closeWhenDue } from '../gateway/websocket/closing.ts';
import { BINARY, JSON_FORM, offeredProtocols, refuseUpgrade, tokenOf } from '../gateway/websocket/handshake.ts';
import { bytesOfJson } from '../gateway/websocket/json.ts';
import { Problem } from '../service/problem.ts';
import type { AccountHandles } from './account-handles.ts';
import type { Entrance } from './entrance.ts';
import type { MarketDataFigures } from './figures.ts';
import { ALL_OF_THEM, type Hub } from './hub.ts';
import type { Channel } from './subscriber.ts';
import { updateOf } from './update.ts';
import { WebSocketSubscriber, type Form } from './websocket-subscriber.ts';

const PATH = '/v1/market-data';
const PRICES = 'hft.prices.v1';
const FORMS: Readonly<Record<string, Form>> = { [BINARY]: 'binary', [JSON_FORM]: 'json', [PRICES]: 'prices' };
const HEARTBEAT_MS = 5000;
const MOST_CONNECTIONS = 2000;
/** Connections of any kind. Twice as many, so that one too many is told so. */
const MOST_SOCKETS = 4000;
/** Of one user. */
const MOST_OF_USER = 1000;
/** What may wait for clients in all, in bytes; then the slowest are cut. */
const MOST_BACKLOG_BYTES = 256 * 1024 * 1024;
/** Clients only subscribe. */
const MOST_MESSAGE_BYTES = 65_536;
/** Frames of a client between two heartbeats. */
const MOST_REQUESTS = 5000;
const COMPRESSED_FROM_BYTES = 512;
/** Streams tell the states of instruments; while nobody follows any, nobody here knows them. */
const UNKNOWN_STATE = '255';
const DRAIN_MS = 1000;
const DRAIN_CHECK_MS = 5;

/** What clients are told of an instrument. */
export interface FeedInstrument {
  readonly symbol: string;
  readonly tickSize: string;
  readonly lotSize: string;
}

export interface MarketGatewayParts {
  readonly gatekeeper: Gatekeeper;
  readonly entrance: Entrance;
  readonly figures: MarketDataFigures;
  readonly handles: AccountHandles;
  /** What is served, once the engine serves. */
  readonly served: () => { readonly hub: Hub; readonly instruments: readonly FeedInstrument[] } | undefined;
  readonly warn: (details: object, message: string) => void;
  /** The port speaks TLS, with these. */
  readonly certificates?: Certificates | undefined;
  readonly heartbeatMs?: number;
  readonly mostConnections?: number;
}

export class MarketGateway {
  readonly server: Server;
  readonly #secure: SecureServer | undefined;
  readonly #parts: MarketGatewayParts;
  readonly #heartbeatMs: number;
  readonly #subscribers = new Set<WebSocketSubscriber>();
  readonly #backlog = new Backlog(MOST_BACKLOG_BYTES);
  readonly #sockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    autoPong: false,
    maxPayload: MOST_MESSAGE_BYTES,
    perMessageDeflate: { threshold: COMPRESSED_FROM_BYTES, serverNoContextTakeover: true, clientNoContextTakeover: true },
    handleProtocols: (offered) => Object.keys(FORMS).find((protocol) => offered.has(protocol)) ?? false,
  });
  readonly #timer: NodeJS.Timeout;
  #opening = 0;
  #isEnding = false;

  constructor(parts: MarketGatewayParts) {
    this.#parts = parts;
    this.#heartbeatMs = parts.heartbeatMs ?? HEARTBEAT_MS;
    this.#timer = setInterval(() => this.#beat(), this.#heartbeatMs).unref();
    const refuse: RequestListener = (_request, response) => {
      const problem = new Problem('HFT_NOT_FOUND', `this port serves WebSockets at ${PATH}, and nothing else`);
      response.writeHead(problem.status, { 'content-type': 'application/problem+json', connection: 'close' }).end(problemJson(problem));
    };
    this.#secure = parts.certificates === undefined ? undefined : new SecureServer(parts.certificates);
    this.server = this.#secure?.create(refuse) ?? createServer({ ...HTTP_OPTIONS, requestTimeout: TIMEOUTS.requestTimeout }, refuse);
    this.server.maxConnections = MOST_SOCKETS;
    parts.entrance.watch(this.server);
    this.server.on('upgrade', (request, socket, head) => void this.#upgrade(request, socket, head));
  }

  async close(): Promise<void> {
    this.#isEnding = true;
    clearInterval(this.#timer);
    for (const subscriber of this.#subscribers) subscriber.close(CLOSE.restart, 'the engine stops: connect again');
    this.server.close();
    void this.#secure?.cutSilent();
    const untilMs = performance.now() + DRAIN_MS;
    while (this.#subscribers.size > 0 && performance.now() < untilMs) await delay(DRAIN_CHECK_MS);
    this.server.closeAllConnections();
  }

  async #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    // Who goes away meanwhile is noticed by what is written.
    const ignore = (): void => undefined;
    socket.on('error', ignore);
    this.#opening += 1;
    try {
      const principal = await this.#admit(request);
      socket.removeListener('error', ignore);
      this.#sockets.handleUpgrade(request, socket, head, (ws) => this.#open(ws, request, socket as Socket, principal));
    } catch (cause) {
      if (!(cause instanceof Problem)) this.#parts.warn({ cause: String(cause) }, 'a WebSocket could not be opened');
      refuseUpgrade(
        socket,
        cause instanceof Problem ? cause : new Problem('HFT_INTERNAL', 'the engine failed to answer; its log says why'),
      );
    } finally {
      this.#opening -= 1;
    }
  }

  async #admit(request: IncomingMessage): Promise<Principal> {
    const { gatekeeper, entrance, served, mostConnections = MOST_CONNECTIONS } = this.#parts;
    if ((request.url ?? '').split('?', 1)[0] !== PATH) throw new Problem('HFT_NOT_FOUND', `market data is at ${PATH}`);
    const offered = offeredProtocols(request);
    if (!offered.some((protocol) => FORMS[protocol] !== undefined))
      throw new Problem('HFT_BAD_REQUEST', `ask for the sub-protocol ${BINARY}, ${JSON_FORM} or ${PRICES}`);
    if (this.#isEnding || served() === undefined)
      throw new Problem('HFT_RECOVERING', 'there is no market data for the moment: try again', { retryAfterMs: 1000 });
    if (this.#subscribers.size + this.#opening > mostConnections)
      throw new Problem('HFT_RATE_LIMIT', `${mostConnections} connections are open, and no more are taken`, { retryAfterMs: 1000 });
    const principal = await entrance.authenticate(tokenOf(request, offered), request.socket.remoteAddress);
    gatekeeper.authorize(principal, 'market.read');
    let open = 0;
    for (const { principal: other } of this.#subscribers) if (other.subject === principal.subject) open += 1;
    if (open >= MOST_OF_USER)
      throw new Problem('HFT_USER_RATE_LIMIT', `${MOST_OF_USER} connections of this user are open, and no more are taken`, {
        retryAfterMs: 1000,
      });
    return principal;
  }

  #open(ws: WebSocket, request: IncomingMessage, socket: Socket, principal: Principal): void {
    const { figures, served } = this.#parts;
    const serving = served();
    if (serving === undefined) return ws.terminate();
    socket.setNoDelay(true);
    const subscriber = new WebSocketSubscriber({ ws, socket, principal, form: FORMS[ws.protocol] ?? 'binary', backlog: this.#backlog });
    this.#subscribers.add(subscriber);
    figures.set('connections', this.#subscribers.size);
    ws.on('close', () => {
      this.#subscribers.delete(subscriber);
      figures.set('connections', this.#subscribers.size);
      serving.hub.leave(subscriber);
      subscriber.end();
    });
    // The library closes with the code that the fault deserves.
    ws.on('error', () => undefined);
    ws.on('ping', (data) => subscriber.pong(data));
    ws.on('pong', () => (subscriber.silent = 0));
    ws.on('message', (data, isBinary) => this.#receive(subscriber, data as Buffer, isBinary));
    if (subscriber.form === 'prices') this.#followPrices(subscriber, request);
    else this.#welcome(subscriber);
  }

  /** Symbols stand in the address: `?symbols=BTC-USD,ETH-USD`, all of them without. */
  #followPrices(subscriber: WebSocketSubscriber, request: IncomingMessage): void {
    const serving = this.#parts.served();
    if (serving === undefined) return;
    const { searchParams } = new URL(request.url ?? '', 'http://engine');
    const symbols = searchParams.get('symbols')?.split(',');
    const wanted = symbols?.map((symbol) => serving.instruments.findIndex((instrument) => instrument.symbol === symbol)) ?? [ALL_OF_THEM];
    if (wanted.includes(-1)) return subscriber.close(CLOSE.elsewhere, 'symbols names an instrument that is not there');
    for (const instrument of wanted)
      serving.hub.subscribe(subscriber, { channel: 'prices', number: 0, instrument, depth: 0, account: '', fromSequence: 0 });
  }

  #welcome(subscriber: WebSocketSubscriber): void {
    const serving = this.#parts.served();
    if (serving === undefined) return;
    const { principal } = subscriber;
    const names = principal.accounts === 'all' ? [] : [...principal.accounts].filter((name) => this.#mayRead(principal, name));
    const accounts = names.map((name) => ({ frame: 'account', number: 0, account: this.#parts.handles.of(name), name }) as const);
    const instruments = serving.instruments.map(
      (instrument, id) => ({ frame: 'instrument', number: 0, instrument: id, state: UNKNOWN_STATE, ...instrument }) as const,
    );
    const welcome: AnyFrame = {
      frame: 'welcome',
      number: 0,
      allAccounts: principal.accounts === 'all',
      sequence: serving.hub.sequence,
      timeMicros: Date.now() * 1000,
      heartbeatMs: this.#heartbeatMs,
      mostMessageBytes: MOST_MESSAGE_BYTES,
      accounts: accounts.length,
      instruments: instruments.length,
      subject: principal.subject.slice(0, 64),
    };
    tell(subscriber, [welcome, ...accounts, ...instruments]);
  }

  #receive(subscriber: WebSocketSubscriber, data: Buffer, isBinary: boolean): void {
    subscriber.silent = 0;
    const { form } = subscriber;
    if (form === 'prices') return subscriber.close(CLOSE.unsupported, 'nothing is sent in hft.prices.v1');
    if (isBinary !== (form === 'binary'))
      return subscriber.close(CLOSE.unsupported, form === 'json' ? 'hft.json.v1 is text' : 'hft.binary.v1 is binary');
    try {
      const frames = decodeMessage(form === 'json' ? bytesOfJson(data.toString('utf8')) : data);
      subscriber.requests += frames.length;
      if (subscriber.requests > MOST_REQUESTS) return subscriber.close(CLOSE.elsewhere, 'more is asked for than a client may');
      for (const frame of frames) this.#take(subscriber, frame);
    } catch (cause) {
      if (!(cause instanceof FrameFault)) throw cause;
      subscriber.close(CLOSE.protocol, cause.message);
    }
  }

  #take(subscriber: WebSocketSubscriber, frame: AnyFrame): void {
    const serving = this.#parts.served();
    if (serving === undefined) return;
    switch (frame.frame) {
      case 'heartbeat':
        return;
      case 'useAccount': {
        if (!ACCOUNT_TEXT.test(frame.name) || !this.#mayRead(subscriber.principal, frame.name))
          return refuse(subscriber, frame.number, REJECT.forbidden);
        const account = this.#parts.handles.of(frame.name);
        return tell(subscriber, [{ frame: 'account', number: frame.number, account, name: frame.name }]);
      }
      case 'subscribe': {
        const request = this.#requestOf(subscriber, frame);
        if (request !== undefined)
          serving.hub.subscribe(subscriber, { ...request, number: frame.number, depth: frame.depth, fromSequence: frame.fromSequence });
        return;
      }
      case 'unsubscribe': {
        const request = this.#requestOf(subscriber, frame);
        if (request !== undefined) serving.hub.unsubscribe(subscriber, request);
        return;
      }
      default:
        return subscriber.close(CLOSE.elsewhere, 'orders are taken at /v1/ws of the orders port, 8080 unless it was given another');
    }
  }

  /** What a frame asks for; undefined when it has been refused. */
  #requestOf(
    subscriber: WebSocketSubscriber,
    frame: FrameOf<'subscribe'> | FrameOf<'unsubscribe'>,
  ): { channel: Channel; instrument: number; account: string } | undefined {
    const { principal } = subscriber;
    const channel = CHANNELS.find((known) => known === frame.channel);
    if (channel === undefined || channel === 'prices') return refuse(subscriber, frame.number, REJECT.badTerms);
    const account = channel === 'own-orders' ? this.#parts.handles.nameOf(frame.account) : '';
    const isRefused =
      (channel === 'own-orders' && (account === undefined || !this.#mayRead(principal, account))) ||
      (channel === 'drop-copy' && !this.#mayRead(principal, undefined));
    if (isRefused) return refuse(subscriber, frame.number, REJECT.forbidden);
    return { channel, instrument: frame.instrument, account: account ?? '' };
  }

  #mayRead(principal: Principal, account: string | undefined): boolean {
    try {
      this.#parts.gatekeeper.authorize(principal, 'orders.read', account);
      return true;
    } catch (cause) {
      if (cause instanceof Problem) return false;
      throw cause;
    }
  }

  #beat(): void {
    const nowMs = Date.now();
    for (const subscriber of this.#subscribers) {
      subscriber.silent += 1;
      subscriber.requests = 0;
      if (closeWhenDue(subscriber, this.#parts.gatekeeper, nowMs)) continue;
      // Price updates have no room for heartbeats: pings are what others hear of the connection.
      if (subscriber.form === 'prices') subscriber.ws.ping();
      else tell(subscriber, [{ frame: 'heartbeat', number: 0, timeMicros: nowMs * 1000 }]);
    }
  }
}

function tell(subscriber: WebSocketSubscriber, frames: readonly AnyFrame[]): void {
  subscriber.send(updateOf(encodeMessage(frames)));
  subscriber.flush();
}

function refuse(subscriber: WebSocketSubscriber, number: number, reject: number): undefined {
  tell(subscriber, [{ frame: 'rejected', number, reject, retryAfterMs: 0 }]);
}
