/**
 * Buffers of ten sizes, from 64 bytes to 32 KiB, that are used again. For bytes that somebody takes for a moment and gives back: not for what
 * others keep. docs/decisions/0010-pools.md has the figures for and against.
 */
import type { PoolFigures } from '../core/pool-figures.ts';
import { LeakWatch } from './leak-watch.ts';

/** In bytes. */
export const BUFFER_SIZES = [64, 128, 256, 512, 1024, 2048, 4096, 8192, 16_384, 32_768] as const;
const LARGEST = 32_768;
/** Free bytes of one size that are kept. */
const KEPT_BYTES = 1_048_576;

/** Counters of a size, in shared memory: a pool belongs to one thread, its figures are read by another. */
const USED = 0;
const MOST_USED = 1;
const FREE = 2;
const HITS = 3;
const MISSES = 4;
const LEAKED = 5;
const COUNTERS = 6;
/** After those of all sizes: buffers that were too large for the pool. */
const OVERSIZE = BUFFER_SIZES.length * COUNTERS;

export interface BufferPoolOptions {
  /** Memory for the figures; see {@link bufferPoolMemory}. */
  readonly memory?: SharedArrayBuffer;
  /** Records where each buffer was taken, and finds those that are never given back; each place is told once as a warning of the process. */
  readonly watchLeaks?: boolean;
  /** Free bytes of one size that are kept (1 MiB): what is given back beyond them is left to the garbage collector. */
  readonly keptBytes?: number;
}

/** Whether pools watch for leaks when they are not told: for a process that is started to find one. */
const WATCH_LEAKS = process.env['HFT_WATCH_LEAKS'] === '1';

/** Memory in which a pool counts; for the `workerData` of the thread that has the pool. */
export function bufferPoolMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer((OVERSIZE + 1) * Float64Array.BYTES_PER_ELEMENT);
}

export class BufferPool {
  /** Finds leaks; undefined unless asked for. */
  readonly leaks: LeakWatch | undefined;
  readonly #free: Buffer[][] = BUFFER_SIZES.map(() => []);
  readonly #mostFree: number[];
  readonly #counters: Float64Array;

  constructor({ memory = bufferPoolMemory(), watchLeaks = WATCH_LEAKS, keptBytes = KEPT_BYTES }: BufferPoolOptions = {}) {
    this.#counters = new Float64Array(memory);
    this.#mostFree = BUFFER_SIZES.map((size) => Math.floor(keptBytes / size));
    this.leaks = watchLeaks ? new LeakWatch((index, place, count) => this.#lost(Number(index), place, count)) : undefined;
  }

  /**
   * A buffer of at least `bytes`, with whatever it held before: the smallest size that has room. Above 32 KiB a new one of just that length, which
   * {@link give} lets go.
   */
  take(bytes: number): Buffer {
    if (bytes > LARGEST) {
      this.#add(OVERSIZE, 1);
      return Buffer.allocUnsafeSlow(bytes);
    }
    const index = indexOf(bytes);
    const at = index * COUNTERS;
    const kept = (this.#free[index] as Buffer[]).pop();
    this.#add(at + (kept === undefined ? MISSES : HITS), 1);
    if (kept !== undefined) this.#add(at + FREE, -1);
    const used = this.#add(at + USED, 1);
    if (used > (this.#counters[at + MOST_USED] as number)) this.#counters[at + MOST_USED] = used;
    const buffer = kept ?? Buffer.allocUnsafeSlow(BUFFER_SIZES[index] as number);
    this.leaks?.taken(buffer, String(index));
    return buffer;
  }

  /** Takes back what {@link take} gave: the buffer itself, not a part of it. The caller must not touch it afterwards. */
  give(buffer: Buffer): void {
    const { length } = buffer;
    if (length > LARGEST) return;
    const index = indexOf(length);
    if (BUFFER_SIZES[index] !== length) throw new RangeError(`a buffer of ${length} bytes is none of this pool: give back what was taken`);
    this.leaks?.given(buffer);
    const at = index * COUNTERS;
    const free = this.#free[index] as Buffer[];
    this.#add(at + USED, -1);
    if (free.length >= (this.#mostFree[index] as number)) return;
    free.push(buffer);
    this.#add(at + FREE, 1);
  }

  #lost(index: number, place: string, count: number): void {
    if (count === 1) process.emitWarning(`a buffer of ${BUFFER_SIZES[index]} bytes was never given back: taken at ${place}`);
    this.#add(index * COUNTERS + USED, -1);
    this.#add(index * COUNTERS + LEAKED, 1);
  }

  #add(counter: number, amount: number): number {
    const value = (this.#counters[counter] as number) + amount;
    this.#counters[counter] = value;
    return value;
  }
}

/** Number of the smallest size that holds `bytes`. */
function indexOf(bytes: number): number {
  return bytes <= 64 ? 0 : 26 - Math.clz32(bytes - 1);
}

/** The figures of a pool by size, `name-64` and so on, and `name-oversize` for what was too large. May be called from any thread. */
export function bufferFigures(name: string, memory: SharedArrayBuffer): PoolFigures[] {
  const counters = new Float64Array(memory);
  const sizes = BUFFER_SIZES.map((size, index) => {
    const [used = 0, mostUsed = 0, free = 0, hits = 0, misses = 0, leaked = 0] = counters.subarray(index * COUNTERS);
    return { pool: `${name}-${size}`, used, capacity: used + free, mostUsed, bytes: (used + free) * size, hits, misses, leaked };
  });
  return [...sizes, { pool: `${name}-oversize`, used: 0, capacity: 0, misses: counters[OVERSIZE] }];
}
