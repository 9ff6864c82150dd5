/** An engine: one configuration, one data directory, one set of books; from recovery to drain. Knows nothing of HTTP. */
import { setTimeout as delay } from 'node:timers/promises';
import { configHash, JOURNAL_DEFAULTS, type EngineConfig } from '../../crds/engine-config.ts';
import { parseDurationMs } from '../../crds/quantity.ts';
import type { ConfigCheck, EngineStatus } from '../client/admin.ts';
import { validateConfig } from '../config/config.ts';
import { VERSION } from '../config/version.ts';
import { MatchingCore } from '../core/core.ts';
import type { BookView } from '../core/types.ts';
import { recover, type Recovery } from '../journal/recovery.ts';
import { SqliteJournal } from '../journal/sqlite-journal.ts';
import { JournalError } from '../journal/types.ts';
import type { EngineStats } from '../telemetry/stats.ts';
import type { ReplicaState, Views } from '../views/types.ts';
import { openViews } from '../views/views.ts';
import { accountRulesOf, instrumentOf, newInstruments, refuseListing, rulesOf, type Instrument } from './instruments.ts';
import { booksOf, openMarket, type Market } from './market.ts';
import { drainingProblem, journalProblem, Problem } from './problem.ts';
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
}

const NO_HASH = '0'.repeat(16);
const WARM_UP_ORDERS = 40_000;
const PROBE_INTERVAL_MS = 1000;
const UPKEEP_INTERVAL_MS = 250;

export class Engine {
  readonly config: EngineConfig;
  readonly configHash: string;
  readonly stats: EngineStats;
  /** Connections that cancel what was sent by them when they end. */
  readonly sessions = new Sessions(async (session) => await this.#open().desk.endSession(session));
  readonly #parts: EngineParts;
  readonly #log: EngineLog;
  #phase: EngineStatus['phase'] = 'recovering';
  #journal: SqliteJournal | undefined;
  #views: Views | undefined;
  #market: Market | undefined;
  #recovery: Recovery | undefined;
  #warmup: EngineStatus['warmup'] = null;
  #blocked: Error | undefined;
  #starting: Promise<void> | undefined;
  #rebuilding: Promise<void> | undefined;
  readonly #stopping = new AbortController();
  #timers: NodeJS.Timeout[] = [];

  constructor(parts: EngineParts) {
    this.config = parts.config;
    this.configHash = configHash(parts.config);
    this.stats = parts.stats;
    this.#parts = parts;
    this.#log = parts.log;
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
      await this.#recover();
      if (this.#stopping.signal.aborted) return;
      await this.#admit();
      this.#phase = 'warming';
      this.#warmup = await warmUp(WARM_UP_ORDERS, this.#stopping.signal);
      if (this.#stopping.signal.aborted) return;
      this.#log.info({ warmup: this.#warmup }, 'warmed up');
      this.#timers = [
        setInterval(() => this.stats.tick(), 1000).unref(),
        setInterval(() => this.#upkeep(), UPKEEP_INTERVAL_MS).unref(),
      ];
      this.#phase = 'serving';
    } catch (cause) {
      if (this.#stopping.signal.aborted) return;
      await this.#views?.close();
      this.#journal?.close();
      this.#journal = undefined;
      throw cause;
    }
  }
