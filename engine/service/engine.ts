/** An engine: one configuration, one data directory, one set of books; from recovery to drain. Knows nothing of HTTP. */
import { setTimeout as delay } from 'node:timers/promises';
import { JOURNAL_DEFAULTS, type EngineConfig } from '../../crds/engine-config.ts';
import { protectionOf } from '../../crds/protection.ts';
import { parseDurationMs } from '../../crds/quantity.ts';
import type { ConfigCheck, EngineStatus } from '../client/admin.ts';
import { validateConfig } from '../config/config.ts';
import { VERSION } from '../config/version.ts';
import { SLOT_WORDS } from '../core/command.ts';
import { MatchingCore } from '../core/core.ts';
import type { PoolFigures } from '../core/pool-figures.ts';
import type { BookView } from '../core/types.ts';
import { recover, type Recovery } from '../journal/recovery.ts';
import { SqliteJournal } from '../journal/sqlite-journal.ts';
import { JournalError } from '../journal/types.ts';
import type { Place } from '../pools/leak-watch.ts';
import { Admission, type Load } from '../protection/admission.ts';
import type { EngineStats } from '../telemetry/stats.ts';
import type { ReplicaState, Views } from '../views/types.ts';
import { openViews } from '../views/views.ts';
import { accountRulesOf, instrumentOf, newInstruments, refuseListing, rulesOf, type Instrument } from './instruments.ts';
import { LiveConfig } from './live-config.ts';
import { booksOf, openMarket, type Market } from './market.ts';
import { drainingProblem, journalProblem, Problem } from './problem.ts';
import { poolsOf } from './pools.ts';
import { Sessions } from './sessions.ts';
import { startCommands } from './start-commands.ts';
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

export interface EngineLog {
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
  error(details: object, message: string): void;
}

export interface EngineParts {
  readonly config: EngineConfig;
  readonly dataDirectory: string;
  /** Last sequence to keep of a journal that is damaged behind it; undefined to lose nothing. */
  readonly acceptLossAfter?: number | undefined;
  readonly stats: EngineStats;
  readonly log: EngineLog;
  readonly onFatal: (cause: unknown) => void;
  /** Of the ports that speak TLS; told in the status. */
  readonly certificates?: { readonly expiresAtMs: number; readonly failure: string | undefined } | undefined;
  /** Awaited once the data directory is this engine's, before it serves. */
  readonly onRecovered?: () => Promise<void>;
}

const NO_HASH = '0'.repeat(16);
const WARM_UP_ORDERS = 40_000;
const PROBE_INTERVAL_MS = 1000;
const UPKEEP_INTERVAL_MS = 250;
/** Nobody holds a buffer for so long who means to give it back. */
const LEAK_AGE_MS = 10_000;

export class Engine {
  /** What configures it while it runs. */
  readonly live: LiveConfig;
  readonly stats: EngineStats;
  /** Whether new orders and queries are taken, where the engine itself would take them. */
  readonly admission: Admission;
  /** Answers that wait in the order entry, as a part of what it holds; set by whoever has one. */
  answersFill: () => number = () => 0;
  /** Connections that cancel what was sent by them when they end. */
  readonly sessions = new Sessions(async (session) => await this.#open().desk.endSession(session));
  readonly #parts: EngineParts;
  readonly #log: EngineLog;
  readonly #retentionMs: number;
  #phase: EngineStatus['phase'] = 'recovering';
  #journal: SqliteJournal | undefined;
  #views: Views | undefined;
  #market: Market | undefined;
  #recovery: Recovery | undefined;
  #warmup: EngineStatus['warmup'] = null;
  /** Whether the recovered state was once made what the configuration says. */
  #wasConfigured = false;
  readonly #startConfigHash: string;
  #blocked: Error | undefined;
  #starting: Promise<void> | undefined;
  #rebuilding: Promise<void> | undefined;
  readonly #stopping = new AbortController();
  #timers: NodeJS.Timeout[] = [];

  constructor(parts: EngineParts) {
    this.live = new LiveConfig(parts.config, parts.log, () => this.requireAccepting());
    this.#startConfigHash = this.live.hash;
    this.admission = new Admission(protectionOf(parts.config.protection), parts.log, () => this.#load());
    this.live.onChange(({ protection }) => this.admission.configure(protectionOf(protection)));
    this.stats = parts.stats;
    this.#parts = parts;
    this.#log = parts.log;
    this.#retentionMs = parseDurationMs(parts.config.journal.retention ?? JOURNAL_DEFAULTS.retention);
  }

  /** The configuration in force. */
  get config(): EngineConfig {
    return this.live.config;
  }

  get configHash(): string {
    return this.live.hash;
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
    try {
      await this.#recover(this.#parts.acceptLossAfter);
      if (this.#stopping.signal.aborted) return;
      await this.#parts.onRecovered?.();
      await this.#admit();
      this.#phase = 'warming';
      this.#warmup = await warmUp(WARM_UP_ORDERS, this.#stopping.signal);
      if (this.#stopping.signal.aborted) return;
      this.#log.info({ warmup: this.#warmup }, 'warmed up');
      this.#timers = [setInterval(() => this.stats.tick(), 1000).unref(), setInterval(() => this.#upkeep(), UPKEEP_INTERVAL_MS).unref()];
      this.#phase = 'serving';
    } catch (cause) {
      if (this.#stopping.signal.aborted) return;
      await this.#views?.close();
      this.#journal?.close();
      this.#journal = undefined;
      throw cause;
    }
  }

  /** Books, accounts and instruments from the journal. */
  async #recover(acceptLossAfter?: number, file?: number): Promise<void> {
    const { dataDirectory } = this.#parts;
    const { config } = this;
    const { durability, snapshotEvery = JOURNAL_DEFAULTS.snapshotEvery } = config.journal;
    const journal = SqliteJournal.open(dataDirectory, durability, { acceptLossAfter, file });
    this.#journal = journal;
    const stored = journal.queries.instruments();
    const early = refuseListing(config, stored, () => 0);
    if (early !== undefined) throw new StartRefusal(early.code, early.message);
    const core = new MatchingCore();
    for (const record of stored) core.setInstrument(record.id, rulesOf(instrumentOf(record, config), config.risk));
    const recovery = await recover(core, journal, { dataDirectory, signal: this.#stopping.signal });
    const refusal = refuseListing(config, stored, ({ id }) => core.book(id).openOrders);
    if (refusal !== undefined) throw new StartRefusal(refusal.code, refusal.message);
    const added = newInstruments(config, stored);
    journal.addInstruments(added);
    const instruments = [...stored, ...added].map((record) => instrumentOf(record, config));
    for (const instrument of instruments) core.setInstrument(instrument.id, rulesOf(instrument, config.risk));
    core.setAccountRules(accountRulesOf(config.risk));
    this.#views ??= await openViews({
      dataDirectory,
      retentionMs: this.#retentionMs,
      snapshotEvery,
      instruments: instruments.length,
      onSnapshot: () => void this.#compact(),
      breaker: {
        take: (nowMs) => this.admission.views.take(nowMs),
        answered: (durationMs) => this.admission.views.record(durationMs <= this.admission.settings.slowQueryMs, performance.now()),
        failed: () => this.admission.views.record(false, performance.now()),
      },
      log: this.#log,
    });
    const views = this.#views;
    this.#recovery = recovery;
    this.#market = openMarket({
      core,
      accountNames: recovery.accounts,
      instruments,
      views,
      risk: config.risk,
      onOrder: () => this.admission.ordered(),
      sequencing: {
        journal,
        observer: {
          matched: (nanos) => this.stats.matched(nanos),
          committed: (commands, fills, nanos) => {
            this.stats.committed(commands, fills, nanos);
            this.admission.committed(nanos);
          },
        },
        nowMicros: () => Date.now() * 1000,
        onFull: (cause) => this.#rebuild(cause),
        onFatal: this.#parts.onFatal,
      },
    });
    views.advance(journal.durableSequence);
    this.#market.sequencer.listen({ durable: (sequence) => views.advance(sequence), refused: () => undefined });
    for (const warning of recovery.warnings) this.#log.warn({ sequence: recovery.sequence }, warning);
    this.#log.info({ recovery: { ...recovery, accounts: recovery.accounts.length } }, 'recovered');
  }

  /** Makes the recovered state what the configuration says, and takes orders; waits for room in the background when there is none. */
  async #admit(): Promise<void> {
    if (this.#openJournal().probe()) {
      await this.#applyConfiguration();
      return;
    }
    this.#blocked = new JournalError('HFT_JOURNAL_FULL', 'no room is left for the journal');
    this.#log.error({}, 'no room is left for the journal: orders are refused until there is');
    this.#rebuilding = this.#awaitRoom().catch((cause: unknown) => this.#parts.onFatal(cause));
  }

  async #applyConfiguration(): Promise<void> {
    const { core, instruments, sequencer } = this.#open();
    for (const command of startCommands(core, this.config, instruments, (session) => this.sessions.isOpen(session), !this.#wasConfigured)) {
      const reject = sequencer.send(command);
      if (reject !== 0) throw new Error(`command ${command.kind} of the start was refused with ${reject}`);
    }
    await sequencer.settled().then(
      () => (this.#wasConfigured = true),
      (cause: unknown) => {
        // No room: the rebuild that this has set off applies it again.
        if (!(cause instanceof Problem)) throw cause;
      },
    );
    this.sessions.retry();
  }

  /** After a commit that found no room: the books hold what the journal does not. They are made anew from it, then room is awaited. */
  #rebuild(cause: JournalError): void {
    this.#log.error({ err: cause }, 'no room is left for the journal: orders are refused, the books are rebuilt from it');
    this.#blocked = cause;
    this.admission.journal.trip('no room is left', performance.now());
    this.#phase = this.#phase === 'serving' ? 'recovering' : this.#phase;
    this.#market?.sequencer.close();
    this.#market = undefined;
    const journal = this.#openJournal();
    this.#rebuilding = (async () => {
      // The read models stay, and their connection with its locks.
      const file = journal.handOver();
      await this.#recover(undefined, file);
      this.#phase = this.#phase === 'recovering' ? 'serving' : this.#phase;
      await this.#awaitRoom();
    })().catch((failure: unknown) => {
      if (!this.#stopping.signal.aborted) this.#parts.onFatal(failure);
    });
  }

  /** Tries until the journal can be written, and takes orders again then. */
  async #awaitRoom(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted && !this.#openJournal().probe()) await delay(PROBE_INTERVAL_MS, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    await this.#applyConfiguration();
    this.#blocked = undefined;
    this.#log.warn({}, 'the journal can be written again: orders are accepted');
  }

  /** Drops from the journal what is older than the retention, as far as two snapshots have it. Tried again after every snapshot. */
  async #compact(): Promise<void> {
    const journal = this.#journal;
    if (journal === undefined) return;
    try {
      await journal.compact((Date.now() - this.#retentionMs) * 1000);
    } catch (cause) {
      if (this.#journal === journal)
        this.#log.warn({ err: cause }, 'old commands could not be dropped; it is tried again after the next snapshot');
    }
  }

  #upkeep(): void {
    if (this.#blocked !== undefined) return;
    this.sessions.retry();
    try {
      this.#journal?.checkpointIfDue();
    } catch (cause) {
      this.#log.warn({ err: cause }, 'the write-ahead log could not be copied back; it is tried again');
    }
  }

  #load(): Load | undefined {
    if (this.#phase !== 'serving' || this.#market === undefined || this.#journal === undefined) return undefined;
    const { sequence, durableSequence } = this.#market.sequencer;
    const { ring } = this.#journal;
    const fill = Math.max(this.answersFill(), (ring.waiting * SLOT_WORDS) / ring.slots.words.length);
    return { sequence, durableSequence, fill };
  }

  #openJournal(): SqliteJournal {
    if (this.#journal === undefined) throw recovering();
    return this.#journal;
  }

  #open(): Market {
    if (this.#market === undefined || (this.#phase === 'recovering' && this.#blocked !== undefined)) throw recovering();
    return this.#market;
  }

  /** Where commands go; undefined while none are taken: {@link refusal} says why. */
  get accepting(): Market | undefined {
    return this.#phase === 'serving' && this.#blocked === undefined ? this.#market : undefined;
  }

  /** As {@link requireAccepting}, for what may be refused although commands are taken: new orders and replacements. */
  requireOrders(): Market {
    const market = this.requireAccepting();
    this.admission.requireOrder();
    return market;
  }

  /** Why {@link accepting} is undefined. */
  refusal(): Problem {
    if (this.#phase === 'draining') return drainingProblem();
    if (this.#phase === 'warming') return new Problem('HFT_WARMING', 'the engine is warming up: try again', { retryAfterMs: 1000 });
    return this.#phase === 'recovering' || this.#blocked === undefined ? recovering() : journalProblem(this.#blocked);
  }

  /** Throws Problem (503) unless commands are taken now. */
  requireAccepting(): Market {
    const market = this.accepting;
    if (market === undefined) throw this.refusal();
    return market;
  }

  /** The books and names of this moment. A rebuild replaces them whole: take them once for one answer. Throws Problem (503) while recovering. */
  get market(): Market {
    if (this.#phase === 'recovering') throw recovering();
    return this.#open();
  }

  /** Books for the dashboard and the metrics: as they are this moment; empty while recovering. */
  booksNow(): { symbol: string; instrument: Instrument; book: BookView }[] {
    return booksOf(this.#phase === 'recovering' ? undefined : this.#market);
  }

  get sequence(): number {
    return this.#journal?.durableSequence ?? 0;
  }

  get openOrders(): number {
    return this.#market?.core.openOrders ?? 0;
  }

  /** What every pool holds; nothing while recovering. */
  pools(): PoolFigures[] {
    if (this.#market === undefined || this.#journal === undefined) return [];
    return poolsOf(this.#market, this.#journal, this.stats.rejectedByCode);
  }

  /** Where buffers were taken that were never given back, or are still held after so long; null unless they are watched (HFT_WATCH_LEAKS=1). */
  leaks(): { lost: Place[]; held: Place[] } | null {
    const watch = this.#journal?.leaks;
    return watch === undefined ? null : { lost: watch.lost(), held: watch.held(LEAK_AGE_MS) };
  }

  journalBytes(): number {
    return this.#journal?.sizeBytes() ?? 0;
  }

  /** Takes a snapshot of everything that is durable now; resolves when it is on the disk. Throws Problem and ViewsError. */
  async snapshot(): Promise<ReplicaState> {
    const { sequencer, views } = this.requireAccepting();
    await sequencer.settled();
    return await views.snapshot(sequencer.durableSequence);
  }

  /** Sequence, hash and open orders of one and the same durable state. Answers in every phase, without a hash where there is nobody to ask. */
  async #durableState(): Promise<ReplicaState> {
    const unknown = { sequence: this.sequence, stateHash: NO_HASH, openOrders: this.openOrders };
    if (this.#phase === 'recovering') return unknown;
    return (await this.#views?.state(this.sequence).catch(() => undefined)) ?? unknown;
  }

  async status(): Promise<EngineStatus> {
    const { certificates } = this.#parts;
    const state = await this.#durableState();
    const { sequence = 0, stateHash = '', commands = 0, durationMs = 0, snapshotSequence = 0, warnings = [] } = this.#recovery ?? {};
    return {
      name: this.config.engine,
      version: VERSION,
      phase: this.#phase,
      configHash: this.configHash,
      startConfigHash: this.#startConfigHash,
      ...(this.live.failure !== undefined && { configFailure: this.live.failure }),
      ...(certificates !== undefined && {
        tls: {
          expiresAt: new Date(certificates.expiresAtMs).toISOString(),
          ...(certificates.failure !== undefined && { failure: certificates.failure }),
        },
      }),
      heapFlags: process.execArgv,
      sequence: state.sequence,
      stateHash: state.stateHash,
      recovery: { sequence, stateHash, commands, durationMs, snapshotSequence, warnings: [...warnings] },
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
    const { core } = this.#open();
    const refusal = refuseListing(checked.config, this.#openJournal().queries.instruments(), ({ id }) => core.book(id).openOrders);
    return refusal === undefined ? { accepted: true } : { accepted: false, ...refusal };
  }

  /** From now on commands are refused. Those already taken are still answered. */
  drain(): void {
    this.#phase = 'draining';
    this.#stopping.abort();
    for (const timer of this.#timers) clearInterval(timer);
    this.admission.stop();
  }

  /** After {@link drain}: waits for the last commit, takes a snapshot, records the state hash, closes the journal. */
  async close(): Promise<void> {
    this.drain();
    await this.#starting?.catch(() => undefined);
    await this.#rebuilding;
    const journal = this.#journal;
    if (journal === undefined) return;
    this.#journal = undefined;
    try {
      await this.#lastSnapshot(journal);
    } catch (cause) {
      this.#log.warn({ err: cause }, 'the last snapshot could not be taken; nothing that was acknowledged is lost');
    } finally {
      this.#market?.sequencer.close();
      await this.#views?.close();
      journal.close();
    }
  }

  /** The next start then replays nothing. Books and replica have come to the same state on two ways: a good moment to compare them. */
  async #lastSnapshot(journal: SqliteJournal): Promise<void> {
    const market = this.#market;
    if (market === undefined || market.core.sequence === 0) return;
    await market.sequencer.settled();
    const { sequence, stateHash } = await market.views.snapshot(market.core.sequence);
    const own = market.core.stateHash();
    if (sequence === market.core.sequence && stateHash !== own)
      this.#log.error(
        { sequence, stateHash: own, replica: stateHash },
        'the replica is in another state than the books: please report this',
      );
    if (market.core.sequence === journal.durableSequence) journal.recordStateHash(market.core.sequence, own, Date.now());
  }
}

function recovering(): Problem {
  return new Problem('HFT_RECOVERING', 'the engine is recovering: try again', { retryAfterMs: 1000 });
}
