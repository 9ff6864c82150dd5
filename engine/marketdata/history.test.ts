import { setImmediate as nextTick } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { encodeMessage } from '../client/websocket-codec.ts';
import { History, HistoryBudget } from './history.ts';
import { Update, updateOf } from './update.ts';

const KIB = 1024;
const MIB = KIB * KIB;

const FRAMES = Buffer.from(encodeMessage([{ frame: 'heartbeat', number: 0, timeMicros: 1 }]));

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

function updateOfBytes(sequence: number, bytes: number): Update {
  return new Update(sequence, sequence, Buffer.alloc(bytes), FRAMES);
}

/** Bytes of messages that are still in memory. */
async function heldBytes(updates: readonly WeakRef<Update['message']>[]): Promise<number> {
  await nextTick();
  collect();
  return updates.reduce((sum, update) => sum + (update.deref()?.length ?? 0), 0);
}

it('holds no more memory than its bound', async () => {
  const history = new History(0, new HistoryBudget());
  const messages: WeakRef<Buffer>[] = [];
  for (let sequence = 1; sequence <= 3000; sequence += 1) {
    const update = updateOfBytes(sequence, 64 * KIB);
    messages.push(new WeakRef(update.message));
    history.add(update);
  }
  expect(await heldBytes(messages)).toBeLessThanOrEqual(MIB + 64 * KIB);
  expect(history.after(2984)?.map(({ sequence }) => sequence)).toEqual(Array.from({ length: 16 }, (_, index) => 2985 + index));
  expect(history.after(2983)).toBeUndefined();
});

it('shares a bound with the others: what is oldest goes first', async () => {
  const budget = new HistoryBudget(2 * MIB);
  const histories = Array.from({ length: 8 }, () => new History(0, budget));
  const messages: WeakRef<Buffer>[] = [];
  for (let sequence = 1; sequence <= 1000; sequence += 1) {
    const update = updateOfBytes(sequence, 16 * KIB);
    messages.push(new WeakRef(update.message));
    histories[sequence % 8]?.add(update);
  }
  expect(await heldBytes(messages)).toBeLessThanOrEqual(2 * MIB + 16 * KIB);
  const known = histories.map((history) => history.after(992)?.map(({ sequence }) => sequence));
  expect(known.flat().toSorted((a, b) => Number(a) - Number(b))).toEqual([993, 994, 995, 996, 997, 998, 999, 1000]);
  // Who is gone leaves its room to the others.
  for (const history of histories.slice(1)) history.clear();
  for (let sequence = 1001; sequence <= 1060; sequence += 1) histories[0]?.add(updateOfBytes(sequence, 16 * KIB));
  expect(histories[0]?.after(1000)).toHaveLength(60);
  expect(histories[0]?.after(990)).toHaveLength(62);
});

it('keeps so many updates of a stream, however small', () => {
  const history = new History(0, new HistoryBudget());
  for (let sequence = 1; sequence <= 10_000; sequence += 1) history.add(updateOfBytes(sequence, 48));
  expect(history.after(10_000 - 4096)).toHaveLength(4096);
  expect(history.after(10_000 - 4097)).toBeUndefined();
});

it('keeps nothing that was made of an update', () => {
  const history = new History(0, new HistoryBudget());
  const update = updateOf(FRAMES, 1, 1);
  history.add(update);
  expect(update.json).toContain('heartbeat');
  const [one] = history.after(0) ?? [];
  const [other] = history.after(0) ?? [];
  expect(one?.message).toBe(update.message);
  expect([one === update, one === other]).toEqual([false, false]);
  // Nor what lies beside it.
  expect(update.message.buffer.byteLength).toBe(update.message.length);
});
