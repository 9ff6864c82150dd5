/** An engine: one configuration, one data directory, one set of books; from recovery to drain. Knows nothing of HTTP. */
import { setTimeout as delay } from 'node:timers/promises';
import { configHash, type EngineConfig } from '../../crds/engine-config.ts';
import type { ConfigCheck, EngineStatus } from '../client/admin.ts';
import { validateConfig } from '../config/config.ts';
import { VERSION } from '../config/version.ts';
import { MatchingCore } from '../core/core.ts';
import type { Book } from '../core/types.ts';
import { SqliteJournal } from '../journal/sqlite-journal.ts';
import type { JournalQueries } from '../journal/queries.ts';
import { JournalError } from '../journal/types.ts';
import type { EngineStats } from '../telemetry/stats.ts';
import { Accounts } from './accounts.ts';
import { instrumentOf, newInstruments, refuseListing, rulesOf, type Instrument } from './instruments.ts';
import { journalProblem, Sequencer } from './sequencer.ts';
import { Problem } from './problem.ts';
import { replay, type Recovery } from './recovery.ts';
import { warmUp } from './warmup.ts';

/** The engine does not start: `code` and the message go to the termination log. */
export class StartRefusal extends Error {
  override readonly name = 'StartRefusal';
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** What recovery leaves: replaced whole when the books must be rebuilt. */
export interface Market {
  readonly core: MatchingCore;
  readonly sequencer: Sequencer;
  /** Prepared reads of what is durable. */
  readonly queries: JournalQueries;
  readonly accounts: Accounts;
  readonly instruments: readonly Instrument[];
  readonly bySymbol: ReadonlyMap<string, Instrument>;
}

export interface EngineLog {
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
  error(details: object, message: string): void;
}

interface HashedState {
  readonly core: MatchingCore | undefined;
  readonly sequence: number;
  readonly stateHash: string;
  readonly openOrders: number;
}

const NO_HASH = '0'.repeat(16);
const WARM_UP_ORDERS = 40_000;
const PROBE_INTERVAL_MS = 1000;
const CHECKPOINT_INTERVAL_MS = 250;

export class Engine {
  readonly config: EngineConfig;
  readonly configHash: string;
  readonly stats: EngineStats;
  readonly #dataDirectory: string;
  readonly #log: EngineLog;
  readonly #onFatal: (cause: unknown) => void;
  #phase: EngineStatus['phase'] = 'recovering';
  #journal: SqliteJournal | undefined;
  #market: Market | undefined;
  #recovery: Recovery | undefined;
  #hashed: HashedState | undefined;
  #warmup: EngineStatus['warmup'] = null;
  #blocked: Error | undefined;
  #starting: Promise<void> | undefined;
  #rebuilding: Promise<void> | undefined;
  readonly #stopping = new AbortController();
  #timers: NodeJS.Timeout[] = [];

  constructor(parts: {
    config: EngineConfig;
    dataDirectory: string;
    stats: EngineStats;
    log: EngineLog;
    onFatal: (cause: unknown) => void;
  }) {
    this.config = parts.config;
    this.configHash = configHash(parts.config);
    this.stats = parts.stats;
    this.#dataDirectory = parts.dataDirectory;
    this.#log = parts.log;
    this.#onFatal = parts.onFatal;
  }

  get phase(): EngineStatus['phase'] {
    return this.#phase;
  }

  get serving(): boolean {
    return this.#phase === 'serving';
  }

  /** Why orders are refused although the engine serves: no room is left for the journal. */
  get blocked(): Error | undefined {
    return this.#blocked;
  }

  /** Recovers, warms up, serves. Throws StartRefusal or JournalError; the journal is then closed again. Returns early when drained meanwhile. */
  async start(): Promise<void> {
    this.#starting = this.#start();
    await this.#starting;
  }

  async #start(): Promise<void> {
    this.#journal = SqliteJournal.open(this.#dataDirectory, this.config.journal.durability);
    try {
      await this.#recover(this.#journal);
      if (this.#stopping.signal.aborted) return;
      if (!this.#journal.probe()) {
        this.#blocked = new JournalError('HFT_JOURNAL_FULL', 'no room is left for the journal');
        this.#log.error({}, 'no room is left for the journal: orders are refused until there is');
        this.#rebuilding = this.#awaitRoom(this.#journal).catch((cause: unknown) => this.#onFatal(cause));
      }
      this.#phase = 'warming';
      this.#warmup = await warmUp(WARM_UP_ORDERS, this.#stopping.signal);
      if (this.#stopping.signal.aborted) return;
      this.#log.info({ warmup: this.#warmup }, 'warmed up');
      this.#timers = [
        setInterval(() => this.stats.tick(), 1000).unref(),
        setInterval(() => this.#checkpoint(), CHECKPOINT_INTERVAL_MS).unref(),
      ];
      this.#phase = 'serving';
    } catch (cause) {
      if (this.#stopping.signal.aborted) return;
      const journal = this.#journal;
      this.#journal = undefined;
      journal.close();
      throw cause;
    }
  }

  async #recover(journal: SqliteJournal): Promise<void> {
    const stored = journal.queries.instruments();
    const early = refuseListing(this.config, stored, () => 0);
    if (early !== undefined) throw new StartRefusal(early.code, early.message);
    const core = new MatchingCore();
    for (const record of stored) core.setInstrument(record.id, rulesOf(instrumentOf(record, this.config), this.config.risk));
    const recovery = await replay(core, journal, this.#stopping.signal);
    const refusal = refuseListing(this.config, stored, ({ id }) => core.book(id).openOrders);
    if (refusal !== undefined) throw new StartRefusal(refusal.code, refusal.message);
    const added = newInstruments(this.config, stored);
    journal.addInstruments(added);
    const instruments = [...stored, ...added].map((record) => instrumentOf(record, this.config));
    for (const instrument of instruments) core.setInstrument(instrument.id, rulesOf(instrument, this.config.risk));
    const accounts = new Accounts(journal.queries.accounts());
    const sequencer = new Sequencer({
      core,
      journal,
      queries: journal.queries,
      accounts,
      observer: this.stats,
      lastTimestampMicros: recovery.lastTimestampMicros,
      nowMicros: () => Date.now() * 1000,
      onFull: (cause) => this.#rebuild(cause),
      onFatal: this.#onFatal,
    });
    this.#recovery = recovery;
    this.#market = {
      core,
      sequencer,
      queries: journal.queries,
      accounts,
      instruments,
      bySymbol: new Map(instruments.filter(({ listed }) => listed).map((i) => [i.symbol, i])),
    };
    this.#log.info({ recovery }, 'recovered');
  }

  /** After a commit that found no room: the books hold what the journal does not. They are made anew from it, then room is awaited. */
  #rebuild(cause: JournalError): void {
    this.#log.error({ err: cause }, 'no room is left for the journal: orders are refused, the books are rebuilt from it');
    this.#blocked = cause;
    this.#phase = this.#phase === 'serving' ? 'recovering' : this.#phase;
    const journal = this.#openJournal();
    this.#market = undefined;
    this.#rebuilding = this.#recover(journal)
      .then(async () => {
        this.#phase = this.#phase === 'recovering' ? 'serving' : this.#phase;
        await this.#awaitRoom(journal);
      })
      .catch((failure: unknown) => {
        if (!this.#stopping.signal.aborted) this.#onFatal(failure);
      });
  }

  /** Tries until the journal can be written, and takes orders again then. */
  async #awaitRoom(journal: SqliteJournal): Promise<void> {
    while (!this.#stopping.signal.aborted && !journal.probe())
      await delay(PROBE_INTERVAL_MS, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
    if (this.#stopping.signal.aborted) return;
    this.#blocked = undefined;
    this.#log.warn({}, 'the journal can be written again: orders are accepted');
  }

  #checkpoint(): void {
    if (this.#blocked !== undefined) return;
    try {
      this.#journal?.checkpointIfDue();
    } catch (cause) {
      this.#log.warn({ err: cause }, 'the write-ahead log could not be copied back; it is tried again');
    }
  }

  #openJournal(): SqliteJournal {
    if (this.#journal === undefined) throw new Problem('HFT_RECOVERING', 'the engine is recovering: try again', { retryAfterMs: 1000 });
    return this.#journal;
  }

  #open(): Market {
    if (this.#market === undefined || this.#phase === 'recovering')
      throw new Problem('HFT_RECOVERING', 'the engine is recovering: try again', { retryAfterMs: 1000 });
    return this.#market;
  }

  /** Throws Problem (503) unless commands are taken now. */
  requireAccepting(): Market {
    if (this.#phase === 'draining') throw new Problem('HFT_DRAINING', 'the engine is stopping: try again', { retryAfterMs: 2000 });
    if (this.#phase === 'warming') throw new Problem('HFT_WARMING', 'the engine is warming up: try again', { retryAfterMs: 1000 });
    if (this.#blocked !== undefined) throw journalProblem(this.#blocked);
    return this.#open();
  }

  /** The books and names of this moment. A rebuild replaces them whole: take them once for one answer. Throws Problem (503) while recovering. */
  get market(): Market {
    return this.#open();
  }

  /** What `read` makes of a book, given out once everything that it shows is durable. Throws Problem when that cannot be. */
  async readBook<T>(instrument: number, read: (book: Book, sequence: number) => T): Promise<T> {
    const { core, sequencer } = this.#open();
    const view = read(core.book(instrument), core.sequence);
    await sequencer.settled();
    return view;
  }

  /** Books for the dashboard and the metrics: as they are this moment; empty while recovering. */
  booksNow(): { symbol: string; instrument: Instrument; book: Book }[] {
    const market = this.#phase === 'recovering' ? undefined : this.#market;
    return (market?.instruments ?? [])
      .filter(({ listed }) => listed)
      .map((instrument) => ({ symbol: instrument.symbol, instrument, book: market?.core.book(instrument.id) ?? noBook() }));
  }

  get sequence(): number {
    return this.#journal?.lastSequence ?? 0;
  }

  get openOrders(): number {
    return this.#market?.core.openOrders ?? 0;
  }

  journalBytes(): number {
    return this.#journal?.sizeBytes() ?? 0;
  }

  /** Sequence, hash and open orders of one and the same state, given out once it is durable. The walk over the books is made once a sequence. */
  async #durableState(): Promise<HashedState> {
    const market = this.#market;
    if (market === undefined) return { core: undefined, sequence: this.sequence, stateHash: NO_HASH, openOrders: 0 };
    const { core, sequencer } = market;
    if (this.#hashed?.core !== core || this.#hashed.sequence !== core.sequence)
      this.#hashed = { core, sequence: core.sequence, stateHash: core.stateHash(), openOrders: core.openOrders };
    const state = this.#hashed;
    try {
      await sequencer.settled();
      return state;
    } catch {
      // A commit failed, and the books are being made anew: `phase` and the refusals tell it, the status is still due.
      return { core: undefined, sequence: this.sequence, stateHash: NO_HASH, openOrders: 0 };
    }
  }

  async status(): Promise<EngineStatus> {
    const state = await this.#durableState();
    const recovery = this.#recovery;
    return {
      name: this.config.engine,
      version: VERSION,
      phase: this.#phase,
      configHash: this.configHash,
      heapFlags: process.execArgv,
      sequence: state.sequence,
      stateHash: state.stateHash,
      recovery: {
        sequence: recovery?.sequence ?? 0,
        stateHash: recovery?.stateHash ?? '',
        commands: recovery?.commands ?? 0,
        durationMs: recovery?.durationMs ?? 0,
      },
      warmup: this.#warmup,
      openOrders: state.openOrders,
      ordersAccepted: this.stats.ordersAccepted,
      ordersRejected: this.stats.ordersRejected,
      fills: this.stats.fills,
      ordersPerSecond: this.stats.ordersPerSecond(),
      startedAt: this.stats.startedAt.toISOString(),
      pid: process.pid,
    };
  }

  /** Whether the running state could be recovered under `config`. Throws Problem (503) while recovering. */
  checkConfig(config: unknown): ConfigCheck {
    const checked = validateConfig(config);
    if (!checked.ok) return { accepted: false, code: 'HFT_CONFIG_INVALID', message: checked.faults.join('\n') };
    const { core, queries } = this.#open();
    const refusal = refuseListing(checked.config, queries.instruments(), ({ id }) => core.book(id).openOrders);
    return refusal === undefined ? { accepted: true } : { accepted: false, ...refusal };
  }

  /** From now on commands are refused. Those already taken are still answered. */
  drain(): void {
    this.#phase = 'draining';
    this.#stopping.abort();
    for (const timer of this.#timers) clearInterval(timer);
  }

  /** After {@link drain}: waits for the last commit, records the state hash, closes the journal. */
  async close(): Promise<void> {
    this.drain();
    await this.#starting?.catch(() => undefined);
    await this.#rebuilding;
    const journal = this.#journal;
    if (journal === undefined) return;
    this.#journal = undefined;
    try {
      await this.#market?.sequencer.settled();
      const core = this.#market?.core;
      if (core !== undefined && core.sequence > 0 && core.sequence === journal.lastSequence) {
        journal.recordStateHash(core.sequence, core.stateHash(), Date.now());
      }
    } catch (cause) {
      this.#log.warn({ err: cause }, 'the state hash could not be recorded; nothing that was acknowledged is lost');
    } finally {
      journal.close();
    }
  }
}

function noBook(): never {
  throw new RangeError('an instrument without a book');
}
