/**
 * Damaged messages over the sockets of an engine process: WebSocket frames whole, in fragments and compressed, text, bytes that are no WebSocket at all,
 * and protobuf. It must go on serving, report no fault of its own, stop cleanly; what it says was accepted must be in its journal, and its journal must
 * give its state, in the core and in the naive exchange.
 */
import { strictEqual } from 'node:assert';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { localToken } from '../access/local-token.ts';
import { AdminClient } from '../client/admin.ts';
import { decodeMessage, type AnyFrame } from '../client/websocket-codec.ts';
import { DEFAULT_CONFIG } from '../config/config.ts';
import { commandWords, decodeCommand } from '../core/command.ts';
import { MatchingCore } from '../core/core.ts';
import { NaiveExchange } from '../core/naive-model.ts';
import { randomWords } from '../core/random-commands.ts';
import { NEW_ORDER, NO_EVENTS, REJECT } from '../core/types.ts';
import { SqliteJournal } from '../journal/sqlite-journal.ts';
import { accountRulesOf, instrumentOf, rulesOf } from '../service/instruments.ts';
import { spawnEngine, untilReady, type EngineProcess } from './engine-process.ts';
import { FrameNoise } from './frame-noise.ts';
import { sendGrpcNoise } from './grpc-noise.ts';

const CONFIG = {
  ...DEFAULT_CONFIG,
  journal: { durability: 'commit' as const },
  limits: { ordersPerSecond: 1_000_000, burst: 1_000_000, requestsPerSecond: 1_000_000, requestBurst: 1_000_000 },
};
const CONNECTIONS = 4;
const MESSAGES_OF_CONNECTION = 60;
const PATIENCE_MS = 20_000;
const READ_COMMANDS = 4096;

export interface WireFigures {
  readonly frames: number;
  readonly messages: number;
  readonly connections: number;
  /** Connections that the engine has closed, by code. */
  readonly closed: Readonly<Record<number, number>>;
  readonly placed: number;
  /** gRPC calls and streams, by status. */
  readonly grpc: Readonly<Record<string, number>>;
  readonly commands: number;
  readonly hash: string;
}

/** Throws at the first fault. */
export async function runWire(options: { seed: number; frames: number; grpcMessages: number }): Promise<WireFigures> {
  const directory = mkdtempSync(join(tmpdir(), 'hft-frames-'));
  const dataDirectory = join(directory, 'data');
  const config = join(directory, 'config.json');
  writeFileSync(config, JSON.stringify(CONFIG));
  const engine = await spawnEngine({ dataDirectory, args: ['--config', config] });
  try {
    await untilReady(engine.baseUrl);
    const noise = new FrameNoise(randomWords(options.seed));
    const wire = new Wire(engine, await tokensOf(dataDirectory), noise);
    await wire.run(options.frames);
    const grpcPort = await grpcPortOf(engine);
    const grpc = await sendGrpcNoise({ address: `127.0.0.1:${grpcPort}`, token: engine.token, noise, messages: options.grpcMessages });
    const hash = await stop(engine, dataDirectory);
    const { commands, orders } = replayed(dataDirectory, hash);
    for (const sequence of wire.placed)
      strictEqual(orders.has(sequence), true, `the order that was placed at ${sequence} is in the journal`);
    return {
      frames: wire.frames,
      messages: wire.messages,
      connections: wire.connections,
      closed: wire.closed,
      placed: wire.placed.size,
      grpc,
      commands,
      hash,
    };
  } finally {
    engine.kill('SIGKILL');
    await engine.ended;
    rmSync(directory, { recursive: true, force: true });
  }
}

async function tokensOf(dataDirectory: string): Promise<string[]> {
  const claims = [
    { roles: ['trader'], accounts: ['a0', 'a1', 'a2'] },
    { roles: ['trader'], accounts: 'all' },
    { roles: ['trader', 'risk'], accounts: ['a1', 'a2', 'b-7'] },
    { roles: ['viewer'], accounts: ['a0'] },
  ] as const;
  return await Promise.all(
    claims.map(async (claim, index) => await localToken(dataDirectory, CONFIG.engine, { subject: `s${index}`, ...claim })),
  );
}

/** It is told with the first line after the engine serves. */
async function grpcPortOf(engine: EngineProcess): Promise<string> {
  const deadline = AbortSignal.timeout(PATIENCE_MS);
  for (;;) {
    const [, port] = /"grpcPort":([0-9]+)/.exec(engine.output()) ?? [];
    if (port !== undefined) return port;
    deadline.throwIfAborted();
    await delay(10);
  }
}

/** The state hash of the engine, which has ended as it should. */
async function stop(engine: EngineProcess, dataDirectory: string): Promise<string> {
  const admin = new AdminClient({ baseUrl: engine.opsUrl, token: readFileSync(join(dataDirectory, 'admin-token'), 'utf8').trim() });
  const { phase, stateHash } = await admin.status();
  await admin.close();
  strictEqual(phase, 'serving');
  engine.kill('SIGTERM');
  strictEqual(await engine.ended, 0, engine.output().slice(-2000));
  const faults = engine
    .output()
    .split('\n')
    .filter((line) => /"level":"?(?:50|60|error|fatal)|uncaught|unhandled/i.test(line));
  strictEqual(faults.join('\n'), '');
  return stateHash;
}

/** The journal through a core and the naive exchange, which must both come to `hash`. */
function replayed(dataDirectory: string, hash: string): { commands: number; orders: Set<number> } {
  const journal = SqliteJournal.open(dataDirectory, 'commit');
  const orders = new Set<number>();
  try {
    const [core, naive] = [new MatchingCore(), new NaiveExchange()];
    for (const record of journal.queries.instruments())
      for (const exchange of [core, naive]) exchange.setInstrument(record.id, rulesOf(instrumentOf(record, CONFIG), CONFIG.risk));
    for (const exchange of [core, naive]) exchange.setAccountRules(accountRulesOf(CONFIG.risk));
    for (let batches = journal.read(1, READ_COMMANDS); batches.length > 0; batches = journal.read(core.sequence + 1, READ_COMMANDS))
      for (const { slots, words } of batches)
        for (let at = 0; at < words; at += commandWords(slots, at)) {
          core.replay(slots, at, NO_EVENTS);
          const command = decodeCommand(slots, at);
          if (command.kind === NEW_ORDER) orders.add(core.sequence);
          strictEqual(naive.submit(core.timestampMicros, command, NO_EVENTS), REJECT.none, `command ${core.sequence}`);
        }
    strictEqual(core.stateHash(), hash);
    strictEqual(naive.stateHash(), hash);
    return { commands: core.sequence, orders };
  } finally {
    journal.close();
  }
}

class Wire {
  frames = 0;
  messages = 0;
  connections = 0;
  readonly closed: Record<number, number> = {};
  /** Sequences at which orders were accepted. */
  readonly placed = new Set<number>();
  readonly #engine: EngineProcess;
  readonly #tokens: readonly string[];
  readonly #noise: FrameNoise;
  #lastId = 0;

  constructor(engine: EngineProcess, tokens: readonly string[], noise: FrameNoise) {
    this.#engine = engine;
    this.#tokens = tokens;
    this.#noise = noise;
  }

  async run(frames: number): Promise<void> {
    const work = async (): Promise<void> => {
      while (this.frames < frames) await (this.#noise.below(40) === 0 ? this.#rawBytes() : this.#connection());
    };
    await Promise.all(Array.from({ length: CONNECTIONS }, work));
  }

  async #connection(): Promise<void> {
    const noise = this.#noise;
    const json = noise.below(6) === 0;
    const token = this.#tokens[noise.below(this.#tokens.length)] as string;
    const ws = new WebSocket(`${this.#engine.baseUrl.replace('http', 'ws')}/v1/ws`, json ? 'hft.json.v1' : 'hft.binary.v1', {
      headers: { authorization: `Bearer ${token}` },
      perMessageDeflate: noise.below(4) === 0,
    });
    this.connections += 1;
    const over = { is: false };
    ws.on('error', () => undefined);
    ws.on('message', (data, isBinary) =>
      this.#read(isBinary ? decodeMessage(data as Buffer) : (JSON.parse((data as Buffer).toString()) as AnyFrame[])),
    );
    const closed = once(ws, 'close').then(([code]) => {
      over.is = true;
      this.closed[Number(code)] = (this.closed[Number(code)] ?? 0) + 1;
    });
    await Promise.race([once(ws, 'open'), closed]);
    for (let left = MESSAGES_OF_CONNECTION; left > 0 && ws.readyState === WebSocket.OPEN; left -= 1) {
      this.#send(ws, json);
      // A ping is answered behind what was sent before it.
      ws.ping();
      await bounded(Promise.race([once(ws, 'pong', { signal: AbortSignal.timeout(PATIENCE_MS) }).catch(() => undefined), closed]));
    }
    if (noise.below(2) === 0) ws.close();
    else ws.terminate();
    await bounded(closed);
    strictEqual(over.is, true, 'a connection ends');
  }

  #send(ws: WebSocket, json: boolean): void {
    const noise = this.#noise;
    const message = noise.clean(this.#lastId, this.messages);
    this.messages += 1;
    for (let at = 0; at < message.length; at += message.readUInt16LE(at)) this.frames += 1;
    const bytes = json ? Buffer.from(noise.text(message)) : noise.damaged(message);
    const binary = noise.below(100) === 0 ? json : !json;
    if (noise.below(4) !== 0) return ws.send(bytes, { binary });
    // In fragments, empty ones among them.
    let at = 0;
    for (let left = 1 + noise.below(5); left > 0; left -= 1) {
      const next = Math.min(bytes.length, at + noise.below(200));
      ws.send(bytes.subarray(at, next), { binary, fin: false });
      at = next;
    }
    ws.send(bytes.subarray(at), { binary, fin: true });
  }

  #read(frames: readonly AnyFrame[]): void {
    for (const frame of frames) {
      if (frame.frame !== 'placed') continue;
      this.#lastId = Math.max(this.#lastId, frame.orderId);
      if (frame.duplicate !== true) this.placed.add(frame.sequence);
    }
  }

  /** A handshake, whole or not, and then what is no WebSocket. */
  async #rawBytes(): Promise<void> {
    const noise = this.#noise;
    const { hostname, port } = new URL(this.#engine.baseUrl);
    const socket = connect(Number(port), hostname);
    socket.on('error', () => undefined);
    socket.resume();
    const closed = once(socket, 'close');
    await once(socket, 'connect');
    const head = [
      'GET /v1/ws HTTP/1.1',
      'host: engine',
      'upgrade: websocket',
      'connection: upgrade',
      'sec-websocket-version: 13',
      'sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==',
      'sec-websocket-protocol: hft.binary.v1',
      `authorization: Bearer ${this.#tokens[0]}`,
      '\r\n',
    ].join('\r\n');
    const whole = Buffer.from(head);
    socket.write(noise.below(4) === 0 ? whole.subarray(0, noise.below(whole.length)) : whole);
    for (let left = noise.below(20); left > 0; left -= 1) {
      this.frames += 1;
      socket.write(Buffer.from(Array.from({ length: 1 + noise.below(300) }, () => noise.below(256))));
    }
    socket.end();
    setTimeout(() => socket.destroy(), 100);
    await bounded(closed);
  }
}

async function bounded<T>(work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`the engine says nothing for ${PATIENCE_MS} ms`)), PATIENCE_MS);
  return await Promise.race([work, promise]).finally(() => clearTimeout(timer));
}
