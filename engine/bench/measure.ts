/** How a workload's run is timed, and what it allocates. */
import { GCProfiler, getHeapStatistics } from 'node:v8';
import { SELL, BUY } from '../core/types.ts';
import { CoreRun } from './core-run.ts';
import type { Workload } from './workload.ts';

/** Commands between two turns of the timing loop. */
const CHUNK = 4096;

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

/** Runs a workload twice: for throughput and allocation, then with a clock around every command. The first quarter of each is not timed. */
export function measureBook(workload: Workload): BookFigures {
  const warm = workload.commands >> 2;
  const { run, seconds, allocatedBytes } = throughput(workload, warm);
  const nanos = latencies(workload, warm, run);
  const { core, totals } = run;
  const book = core.book(0);
  const quantity = (side: typeof BUY | typeof SELL): number =>
    Number(book.depth(side, Infinity).reduce((sum, { quantityLots }) => sum + quantityLots, 0n));
  return {
    commands: workload.commands,
    fills: totals.fills,
    volume: totals.volumeLots,
    notional: String(totals.notional),
    hash: totals.hash,
    resting: core.openOrders,
    bidQuantity: quantity(BUY),
    askQuantity: quantity(SELL),
    bestBid: book.bestTicks(BUY),
    bestAsk: book.bestTicks(SELL),
    opsPerSecond: Math.round((workload.commands - warm) / seconds),
    p50ns: percentile(nanos, 0.5),
    p99ns: percentile(nanos, 0.99),
    p999ns: percentile(nanos, 0.999),
    bytesPerOrder: Math.round((core.bytes / Math.max(1, core.mostOpenOrders)) * 10) / 10,
    allocatedBytes,
  };
}

export function throughput(workload: Workload, warm: number): { run: CoreRun; seconds: number; allocatedBytes: number } {
  const run = new CoreRun(workload);
  runChunks(run, 0, warm);
  const allocation = new AllocationMeter();
  const startMs = performance.now();
  runChunks(run, warm, workload.commands);
  const endMs = performance.now();
  return { run, seconds: (endMs - startMs) / 1000, allocatedBytes: allocation.stop() };
}

function runChunks(run: CoreRun, from: number, to: number): void {
  for (let at = from; at < to; at += CHUNK) run.run(at, Math.min(to, at + CHUNK));
}

/** Nanoseconds of each command after the warm-up, sorted; one reading of the clock is in each. */
function latencies(workload: Workload, warm: number, other: CoreRun): Float64Array {
  const run = new CoreRun(workload);
  const nanos = new Float64Array(workload.commands - warm);
  runTimed(run, nanos, 0, warm, 0);
  for (let at = warm; at < workload.commands; at += CHUNK) runTimed(run, nanos, at, Math.min(workload.commands, at + CHUNK), warm);
  if (run.totals.hash !== other.totals.hash) throw new Error('two runs of one workload differ');
  return nanos.sort();
}

function runTimed(run: CoreRun, nanos: Float64Array, from: number, to: number, warm: number): void {
  let beforeMs = performance.now();
  for (let index = from; index < to; index += 1) {
    run.step(index);
    const afterMs = performance.now();
    nanos[index - warm] = (afterMs - beforeMs) * 1e6;
    beforeMs = afterMs;
  }
}

function percentile(sorted: Float64Array, share: number): number {
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
