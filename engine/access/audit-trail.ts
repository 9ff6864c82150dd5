/** The audit log as an engine uses it: opened by a process that has its data directory, so that a process that is refused its data directory touches nothing there. */
import type { ReadStream } from 'node:fs';
import { RateLimiter } from '../gateway/rate-limit.ts';
import type { AuditEntry } from './audit-chain.ts';
import { AuditLog } from './audit-log.ts';

/** Forbidden, and too many requests. */
const REFUSED: ReadonlySet<number> = new Set([403, 429]);
/** Refusals of one user that are recorded: a token without rights must not fill the disk. */
const REFUSALS = { ordersPerSecond: 0.1, burst: 100 };

export interface AuditTrailOptions {
  readonly dataDirectory: string;
  readonly log: { warn(details: object, message: string): void; error(details: object, message: string): void };
}

export class AuditTrail {
  readonly #options: AuditTrailOptions;
  readonly #refusals = new RateLimiter(REFUSALS);
  #opened: Promise<AuditLog> | undefined;
  /** Since this process started: written, failed (disk full), and refusals beyond what is recorded of one user. */
  readonly figures = { written: 0, failed: 0, passed: 0 };

  constructor(options: AuditTrailOptions) {
    this.#options = options;
  }

  /** Opens the log, which reads it through: so that the first entry need not wait for that, nor any order with it. What is wrong is told again with every entry. */
  async prepare(): Promise<void> {
    await this.#open().catch((cause: unknown) => this.#options.log.error({ err: cause }, 'the audit log cannot be opened'));
  }

  /** Resolves when the entry is on the disk, or could not be written: the action has been done by then, so a failure is told and no more. */
  async record(entry: AuditEntry): Promise<void> {
    if (REFUSED.has(entry.status) && this.#refusals.take(entry.who, performance.now()) > 0) {
      this.figures.passed += 1;
      return;
    }
    try {
      const log = await this.#open();
      await log.append(entry);
      this.figures.written += 1;
    } catch (cause) {
      this.figures.failed += 1;
      this.#options.log.error({ err: cause, entry }, 'an entry of the audit log cannot be written: it stands here instead');
    }
  }

  /** Every entry, as lines of JSON. */
  async read(): Promise<ReadStream | string> {
    return (await this.#open()).read();
  }

  async close(): Promise<void> {
    await (await this.#opened?.catch(() => undefined))?.close();
  }

  async #open(): Promise<AuditLog> {
    const { dataDirectory, log } = this.#options;
    this.#opened ??= AuditLog.open(dataDirectory, (fault) => log.warn({ fault }, 'the audit log is not whole')).catch((cause: unknown) => {
      this.#opened = undefined;
      throw cause;
    });
    return await this.#opened;
  }
}
