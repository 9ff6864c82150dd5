/** Loads a journal as an engine does: commands go into its ring, a tick's worth at a time, and count when it says that they are durable. */
import { rmSync } from 'node:fs';
import { setImmediate as nextTick } from 'node:timers/promises';
import { LIMIT, GTC, NEW_ORDER } from '../core/types.ts';
import { SqliteJournal } from '../journal/sqlite-journal.ts';
import type { Durability } from '../journal/types.ts';
import { temporaryDirectory } from '../testing/temporary-directory.ts';

/** As the engine looks whether the log must be copied back. */
const UPKEEP_MS = 250;

/** Commands of each commit, in order. */
export type Batches = readonly number[];

export class JournalLoad {
  readonly #directory = temporaryDirectory();
  readonly #journal: SqliteJournal;
  readonly #timer: NodeJS.Timeout;
  #pushed = 0;
  #durable = 0;
  #batches: number[] = [];
  #failure: Error | undefined;
  #wake = (): void => undefined;
  /** When each command was pushed, by its sequence modulo the length. */
  readonly #pushedAtMs = new Float64Array(65_536);
  #micros = new Float64Array();
  #measuredFrom = Infinity;

  constructor(durability: Durability) {
    this.#journal = SqliteJournal.open(this.#directory, durability);
    this.#timer = setInterval(() => this.#journal.checkpointIfDue(), UPKEEP_MS);
    this.#journal.listen({
      durable: (sequence, commands) => this.#acknowledge(sequence, commands),
      failed: (cause) => {
        this.#failure = cause;
        this.#wake();
      },
    });
  }

  close(): void {
    clearInterval(this.#timer);
    this.#journal.close();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  /** Pushes `commands`, `perTick` at a time, with at most two ticks' worth not durable; gives the time until all are, and their commits. */
  async saturate(commands: number, perTick: number): Promise<{ seconds: number; batches: Batches }> {
    this.#batches = [];
    const startMs = performance.now();
    for (let left = commands; left > 0; left -= perTick) {
      while (this.#pushed - this.#durable > perTick) await this.#durableNews();
      this.#push(Math.min(perTick, left));
      await nextTick();
    }
    while (this.#durable < this.#pushed) await this.#durableNews();
    return { seconds: (performance.now() - startMs) / 1000, batches: this.#batches };
  }

  /** Pushes `commands` as they come due at `perSecond`; gives the sorted times in microseconds until each is durable, and the commits. */
  async pace(commands: number, perSecond: number): Promise<{ micros: Float64Array; batches: Batches }> {
    this.#batches = [];
    this.#micros = new Float64Array(commands);
    this.#measuredFrom = this.#pushed;
    const end = this.#pushed + commands;
    const startMs = performance.now();
    // No promise a turn: collecting them would be a pause of the load, not of the journal.
    await new Promise<void>((resolve, reject) => {
      const turn = (): void => {
        try {
          const due = Math.floor(((performance.now() - startMs) * perSecond) / 1000) - (this.#pushed - this.#measuredFrom);
          this.#push(Math.min(due, end - this.#pushed));
        } catch (cause) {
          reject(cause instanceof Error ? cause : new Error(String(cause)));
          return;
        }
        if (this.#pushed < end) setImmediate(turn);
        else resolve();
      };
      turn();
    });
    while (this.#durable < this.#pushed) await this.#durableNews();
    this.#measuredFrom = Infinity;
    return { micros: this.#micros.sort(), batches: this.#batches };
  }

  #push(count: number): void {
    const { ring } = this.#journal;
    const { words, doubles } = ring.slots;
    const nowMs = performance.now();
    for (let left = count; left > 0; left -= 1) {
      const at = ring.at();
      if (at < 0) throw new Error('the ring is full: this machine is too busy, or too slow, for the load');
      const half = at >> 1;
      words[at] = NEW_ORDER | (LIMIT << 16) | (GTC << 24);
      words[at + 1] = 0;
      words[at + 2] = 0;
      words[at + 3] = this.#pushed & 1023;
      doubles[half + 2] = this.#pushed;
      doubles[half + 3] = 100_000 + (this.#pushed & 511);
      doubles[half + 4] = 1 + (this.#pushed & 63);
      ring.push();
      this.#pushedAtMs[this.#pushed & (this.#pushedAtMs.length - 1)] = nowMs;
      this.#pushed += 1;
    }
    if (count > 0) this.#journal.flush();
  }

  #acknowledge(sequence: number, commands: number): void {
    this.#batches.push(commands);
    if (this.#durable >= this.#measuredFrom) {
      const nowMs = performance.now();
      for (let one = this.#durable; one < sequence; one += 1)
        this.#micros[one - this.#measuredFrom] = (nowMs - (this.#pushedAtMs[one & (this.#pushedAtMs.length - 1)] as number)) * 1000;
    }
    this.#durable = sequence;
    this.#wake();
  }

  async #durableNews(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    if (this.#failure !== undefined) throw this.#failure;
  }
}
