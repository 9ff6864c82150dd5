/** The benchmarks of the journal: what it makes durable in a second, and how long a command waits for it, against the bare calls for the same bytes. */
import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { SLOT_BYTES } from '../core/command.ts';
import { temporaryDirectory } from '../testing/temporary-directory.ts';
import { JournalLoad, type Batches } from './journal-load.ts';
import { percentile } from './measure.ts';
import { compare, type Comparison } from './report.ts';

const PER_TICK = 1024;
const COMMANDS = 1_000_000;
/** Before what is timed, so that code is compiled and the log has begun anew: from then on it writes into room that it has. */
const WARM_COMMANDS = 1_000_000;
const PACED_COMMANDS = 150_000;
const DISK_PER_SECOND = 60_000;
const COMMIT_PER_SECOND = 50_000;
/** Bare calls go round in a file of this size, written before. */
const RAW_BYTES = 32 * 1024 * 1024;

/** Commands a second at `disk`, against `write` and `fdatasync` of the same batches of bare slots. */
export async function journalDisk(runs: number): Promise<Comparison[]> {
  return [await throughput('journal.disk', 'write + fdatasync', 'disk', true, runs)];
}

/** Commands a second at `commit`, against `write` of the same batches of bare slots. */
export async function journalCommit(runs: number): Promise<Comparison[]> {
  return [await throughput('journal.commit', 'write', 'commit', false, runs)];
}

async function throughput(name: string, versus: string, durability: 'disk' | 'commit', sync: boolean, runs: number): Promise<Comparison> {
  const pairs: { value: number; peer: number }[] = [];
  const load = new JournalLoad(durability);
  try {
    await load.saturate(WARM_COMMANDS, PER_TICK);
    for (let round = 0; round < runs; round += 1) {
      const { seconds, batches } = await load.saturate(COMMANDS, PER_TICK);
      pairs.push({ value: COMMANDS / seconds, peer: COMMANDS / (sum(bareMicros(batches, sync)) / 1e6) });
    }
  } finally {
    load.close();
  }
  return compare(name, 'commands/s', `${versus}, same batches`, pairs);
}

/** Microseconds that 99 of 100 commands wait at most until they are durable, at a tenth of the load of a good journal. */
export async function journalLatency(runs: number): Promise<Comparison[]> {
  const disk = await latency('disk', DISK_PER_SECOND, true, runs);
  const waits = disk.map(({ value }) => ({ value, peer: percentile(bareWaitMicros(PACED_COMMANDS, DISK_PER_SECOND), 0.99) }));
  const commit = await latency('commit', COMMIT_PER_SECOND, false, runs);
  return [
    compare('journal.latency', `us p99, disk at ${DISK_PER_SECOND}/s`, 'p99 of write + fdatasync, same batches', disk),
    compare('journal.latency', `us p99, disk at ${DISK_PER_SECOND}/s`, 'p99 of commands, write + fdatasync of what is due', waits),
    compare('journal.latency', `us p99, commit at ${COMMIT_PER_SECOND}/s`, 'p99 of write, same batches', commit),
  ];
}

async function latency(durability: 'disk' | 'commit', perSecond: number, sync: boolean, runs: number) {
  const pairs: { value: number; peer: number }[] = [];
  const load = new JournalLoad(durability);
  try {
    await load.saturate(WARM_COMMANDS, PER_TICK);
    for (let round = 0; round < runs; round += 1) {
      const { micros, batches } = await load.pace(PACED_COMMANDS, perSecond);
      pairs.push({ value: percentile(micros, 0.99), peer: percentile(bareMicros(batches, sync).sort(), 0.99) });
    }
  } finally {
    load.close();
  }
  return pairs;
}

function sum(values: Float64Array): number {
  return values.reduce((total, value) => total + value, 0);
}

/** Microseconds of each bare write of so many slots into room that is there. */
function bareMicros(batches: Batches, sync: boolean): Float64Array {
  const directory = temporaryDirectory();
  const file = openSync(join(directory, 'raw'), 'w');
  try {
    const bytes = Buffer.alloc(batches.reduce((most, commands) => Math.max(most, commands), 0) * SLOT_BYTES, 7);
    for (let at = 0; at < RAW_BYTES; at += bytes.length) writeSync(file, bytes);
    fdatasyncSync(file);
    let at = 0;
    return Float64Array.from(batches, (commands) => {
      const length = commands * SLOT_BYTES;
      if (at + length > RAW_BYTES) at = 0;
      const startMs = performance.now();
      writeSync(file, bytes, 0, length, at);
      if (sync) fdatasyncSync(file);
      at += length;
      return (performance.now() - startMs) * 1000;
    });
  } finally {
    closeSync(file);
    rmSync(directory, { recursive: true, force: true });
  }
}

/**
 * Sorted microseconds that each of so many commands waits for the disk when nothing but bare calls is in its way: one thread writes what is due by then,
 * syncs, and looks again. The limit of any journal on this machine, counted as the journal is: by commands, not by calls.
 */
function bareWaitMicros(commands: number, perSecond: number): Float64Array {
  const directory = temporaryDirectory();
  const file = openSync(join(directory, 'raw'), 'w');
  try {
    const bytes = Buffer.alloc(RAW_BYTES, 7);
    writeSync(file, bytes);
    fdatasyncSync(file);
    const micros = new Float64Array(commands);
    const startMs = performance.now();
    let at = 0;
    for (let done = 0; done < commands;) {
      const due = Math.min(commands, Math.floor(((performance.now() - startMs) * perSecond) / 1000));
      if (due === done) continue;
      const length = (due - done) * SLOT_BYTES;
      if (at + length > RAW_BYTES) at = 0;
      writeSync(file, bytes, 0, length, at);
      fdatasyncSync(file);
      at += length;
      const nowMs = performance.now() - startMs;
      for (; done < due; done += 1) micros[done] = (nowMs - (done / perSecond) * 1000) * 1000;
    }
    return micros.sort();
  } finally {
    closeSync(file);
    rmSync(directory, { recursive: true, force: true });
  }
}
