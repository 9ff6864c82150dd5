/**
 * Damaged messages into the gateway's own connections, order entry, core and journal, without a network between: as many as a second can hold. Every
 * answer must be the one of `frame-model.ts`, every state hash and book that of the naive model, and the journal must give the same again.
 */
import { deepStrictEqual, strictEqual } from 'node:assert';
import { rmSync } from 'node:fs';
import type { Socket } from 'node:net';
import { setImmediate as nextTick } from 'node:timers/promises';
import type { WebSocket } from 'ws';
import { authorize } from '../access/authorize.ts';
import type { Principal } from '../access/principal.ts';
import type { Role } from '../access/roles.ts';
import { decodeMessage, FrameFault, type AnyFrame } from '../client/websocket-codec.ts';
import { REASON_VALUES, STATUS_VALUES } from '../client/websocket-values.ts';
import { MatchingCore } from '../core/core.ts';
import { NaiveExchange } from '../core/naive-model.ts';
import { NO_LIMITS, randomWords } from '../core/random-commands.ts';
import { ALL_INSTRUMENTS, ANY_ACCOUNT, BUY, DISCONNECTED, MASS_CANCEL, SELL, type InstrumentRules } from '../core/types.ts';
import { Backlog } from '../gateway/websocket/backlog.ts';
import { Connection } from '../gateway/websocket/connection.ts';
import { receive } from '../gateway/websocket/gateway.ts';
import { bytesOfJson } from '../gateway/websocket/json.ts';
import { recover } from '../journal/recovery.ts';
import { SqliteJournal } from '../journal/sqlite-journal.ts';
import { Accounts } from '../service/accounts.ts';
import { OrderEntry } from '../service/order-entry.ts';
import { drainingProblem } from '../service/problem.ts';
import { Sequencer } from '../service/sequencer.ts';
import { EngineStats } from '../telemetry/stats.ts';
import { temporaryDirectory } from '../testing/temporary-directory.ts';
import { FrameModel, advanceModel, type ModelWorld } from './frame-model.ts';
import { FrameNoise } from './frame-noise.ts';

const START_MICROS = 1_000_000;
const MOST_MESSAGES_OF_TURN = 24;
/** Turns between two comparisons of all the books. */
const BETWEEN_LOOKS = 100;
/** One in so many connections speaks JSON. */
const JSON_EVERY = 8;
const RULES: readonly InstrumentRules[] = [
  NO_LIMITS,
  { tradable: true, maxOrderLots: 200, maxNotional: 18_000n, priceBandPercent: 6, maxPositionLots: 150, maxOpenNotional: 20_000 },
];
const PRINCIPALS: readonly (readonly [Role, readonly string[] | 'all'])[] = [
  ['trader', ['a0', 'a1', 'a2']],
  ['trader', ['a1', 'a2', 'b-7']],
  ['trader', 'all'],
  ['trader', ['a0', 'a1', 'a2']],
  ['risk', ['a0', 'a1']],
  ['viewer', ['a0']],
  ['admin', 'all'],
];

export interface RigFigures {
  readonly frames: number;
  readonly messages: number;
  readonly connections: number;
  readonly accepted: number;
  readonly answers: number;
  readonly hash: string;
}

/** Sends `frames` frames or a few more, by `seed`. Throws at the first difference. */
export async function runRig(seed: number, frames: number): Promise<RigFigures> {
  const directory = temporaryDirectory();
  const rig = new Rig(seed, directory);
  try {
    return await rig.run(frames);
  } finally {
    rig.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** A connection, what a client would see of it, and what it should. */
interface Client {
  readonly connection: Connection;
  readonly model: FrameModel;
  readonly json: boolean;
  readonly seen: string[];
  open: boolean;
}

class Rig {
  readonly #directory: string;
  readonly #journal: SqliteJournal;
  readonly #core = new MatchingCore();
  readonly #sequencer: Sequencer;
  readonly #entry: OrderEntry;
  readonly #noise: FrameNoise;
  readonly #backlog = new Backlog(2 ** 30);
  readonly #world: ModelWorld = { naive: new NaiveExchange(), accounts: [], sessions: 0, nowMicros: START_MICROS };
  readonly #faults: unknown[] = [];
  #sessions = 0;
  #number = 0;
  #messages = 0;
  #connections = 0;
  #answers = 0;

  constructor(seed: number, directory: string) {
    this.#directory = directory;
    this.#noise = new FrameNoise(randomWords(seed));
    this.#journal = SqliteJournal.open(directory, 'commit');
    RULES.forEach((rules, instrument) => {
      this.#core.setInstrument(instrument, rules);
      this.#world.naive.setInstrument(instrument, rules);
    });
    const accounts = new Accounts([]);
    const stats = new EngineStats();
    this.#sequencer = new Sequencer({
      core: this.#core,
      journal: this.#journal,
      accounts,
      observer: stats,
      nowMicros: () => this.#world.nowMicros,
      onFull: (cause) => void this.#faults.push(cause),
      onFatal: (cause) => void this.#faults.push(cause),
    });
    const engine = { accepting: { core: this.#core, sequencer: this.#sequencer, accounts }, refusal: drainingProblem };
    this.#entry = new OrderEntry({ engine, limiter: { take: () => 0, giveBack: () => undefined }, stats });
  }

  async run(frames: number): Promise<RigFigures> {
    let seen = 0;
    let client = this.#connect();
    for (let turn = 1; seen < frames; turn += 1) {
      this.#passTime();
      const before = client.model.frames;
      for (let left = 1 + this.#noise.below(MOST_MESSAGES_OF_TURN); left > 0 && client.open; left -= 1) this.#send(client);
      if (client.open && this.#noise.below(50) === 0) this.#hangUp(client);
      seen += client.model.frames - before;
      await this.#settle();
      this.#compareAnswers(client);
      if (turn % BETWEEN_LOOKS === 0) this.#compareBooks();
      if (!client.open) client = this.#connect();
    }
    if (client.open) this.#hangUp(client);
    await this.#settle();
    this.#compareBooks();
    await this.#compareReplay();
    return {
      frames: seen,
      messages: this.#messages,
      connections: this.#connections,
      accepted: this.#core.sequence,
      answers: this.#answers,
      hash: this.#core.stateHash(),
    };
  }

  close(): void {
    this.#sequencer.close();
    this.#journal.close();
  }

  #connect(): Client {
    this.#connections += 1;
    const json = this.#connections % JSON_EVERY === 0;
    const [role, accounts] = PRINCIPALS[this.#noise.below(PRINCIPALS.length)] as (typeof PRINCIPALS)[number];
    const principal: Principal = {
      subject: role,
      roles: [role],
      accounts: accounts === 'all' ? 'all' : new Set(accounts),
      expiresAtMs: Infinity,
      keyId: 'k',
    };
    const seen: string[] = [];
    const take = (more: readonly AnyFrame[]): void => void seen.push(...more.map(lineOf));
    // What the connection uses of the library and of the socket.
    const ws = {
      extensions: '',
      readyState: 1,
      OPEN: 1,
      bufferedAmount: 0,
      send: (text: string) => take(JSON.parse(text) as AnyFrame[]),
      close: () => (client.open = false),
      terminate: () => undefined,
      pause: () => undefined,
      // The handshake ends at once.
      once: (_event: string, done: () => void) => done(),
    };
    const socket = { writableLength: 0, write: (bytes: Uint8Array) => (take(decodeMessage(withoutHead(bytes))), true) };
    const connection = new Connection({
      ws: ws as unknown as WebSocket,
      socket: socket as unknown as Socket,
      json,
      entry: this.#entry,
      principal,
      gatekeeper: { authenticate: async () => await Promise.resolve(principal), holds: () => true, authorize },
      backlog: this.#backlog,
      sessions: { open: () => (this.#sessions += 1), end: (session) => this.#endSession(session) },
    });
    if (accounts !== 'all') for (const name of accounts) connection.handleOf(name);
    const client: Client = { connection, model: new FrameModel(this.#world, principal), json, seen, open: true };
    return client;
  }

  #endSession(session: number): void {
    this.#sequencer.send({ kind: MASS_CANCEL, instrument: ALL_INSTRUMENTS, account: ANY_ACCOUNT, session, reason: DISCONNECTED });
  }

  #passTime(): void {
    this.#world.nowMicros += this.#noise.below(100);
    if (this.#world.nowMicros < this.#core.nextDueMicros) return;
    // Begun and left: what is due has been done then.
    this.#sequencer.begin();
    advanceModel(this.#world);
  }

  #send(client: Client): void {
    const { connection, model, json } = client;
    const message = this.#noise.clean(this.#core.sequence, this.#number);
    this.#number += message.length;
    this.#messages += 1;
    let bytes: Uint8Array | undefined;
    if (json) {
      const text = Buffer.from(this.#noise.text(message));
      bytes = meantBy(text.toString('utf8'));
      receive(connection, text, false, true);
    } else {
      const damaged = this.#noise.damaged(message);
      bytes = Uint8Array.from(damaged);
      receive(connection, damaged, true, false);
    }
    const stays = bytes !== undefined && model.message(bytes);
    strictEqual(client.open, stays, `whether the connection stays, after ${Buffer.from(bytes ?? []).toString('hex')}`);
    if (stays) return;
    // What was not durable is not answered any more.
    model.atOnce.push('error');
    model.durable.length = 0;
    this.#end(client);
  }

  #hangUp(client: Client): void {
    client.model.durable.length = 0;
    client.open = false;
    this.#end(client);
  }

  #end({ connection, model }: Client): void {
    connection.end();
    model.end();
  }

  /** Until everything is durable and answered. */
  async #settle(): Promise<void> {
    do await nextTick();
    while (this.#sequencer.durableSequence < this.#core.sequence && this.#faults.length === 0);
    deepStrictEqual(this.#faults, []);
  }

  #compareAnswers({ seen, model }: Client): void {
    this.#answers += seen.length;
    deepStrictEqual(seen, [...model.atOnce, ...model.durable]);
    for (const list of [seen, model.atOnce, model.durable]) list.length = 0;
  }

  #compareBooks(): void {
    const { naive } = this.#world;
    RULES.forEach((_rules, instrument) => {
      for (const side of [BUY, SELL] as const)
        deepStrictEqual(
          this.#core.book(instrument).orders(side, Infinity),
          naive.book(instrument).orders(side, Infinity),
          `book ${instrument}`,
        );
    });
    strictEqual(this.#core.sequence, naive.sequence);
    strictEqual(this.#core.stateHash(), naive.stateHash());
  }

  async #compareReplay(): Promise<void> {
    const replayed = new MatchingCore();
    RULES.forEach((rules, instrument) => replayed.setInstrument(instrument, rules));
    const found = await recover(replayed, this.#journal, { dataDirectory: this.#directory, signal: new AbortController().signal });
    deepStrictEqual([found.sequence, found.stateHash, found.accounts], [this.#core.sequence, this.#core.stateHash(), this.#world.accounts]);
  }
}

/** The frames that a text of the JSON form stands for; undefined for none. What was taken must be what JSON.parse says, field by field. */
function meantBy(text: string): Uint8Array | undefined {
  let bytes: Uint8Array;
  try {
    bytes = bytesOfJson(text);
  } catch (cause) {
    if (cause instanceof FrameFault) return undefined;
    throw cause;
  }
  const sent: unknown = JSON.parse(text);
  const taken = decodeMessage(bytes);
  const given = (Array.isArray(sent) ? sent : [sent]) as Record<string, unknown>[];
  strictEqual(taken.length, given.length);
  given.forEach((frame, index) => {
    const read = taken[index] as unknown as Record<string, unknown>;
    for (const [field, value] of Object.entries(frame))
      deepStrictEqual(read[field], Object.is(value, -0) ? 0 : value, `${field} of ${text}`);
  });
  return bytes;
}

/** A message without the head that stands before it on the wire. */
function withoutHead(bytes: Uint8Array): Uint8Array {
  const length = bytes[1] as number;
  return bytes.slice(length < 126 ? 2 : length === 126 ? 4 : 10);
}

/** As the model says it. */
function lineOf(frame: AnyFrame): string {
  switch (frame.frame) {
    case 'placed':
    case 'replaced':
    case 'cancelled': {
      const { frame: what, number, orderId, sequence, filledLots, remainingLots, status, reason, fills } = frame;
      if (what === 'placed' && frame.duplicate === true) return `placed ${number} order ${orderId} again`;
      const outcome = [filledLots, remainingLots, STATUS_VALUES.indexOf(status), REASON_VALUES.indexOf(reason), fills];
      return `${what} ${number} order ${orderId} at ${sequence}: ${outcome.join(' ')}`;
    }
    case 'fill': {
      const { number, orderId, sequence, index, quantityLots, priceTicks, instrument, remainingLots, taker } = frame;
      return `fill ${number} order ${orderId} at ${sequence}.${index}: ${quantityLots} for ${priceTicks} of ${instrument}, left ${remainingLots}, taker ${taker}`;
    }
    case 'massCancelled':
      return `massCancelled ${frame.number} count ${frame.count}`;
    case 'rejected':
      return `rejected ${frame.number} ${frame.reject}`;
    case 'account':
      return `account ${frame.number} ${frame.account} ${frame.name}`;
    case 'error':
      return 'error';
    default:
      return `${frame.frame}, which answers nothing`;
  }
}
