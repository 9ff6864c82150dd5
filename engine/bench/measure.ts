/** How a workload's run is timed, and what it allocates. */
import { GCProfiler, getHeapStatistics } from 'node:v8';
import { SELL, BUY } from '../core/types.ts';
import { CoreRun, EventRing, learn, type OrderIds } from './core-run.ts';
import type { Workload } from './workload.ts';

/** Commands between two turns of the timing loop. */
const CHUNK = 4096;
const WARM_PASSES = 3;

/** What `npm run --silent book` prints. */
export interface BookFigures {
  readonly commands: number;
  readonly fills: number;
  /** Lots. */
  readonly volume: number;
  /** Ticks × lots. */
  readonly notional: string;
  readonly hash: string;
  readonly resting: number;
  readonly bidQuantity: number;
  readonly askQuantity: number;
  readonly bestBid: number;
  readonly bestAsk: number;
  readonly opsPerSecond: number;
  readonly p50ns: number;
  readonly p99ns: number;
  readonly p999ns: number;
  /** All memory of the core, spare room, index and ladders included, for each order of the fullest moment. */
  readonly bytesPerOrder: number;
  /** On the JavaScript heap, in the timed part. */
  readonly allocatedBytes: number;
}

/**
 * Runs a workload for its totals, to warm up as an engine does at its start, for throughput and allocation, and with a clock around every
 * command. Each run has a new core; the first quarter of the timed ones is not timed.
 */
export function measureBook(workload: Workload): BookFigures {
  const { ids, run, totals } = learn(workload);
  const { core, sink } = run;
  // For the compiler: what it allocates when it is done is not the core's.
  for (let pass = 0; pass < WARM_PASSES; pass += 1) throughput(workload, ids, core.stateHash());
  const { seconds, allocatedBytes } = throughput(workload, ids, core.stateHash());
  const nanos = latencies(workload, ids, core.stateHash());
  const book = core.book(0);
  const quantity = (side: typeof BUY | typeof SELL): number =>
    Number(book.depth(side, Infinity).reduce((sum, { quantityLots }) => sum + quantityLots, 0n));
  return {
    commands: workload.commands,
    fills: sink.fills,
    volume: sink.volumeLots,
    notional: String(totals.notional),
    hash: totals.hash,
    resting: core.openOrders,
    bidQuantity: quantity(BUY),
    askQuantity: quantity(SELL),
    bestBid: book.bestTicks(BUY),
    bestAsk: book.bestTicks(SELL),
    opsPerSecond: Math.round(timedCommands(workload) / seconds),
    p50ns: percentile(nanos, 0.5),
    p99ns: percentile(nanos, 0.99),
    p999ns: percentile(nanos, 0.999),
    bytesPerOrder: Math.round((core.bytes / Math.max(1, core.mostOpenOrders)) * 10) / 10,
    allocatedBytes,
  };
}

function warmCommands(workload: Workload): number {
  return workload.commands >> 2;
}

export function timedCommands(workload: Workload): number {
  return workload.commands - warmCommands(workload);
}

/** Seconds and heap bytes that the timed part takes. Throws when the run does not end with `stateHash`. */
function throughput(workload: Workload, ids: OrderIds, stateHash: string): { seconds: number; allocatedBytes: number } {
  const run = new CoreRun(workload, ids, new EventRing());
  const warm = warmCommands(workload);
  runChunks(run, 0, warm);
  // What measuring itself allocates: readings of the clock and of the heap.
  const idle = measureChunks(run, warm, warm);
  const { seconds, allocatedBytes } = measureChunks(run, warm, workload.commands);
  if (run.core.stateHash() !== stateHash) throw new Error('two runs of one workload differ');
  return { seconds, allocatedBytes: Math.max(0, allocatedBytes - idle.allocatedBytes) };
}

function measureChunks(run: CoreRun, from: number, to: number): { seconds: number; allocatedBytes: number } {
  const allocation = new AllocationMeter();
  const startMs = performance.now();
  runChunks(run, from, to);
  const endMs = performance.now();
  return { allocatedBytes: allocation.stop(), seconds: (endMs - startMs) / 1000 };
}

function runChunks(run: CoreRun, from: number, to: number): void {
  for (let at = from; at < to; at += CHUNK) run.run(at, Math.min(to, at + CHUNK));
}

/** Nanoseconds of each timed command, sorted; one reading of the clock is in each. */
export function latencies(workload: Workload, ids: OrderIds, stateHash: string): Float64Array {
  const run = new CoreRun(workload, ids, new EventRing());
  const warm = warmCommands(workload);
  const nanos = new Float64Array(workload.commands);
  for (let at = 0; at < workload.commands; at += CHUNK) runTimed(run, nanos, at, Math.min(workload.commands, at + CHUNK));
  if (run.core.stateHash() !== stateHash) throw new Error('two runs of one workload differ');
  return nanos.subarray(warm).sort();
}

function runTimed(run: CoreRun, nanos: Float64Array, from: number, to: number): void {
  let beforeMs = performance.now();
  for (let index = from; index < to; index += 1) {
    run.step(index);
    const afterMs = performance.now();
    nanos[index] = (afterMs - beforeMs) * 1e6;
    beforeMs = afterMs;
  }
}

export function percentile(sorted: Float64Array, share: number): number {
  return Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0);
}

/** Bytes allocated on the heap between construction and `stop`, collections in between counted in. */
class AllocationMeter {
  readonly #profiler = new GCProfiler();
  readonly #ownBytes: number;
  readonly #startBytes: number;

  constructor() {
    this.#profiler.start();
    const before = getHeapStatistics().used_heap_size;
    this.#startBytes = getHeapStatistics().used_heap_size;
    // What reading the statistics allocates by itself.
    this.#ownBytes = this.#startBytes - before;
  }

  stop(): number {
    let end = getHeapStatistics().used_heap_size - this.#ownBytes;
    let bytes = -this.#startBytes;
    for (const { beforeGC, afterGC } of this.#profiler.stop()?.statistics ?? []) {
      bytes += beforeGC.heapStatistics.usedHeapSize - afterGC.heapStatistics.usedHeapSize;
    }
    end += bytes;
    return Math.max(0, end);
  }
}
