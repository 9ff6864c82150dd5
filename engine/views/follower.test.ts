import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Follower } from './follower.ts';
import type { Replica } from './replica.ts';
import { TestReplica } from './replica.test-support.ts';
import { SharedProgress, type FromThread, type Question } from './threads.ts';

let test: TestReplica;
let follower: Follower;
let shared: SharedProgress;
let posted: FromThread[];
/** What fails for want of room. */
let full: Set<string>;
let nowMs: number;
beforeEach(async () => {
  test = new TestReplica(31);
  await test.grow(400);
  shared = new SharedProgress();
  posted = [];
  full = new Set();
  nowMs = 1_000_000;
  vi.spyOn(Date, 'now').mockImplementation(() => nowMs);
  follower = new Follower({
    open: () => {
      test.kill();
      return short(test.open());
    },
    shared,
    post: (message) => posted.push(message),
    snapshotEvery: 1e9,
    retentionMs: 1e12,
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  test[Symbol.dispose]();
});

/** A replica of which some methods find no room. */
function short(replica: Replica): Replica {
  return new Proxy(replica, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]): unknown => {
        if (name === 'hasRoom') return !full.has('hasRoom');
        if (!full.has(String(name))) return Reflect.apply(value, target, args) as unknown;
        // Half done, as it is then.
        if (name === 'advance' || name === 'write') Reflect.apply(value, target, args);
        throw new Database.SqliteError('database or disk is full', 'SQLITE_FULL');
      };
    },
  });
}

/** Enough turns for everything that can be done now, none of which sleeps. */
function turns(): void {
  for (let turn = 0; turn < 100; turn += 1) follower.turn(shared.calls - 1);
}

function ask(kind: Question['kind'], atLeast: number): void {
  follower.ask({ request: 1, kind, args: kind === 'order' ? [11] : [], atLeast, untilMs: nowMs + 5000 });
}

function heard(): string[] {
  return posted.splice(0).map((message) => (message.kind === 'refusal' ? message.code : message.kind));
}

describe('a follower', () => {
  it('keeps rows in memory while little room is left, and shows them', async () => {
    full.add('hasRoom');
    shared.durable = test.journal.durableSequence;
    turns();
    nowMs += 5000;
    turns();
    expect(heard()).toEqual(['warning']);
    expect([shared.shown, test.replica.uncommitted]).toEqual([410, 410]);
    test.compare();
    ask('order', 410);
    ask('snapshot', 410);
    turns();
    expect(heard()).toEqual(['answer', 'HFT_VIEWS_UNAVAILABLE']);
    full.clear();
    nowMs += 5000;
    turns();
    expect(heard()).toEqual(['warning']);
    expect(test.replica.uncommitted).toBe(0);
    test.kill();
    expect(test.open().sequence).toBe(410);
  });

  it.each(['advance', 'write', 'commitSealed'])(
    'goes back to what is committed when there is no room to %s, and goes on when there is',
    async (failing) => {
      shared.durable = test.journal.durableSequence;
      turns();
      nowMs += 5000;
      turns();
      expect(test.replica.uncommitted).toBe(0);
      await test.grow(200);
      full.add(failing);
      shared.durable = test.journal.durableSequence;
      turns();
      nowMs += 1000;
      follower.turn(shared.calls - 1);
      full.add('hasRoom');
      turns();
      expect(heard()).toContain('warning');
      expect(shared.shown).toBe(410);
      ask('order', 410);
      ask('order', 610);
      turns();
      expect(heard()).toEqual(['answer']);
      nowMs += 5000;
      turns();
      expect(heard()).toEqual(['HFT_VIEWS_BEHIND']);
      full.clear();
      nowMs += 60_000;
      turns();
      nowMs += 5000;
      turns();
      expect([shared.shown, test.replica.uncommitted]).toEqual([610, 0]);
      test.compare();
    },
  );

  it('ends with any other failure', () => {
    test.source = {
      read: () => {
        throw new Error('the journal is gone');
      },
    };
    shared.durable = 1000;
    expect(() => turns()).toThrow('the journal is gone');
  });
});
