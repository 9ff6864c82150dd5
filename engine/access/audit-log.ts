/** The audit log of an engine: `audit.jsonl` in its data directory, and beside it the head that it must contain. */
import { createReadStream, type ReadStream } from 'node:fs';
import { mkdir, open, readFile, rename, truncate, writeFile, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { NO_HEAD, sealEntry, verifyAudit, type AuditEntry, type AuditHead } from './audit-chain.ts';

const headSchema = z.strictObject({ number: z.int().min(0), hash: z.string().regex(/^[0-9a-f]{64}$/) });

export function auditFiles(dataDirectory: string): { log: string; head: string } {
  return { log: join(dataDirectory, 'audit.jsonl'), head: join(dataDirectory, 'audit-head.json') };
}

async function textOf(file: string): Promise<string> {
  return await readFile(file, 'utf8').catch((cause: unknown) => {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return '';
    throw cause;
  });
}

/** The head that was recorded beside a log; the one of an empty log when there is none. Throws when it is none. */
export async function recordedHead(file: string): Promise<AuditHead> {
  const text = await textOf(file);
  return text === '' ? NO_HEAD : headSchema.parse(JSON.parse(text));
}

export class AuditLog {
  readonly #files: { log: string; head: string };
  readonly #handle: FileHandle;
  #head: AuditHead;
  #size: number;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(files: { log: string; head: string }, handle: FileHandle, head: AuditHead, size: number) {
    this.#files = files;
    this.#handle = handle;
    this.#head = head;
    this.#size = size;
  }

  /** Opens or begins the log of a data directory. What is wrong with it is told to `warn`, and kept: the log goes on after it. */
  static async open(dataDirectory: string, warn: (fault: string) => void): Promise<AuditLog> {
    const files = auditFiles(dataDirectory);
    await mkdir(dataDirectory, { recursive: true });
    let text = await textOf(files.log);
    const end = text.lastIndexOf('\n') + 1;
    if (end < text.length) {
      // The power went while it was written: that action was never answered.
      warn('the last line of the audit log was not finished, and is cut off');
      await truncate(files.log, Buffer.byteLength(text.slice(0, end)));
      text = text.slice(0, end);
    }
    const expected = await recordedHead(files.head).catch(() => NO_HEAD);
    const check = verifyAudit(text, expected);
    if (!check.ok) warn(`the audit log was changed: line ${check.line}: ${check.fault}`);
    // After a fault the chain goes on from what was recorded, so that the fault stays to be seen.
    const head = check.ok ? check.head : expected;
    return new AuditLog(files, await open(files.log, 'a', 0o600), head, Buffer.byteLength(text));
  }

  /** Entries so far. */
  get count(): number {
    return this.#head.number;
  }

  /** Resolves when the entry is on the disk. */
  async append(entry: AuditEntry): Promise<void> {
    const writing = this.#last.then(
      () => this.#write(entry),
      () => this.#write(entry),
    );
    this.#last = writing;
    await writing;
  }

  /** Every entry whose writing has ended. */
  read(): ReadStream | string {
    return this.#size === 0 ? '' : createReadStream(this.#files.log, { end: this.#size - 1 });
  }

  async close(): Promise<void> {
    await this.#last.catch(() => undefined);
    await this.#handle.close();
  }

  async #write(entry: AuditEntry): Promise<void> {
    const { line, head } = sealEntry(this.#head, entry);
    const bytes = Buffer.from(`${line}\n`);
    try {
      await this.#handle.appendFile(bytes);
      await this.#handle.datasync();
    } catch (cause) {
      // Half a line would make every later one wrong.
      await this.#handle.truncate(this.#size).catch(() => undefined);
      throw cause;
    }
    this.#head = head;
    this.#size += bytes.length;
    await writeFile(`${this.#files.head}.new`, `${JSON.stringify(head)}\n`, { mode: 0o600, flush: true });
    await rename(`${this.#files.head}.new`, this.#files.head);
  }
}
