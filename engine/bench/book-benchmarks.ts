/** The benchmarks of the book: what it does in a second, what the slowest commands take, what an order costs, how cancels scale. */
import { execa } from 'execa';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CommandSlots, encodeCommand, SLOT_BYTES, SLOT_WORDS } from '../core/command.ts';
import { MatchingCore } from '../core/core.ts';
import { RECORD } from '../core/order-pool.ts';
import { NO_LIMITS, randomWords } from '../core/random-commands.ts';
import { BUY, CANCEL_ORDER, GTC, LIMIT, NEW_ORDER, SELL } from '../core/types.ts';
import { EventRing, learn } from './core-run.ts';
import { latencies, percentile, timedCommands, type BookFigures } from './measure.ts';
import type { Peer } from './peers.ts';
import { compare, median, type Comparison } from './report.ts';
import type { Workload } from './workload.ts';

const BOOK_TIMEOUT_MS = 120_000;

/**
 * Commands a second through the core, against copying the same records and against other books. The core has a fresh process each time, as the book of
 * the JVM has: what else a process has run decides how V8 compiles it.
 */
export async function bookThroughput(workload: Workload, runs: number, peers: readonly Peer[]): Promise<Comparison[]> {
  const { run } = learn(workload);
  const others: { versus: string; measure: () => Promise<number> | number }[] = [
    { versus: 'bare copy loop', measure: () => copyRate(workload) },
    ...peers.map((peer) => ({ versus: peer.name, measure: () => peer.opsPerSecond(workload, run.sink.fills) })),
  ];
  const pairs = others.map(() => [] as { value: number; peer: number }[]);
  const directory = mkdtempSync(join(tmpdir(), 'hft-bench-'));
  try {
    const file = join(directory, 'workload');
    writeFileSync(file, workload.bytes);
    for (let round = 0; round < runs; round += 1) {
      const value = await freshOpsPerSecond(file, run.sink.fills);
      for (const [index, { measure }] of others.entries()) pairs[index]?.push({ value, peer: await measure() });
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
  return others.map(({ versus }, index) => compare('book.throughput', 'commands/s', versus, pairs[index] ?? []));
}

/** What `npm run book` makes of the file, which must come to so many fills. */
async function freshOpsPerSecond(file: string, fills: number): Promise<number> {
  const program = join(import.meta.dirname, 'book.ts');
  const { stdout } = await execa(process.execPath, [program, file], { timeout: BOOK_TIMEOUT_MS, stdin: 'ignore' });
  const figures = JSON.parse(stdout) as BookFigures;
  if (figures.fills !== fills) throw new Error(`the book's own process comes to ${figures.fills} fills, this one to ${fills}`);
  return figures.opsPerSecond;
}

/** Nanoseconds that 99 of 100 commands stay under, one reading of the clock included, against reading the clock and nothing else. */
export function bookP99(workload: Workload, runs: number): Comparison[] {
  const { ids, run } = learn(workload);
  const stateHash = run.core.stateHash();
  const pairs = Array.from({ length: runs }, () => ({
    value: percentile(latencies(workload, ids, stateHash), 0.99),
    peer: percentile(clockReadings(timedCommands(workload)), 0.99),
  }));
  return [compare('book.p99', 'ns', 'p99 of reading the clock', pairs)];
}

/** All memory of the core for each order of the fullest moment, against the bare record. Does not vary, so one run. */
export function bookBytesPerOrder(workload: Workload): Comparison[] {
  const { core } = learn(workload).run;
  return [compare('book.bytes-per-order', 'B', 'bare record', [{ value: core.bytes / core.mostOpenOrders, peer: ORDER_WORDS * 4 }])];
}

const { ORDER_WORDS } = RECORD;
const CANCELS = 1000;
const ROUNDS = 100;
const ACCOUNTS = 1000;
const LARGEST = 1_000_000;

interface Resting {
  readonly orderId: number;
  readonly account: number;
}

/**
 * Nanoseconds of a cancel among up to a million resting orders, against the same among ten thousand. What remains of a difference is the
 * memory's: so the largest also stands against touching as many random lines of as much memory, and nothing else.
 */
export function bookCancelScaling(runs: number): Comparison[] {
  const name = 'book.cancel-scaling';
  const sizes = [LARGEST, 300_000, 100_000, 30_000];
  const batches = sizes.map(() => [] as { value: number; peer: number }[]);
  const pairs = sizes.map(() => [] as { value: number; peer: number }[]);
  const bare: { value: number; peer: number }[] = [];
  for (let round = 0; round < runs; round += 1) {
    const peer = cancelNanos(10_000, false);
    const batchPeer = cancelNanos(10_000, true);
    for (const [index, size] of sizes.entries()) {
      const value = cancelNanos(size, false);
      batches[index]?.push({ value: cancelNanos(size, true), peer: batchPeer });
      pairs[index]?.push({ value, peer });
      if (size === LARGEST) bare.push({ value, peer: touchNanos(size) });
    }
  }
  return [
    ...sizes.map((size, index) => compare(name, `ns, ${size} resting`, '10000 resting', pairs[index] ?? [])),
    ...sizes.map((size, index) => compare(name, `ns in a batch, ${size} resting`, '10000 resting', batches[index] ?? [])),
    compare(name, `ns, ${LARGEST} resting`, 'bare touch of an index cell, a record, two neighbours', bare),
  ];
}

/**
 * Time (of the median thousand) to follow a random cell to a record and write to the two that it names: the memory traffic of a cancel without the cancel. Each
 * waits for the one before, as commands that arrive one by one do.
 */
function touchNanos(resting: number): number {
  const random = randomWords(resting);
  const mask = 2 ** Math.ceil(Math.log2((resting * 4) / 3)) - 1;
  const cells = Int32Array.from({ length: mask + 1 }, () => random() % resting);
  const words = new Int32Array(resting * ORDER_WORDS);
  for (let at = 0; at < words.length; at += 1) words[at] = (random() % resting) * ORDER_WORDS;
  const touches = Int32Array.from({ length: CANCELS * ROUNDS }, () => random() & mask);
  const touch = (from: number, to: number): void => {
    let before = 0;
    for (let index = from; index < to; index += 1) {
      const record = (cells[((touches[index] as number) ^ before) & mask] as number) * ORDER_WORDS;
      const left = words[record] as number;
      const right = words[record + 1] as number;
      words[left + 2] = right;
      words[right + 3] = left;
      before = right;
    }
  };
  const warm = touches.length >> 1;
  for (let at = 0; at < warm; at += CANCELS) touch(at, at + CANCELS);
  const roundsMs: number[] = [];
  for (let at = warm; at < touches.length; at += CANCELS) {
    const startMs = performance.now();
    touch(at, at + CANCELS);
    roundsMs.push(performance.now() - startMs);
  }
  return (median(roundsMs) * 1e6) / CANCELS;
}

/** Time of a cancel (of the median thousand: other work on the machine stretches some) of any order in a book that holds `resting` of them on 2,000 prices; what was cancelled is placed again. In a batch, the core is shown what comes next. */
function cancelNanos(resting: number, inBatch: boolean): number {
  const random = randomWords(resting);
  const core = new MatchingCore({ firstOrders: resting + CANCELS });
  core.setInstrument(0, NO_LIMITS);
  const slots = new CommandSlots(new ArrayBuffer(CANCELS * SLOT_BYTES));
  const one = new CommandSlots(new ArrayBuffer(2 * SLOT_BYTES));
  const sink = new EventRing();
  const live = Array.from({ length: resting }, (): Resting => ({ orderId: 0, account: 0 }));
  const place = (at: number): void => {
    const side = random() % 2 === 0 ? BUY : SELL;
    const distance = random() % 1000;
    const account = random() % ACCOUNTS;
    const priceTicks = side === BUY ? 99_999 - distance : 100_000 + distance;
    const quantityLots = 1 + (random() % 100);
    const terms = { side, type: LIMIT, timeInForce: GTC, priceTicks, quantityLots } as const;
    encodeCommand(one, 0, 0, { kind: NEW_ORDER, instrument: 0, account, ...terms });
    core.submit(one, 0, sink);
    live[at] = { orderId: core.sequence, account };
  };
  for (let at = 0; at < resting; at += 1) place(at);
  const submitAll = (): void => {
    const end = CANCELS * SLOT_WORDS;
    for (let at = 0; at < end;) {
      const foreseen = inBatch ? core.foresee(slots, at, end) : end;
      for (; at < foreseen; at += SLOT_WORDS) core.submit(slots, at, sink);
    }
  };
  const roundsMs: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const chosen = new Set<number>();
    while (chosen.size < CANCELS) chosen.add(random() % resting);
    let slot = 0;
    for (const at of chosen) {
      const { orderId, account } = live[at] as Resting;
      encodeCommand(one, 0, 0, { kind: CANCEL_ORDER, orderId, account });
      slots.words.set(one.words.subarray(0, SLOT_WORDS), slot);
      slot += SLOT_WORDS;
    }
    const startMs = performance.now();
    submitAll();
    if (round >= ROUNDS / 2) roundsMs.push(performance.now() - startMs);
    if (core.openOrders !== resting - CANCELS) throw new Error('a cancel found no order');
    for (const at of chosen) place(at);
  }
  return (median(roundsMs) * 1e6) / CANCELS;
}

/** Records a second that a loop only reads field by field and writes to an event ring: what no book can beat. */
function copyRate(workload: Workload): number {
  const ring = new Float64Array(4096 * 8);
  const copy = (from: number, to: number): void => {
    for (let index = from; index < to; index += 1) {
      const at = (index & 4095) << 3;
      ring[at] = workload.type(index);
      ring[at + 1] = workload.side(index);
      ring[at + 2] = workload.account(index);
      ring[at + 3] = workload.priceTicks(index);
      ring[at + 4] = workload.quantityLots(index);
      ring[at + 5] = workload.id(index);
    }
  };
  const warm = workload.commands - timedCommands(workload);
  copy(0, warm);
  const startMs = performance.now();
  for (let at = warm; at < workload.commands; at += 4096) copy(at, Math.min(workload.commands, at + 4096));
  return (timedCommands(workload) / (performance.now() - startMs)) * 1000;
}

function clockReadings(count: number): Float64Array {
  const nanos = new Float64Array(count);
  let beforeMs = performance.now();
  for (let index = 0; index < count; index += 1) {
    const afterMs = performance.now();
    nanos[index] = (afterMs - beforeMs) * 1e6;
    beforeMs = afterMs;
  }
  return nanos.sort();
}
