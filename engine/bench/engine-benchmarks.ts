/** The engine without a network: orders checked, matched, journalled and acknowledged by the parts that the engine itself is made of. */
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTick } from 'node:timers/promises';
import { SLOT_BYTES, SLOT_WORDS } from '../core/command.ts';
import { MatchingCore } from '../core/core.ts';
import { CANCEL_ORDER, GTC, IOC, LIMIT, NEW_ORDER, REJECT } from '../core/types.ts';
import { SqliteJournal } from '../journal/sqlite-journal.ts';
import type { Durability } from '../journal/types.ts';
import { Accounts } from '../service/accounts.ts';
import { Sequencer } from '../service/sequencer.ts';
import { ACCOUNT_RULES, learn, RULES, type OrderIds } from './core-run.ts';
import { percentile } from './measure.ts';
import { compare, type Comparison } from './report.ts';
import { CANCEL_RECORD, GTC_RECORD, type Workload } from './workload.ts';

/** Orders that arrive in one turn of the event loop, when as many arrive as can. */
const PER_TICK = 256;
/** Longest measured stretch of one run. */
const COMMANDS = 1_000_000;
const LATENCY_SECONDS = 2;
/** Waited for at most, when the journal is behind. */
const STALL_MS = 60_000;

interface Case {
  readonly durability: Exclude<Durability, 'memory'>;
  /** Orders a second at which the latency is taken. */
  readonly calmPerSecond: number;
}
const CASES: readonly Case[] = [
  { durability: 'commit', calmPerSecond: 50_000 },
  { durability: 'disk', calmPerSecond: 60_000 },
];

/**
 * Throughput at `commit` and at `disk` against writing (and syncing) the same bytes in the same batches, and the time from an order's arrival until
 * it is acknowledged, at a calm rate, against the 99th percentile of bare writes (and syncs) of one order.
 */
export async function engineInProcess(workload: Workload, runs: number): Promise<Comparison[]> {
  const { ids } = learn(workload);
  const comparisons: Comparison[] = [];
  for (const { durability, calmPerSecond } of CASES) {
    const rates: { value: number; peer: number }[] = [];
    const latencies: { value: number; peer: number }[] = [];
    for (let round = 0; round < runs; round += 1) {
      const bare = bareWrites(durability);
      rates.push({ value: await withEngine(durability, async (engine) => await saturate(engine, workload, ids)), peer: bare.perSecond });
      latencies.push({
        value: await withEngine(durability, async (engine) => await calm(engine, workload, ids, calmPerSecond)),
        peer: bare.p99Micros,
      });
    }
    const raw = durability === 'disk' ? 'write+fdatasync' : 'write';
    comparisons.push(
      compare('engine.in-process', `orders/s, ${durability}`, `raw ${raw}, ${PER_TICK} a batch`, rates),
      compare('engine.in-process', `µs p99, ${durability} at ${calmPerSecond}/s`, `p99 of a raw ${raw}`, latencies),
    );
  }
  return comparisons;
}

interface InProcessEngine {
  readonly sequencer: Sequencer;
  /** Told of every commit. */
  onDurable: (sequence: number) => void;
}

async function withEngine(durability: Durability, work: (engine: InProcessEngine) => Promise<number>): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), 'hft-bench-'));
  const journal = SqliteJournal.open(directory, durability);
  const core = new MatchingCore();
  core.setInstrument(0, RULES);
  core.setAccountRules(ACCOUNT_RULES);
  let failure: Error | undefined;
  const fail = (cause: Error): void => void (failure = cause);
  const observer = { matched: () => undefined, committed: () => undefined };
  const nowMicros = (): number => Math.round(performance.now() * 1000);
  const sequencer = new Sequencer({ core, journal, accounts: new Accounts([]), observer, nowMicros, onFull: fail, onFatal: fail });
  const engine: InProcessEngine = { sequencer, onDurable: () => undefined };
  sequencer.listen({ durable: (sequence) => engine.onDurable(sequence), refused: fail });
  try {
    const value = await work(engine);
    if (failure !== undefined) throw failure;
    return value;
  } finally {
    sequencer.close();
    journal.close();
    rmSync(directory, { recursive: true });
  }
}

/** Writes command `index` of the workload and submits it. Gives whether there was room for it. */
function send(sequencer: Sequencer, workload: Workload, ids: OrderIds, index: number): boolean {
  const at = sequencer.begin();
  if (at < 0) return false;
  const { words, doubles } = sequencer.slots;
  const half = at >> 1;
  const type = workload.type(index);
  words.fill(0, at, at + SLOT_WORDS);
  words[at + 3] = workload.account(index);
  if (type === CANCEL_RECORD) {
    words[at] = CANCEL_ORDER;
    doubles[half + 5] = ids.cancelled[index] as number;
  } else {
    words[at] = NEW_ORDER | (workload.side(index) << 8) | (LIMIT << 16) | ((type === GTC_RECORD ? GTC : IOC) << 24);
    doubles[half + 3] = workload.priceTicks(index);
    doubles[half + 4] = workload.quantityLots(index);
  }
  const reject = sequencer.submit();
  // Cancels of what has been filled meanwhile are part of the file.
  if (reject !== REJECT.none && reject !== REJECT.unknownOrder) throw new Error(`command ${index} was refused with ${reject}`);
  return true;
}

/** Orders a second, acknowledged, when {@link PER_TICK} arrive in each turn of the event loop; the first quarter is not timed. */
async function saturate({ sequencer }: InProcessEngine, workload: Workload, ids: OrderIds): Promise<number> {
  const commands = Math.min(COMMANDS, workload.commands);
  const warm = commands >> 2;
  let startMs = 0;
  let progressMs = performance.now();
  for (let index = 0; index < commands;) {
    const until = Math.min(commands, index + PER_TICK);
    const from = index;
    while (index < until && send(sequencer, workload, ids, index)) index += 1;
    if (startMs === 0 && index >= warm) {
      await sequencer.settled();
      startMs = performance.now();
    }
    if (index > from) progressMs = performance.now();
    else if (performance.now() - progressMs > STALL_MS) throw new Error(`the journal took nothing for ${STALL_MS} ms`);
    await nextTick();
  }
  await sequencer.settled();
  return Math.round(((commands - warm) / (performance.now() - startMs)) * 1000);
}

/** Microseconds from the moment at which an order was due to arrive until it is acknowledged: the 99th percentile at `perSecond`. */
async function calm(engine: InProcessEngine, workload: Workload, ids: OrderIds, perSecond: number): Promise<number> {
  const { sequencer } = engine;
  const total = Math.min(workload.commands, LATENCY_SECONDS * perSecond);
  const warm = total >> 2;
  const dueMs = new Float64Array(total + 1);
  const micros = new Float64Array(total);
  let answered = 0;
  let before = 0;
  engine.onDurable = (sequence) => {
    const now = performance.now();
    for (let one = before + 1; one <= sequence; one += 1) {
      micros[answered] = (now - (dueMs[one] as number)) * 1000;
      answered += 1;
    }
    before = sequence;
  };
  const startMs = performance.now();
  for (let index = 0; index < total;) {
    const due = Math.min(total, Math.floor(((performance.now() - startMs) / 1000) * perSecond));
    for (; index < due; index += 1) {
      const sequence = sequencer.sequence;
      if (!send(sequencer, workload, ids, index)) break;
      if (sequencer.sequence > sequence) dueMs[sequencer.sequence] = startMs + (index / perSecond) * 1000;
    }
    await nextTick();
  }
  await sequencer.settled();
  return percentile(micros.subarray(warm, answered).sort(), 0.99);
}

/** What the file system alone does: {@link PER_TICK} records a write, and the 99th percentile of a write of one. */
function bareWrites(durability: Case['durability']): { perSecond: number; p99Micros: number } {
  const directory = mkdtempSync(join(tmpdir(), 'hft-bench-'));
  const path = join(directory, 'raw');
  const batch = new Uint8Array(PER_TICK * SLOT_BYTES);
  // As long as it will be: growing a file costs more than writing it.
  writeFileSync(path, new Uint8Array(1000 * batch.length));
  const file = openSync(path, 'r+');
  const write = (bytes: Uint8Array, at: number): void => {
    writeSync(file, bytes, 0, bytes.length, at * bytes.length);
    if (durability === 'disk') fdatasyncSync(file);
  };
  try {
    fdatasyncSync(file);
    const batches = durability === 'disk' ? 500 : 1000;
    const startMs = performance.now();
    for (let at = 0; at < batches; at += 1) write(batch, at);
    const perSecond = Math.round((batches * PER_TICK) / ((performance.now() - startMs) / 1000));
    const one = new Uint8Array(SLOT_BYTES);
    const micros = new Float64Array(1000);
    for (let at = 0; at < micros.length; at += 1) {
      const beforeMs = performance.now();
      write(one, at);
      micros[at] = (performance.now() - beforeMs) * 1000;
    }
    return { perSecond, p99Micros: percentile(micros.sort(), 0.99) };
  } finally {
    closeSync(file);
    rmSync(directory, { recursive: true });
  }
}
