import * as fc from 'fast-check';
import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { FakeClock } from './clock.ts';
import { ControllerRateLimiter } from './ratelimit.ts';
import { WorkQueue } from './workqueue.ts';

function makeQueue(clock = new FakeClock()): { queue: WorkQueue; clock: FakeClock } {
  return { queue: new WorkQueue({ name: 'test', clock }), clock };
}

/** What client-go promises, in the most naive form: lists and no timers. */
class Model {
  queued: string[] = [];
  dirty = new Set<string>();
  processing = new Set<string>();
  delayed = new Map<string, number>();
  nowMs = 0;

  add(key: string): void {
    if (this.queued.includes(key) || this.dirty.has(key)) return;
    if (this.processing.has(key)) this.dirty.add(key);
    else this.queued.push(key);
  }
  addAfter(key: string, delayMs: number): void {
    if (delayMs <= 0) {
      this.add(key);
      return;
    }
    const dueMs = this.nowMs + delayMs;
    if ((this.delayed.get(key) ?? Infinity) <= dueMs) return;
    this.delayed.delete(key);
    this.delayed.set(key, dueMs);
  }
  get(): string | undefined {
    const key = this.queued.shift();
    if (key !== undefined) this.processing.add(key);
    return key;
  }
  done(key: string): void {
    if (!this.processing.delete(key)) return;
    if (this.dirty.delete(key)) this.queued.push(key);
  }
  advance(byMs: number): void {
    this.nowMs += byMs;
    const due = [...this.delayed].filter(([, at]) => at <= this.nowMs).sort(([, a], [, b]) => a - b);
    for (const [key] of due) {
      this.delayed.delete(key);
      this.add(key);
    }
  }
}

const key = fc.constantFrom('a', 'b', 'c');
const step = fc.oneof(
  fc.record({ op: fc.constant('add' as const), key }),
  fc.record({ op: fc.constant('addAfter' as const), key, delayMs: fc.constantFrom(0, 10, 20, 30) }),
  fc.record({ op: fc.constant('get' as const) }),
  fc.record({ op: fc.constant('done' as const), key }),
  fc.record({ op: fc.constant('advance' as const), byMs: fc.integer({ min: 1, max: 25 }) }),
);

describe('WorkQueue', () => {
  it('behaves like the naive model for any sequence of calls', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const { queue, clock } = makeQueue();
        const model = new Model();
        const handedOut: [string | undefined, string | undefined][] = [];
        for (const action of steps) {
          switch (action.op) {
            case 'add':
              queue.add(action.key);
              model.add(action.key);
              break;
            case 'addAfter':
              queue.addAfter(action.key, action.delayMs);
              model.addAfter(action.key, action.delayMs);
              break;
            case 'get':
              handedOut.push([queue.length > 0 ? await queue.get() : undefined, model.get()]);
              break;
            case 'done':
              queue.done(action.key);
              model.done(action.key);
              break;
            case 'advance':
              await clock.advance(action.byMs);
              model.advance(action.byMs);
              break;
          }
          expect(queue.length).toBe(model.queued.length);
        }
        while (model.queued.length > 0) handedOut.push([await queue.get(), model.get()]);
        expect(handedOut.map(([actual]) => actual)).toEqual(handedOut.map(([, expected]) => expected));
      }),
      { numRuns: 300 },
    );
  });

  it('never hands a key to two workers, and hands it out again when it was added meanwhile', async () => {
    const { queue } = makeQueue();
    queue.add('a');
    expect(await queue.get()).toBe('a');
    queue.add('a');
    queue.add('a');
    expect(queue.length).toBe(0);
    queue.done('a');
    expect(queue.length).toBe(1);
    expect(await queue.get()).toBe('a');
    queue.done('a');
    expect(queue.length).toBe(0);
  });

  it('wakes one waiting worker per key', async () => {
    const { queue } = makeQueue();
    const first = queue.get();
    const second = queue.get();
    queue.add('a');
    queue.add('b');
    expect(await first).toBe('a');
    expect(await second).toBe('b');
  });

  it('lets a waiting worker go when its signal aborts, and gives the key to the next', async () => {
    const { queue } = makeQueue();
    const abort = new AbortController();
    const gone = queue.get(abort.signal);
    const stays = queue.get();
    abort.abort();
    expect(await gone).toBeUndefined();
    queue.add('a');
    expect(await stays).toBe('a');
  });

  it('keeps the earliest of several delays', async () => {
    const { queue, clock } = makeQueue();
    queue.addAfter('a', 100);
    queue.addAfter('a', 50);
    queue.addAfter('a', 200);
    await clock.advance(49);
    expect(queue.length).toBe(0);
    await clock.advance(1);
    expect(queue.length).toBe(1);
    await queue.get();
    queue.done('a');
    await clock.advance(1_000);
    expect(queue.length).toBe(0);
  });

  it('backs off 5, 10, 20 ms … and starts over once forgotten', async () => {
    const { queue, clock } = makeQueue();
    for (const delayMs of [5, 10, 20, 40]) {
      queue.addRateLimited('a');
      await clock.advance(delayMs - 1);
      expect(queue.length).toBe(0);
      await clock.advance(1);
      expect(await queue.get()).toBe('a');
      queue.done('a');
    }
    expect(queue.requeues('a')).toBe(4);
    queue.forget('a');
    expect(queue.requeues('a')).toBe(0);
    queue.addRateLimited('a');
    await clock.advance(5);
    expect(queue.length).toBe(1);
  });

  it('drops what waits on shutdown, also for later or for a running key, and takes no more', async () => {
    const { queue, clock } = makeQueue();
    queue.add('a');
    queue.add('b');
    queue.addAfter('later', 10);
    expect(await queue.get()).toBe('a');
    queue.add('a');
    queue.shutdown();
    queue.add('c');
    queue.addAfter('d', 10);
    queue.done('a');
    await clock.advance(20);
    expect(queue.length).toBe(0);
    expect(clock.pendingTimers).toBe(0);
    expect(await queue.get()).toBeUndefined();
  });

  it('reports under client-go’s names, with every series there before the first use', async () => {
    const registry = new Registry();
    const clock = new FakeClock();
    const queue = new WorkQueue({ name: 'orders', clock, registry });
    const before = await registry.metrics();
    for (const line of [
      'workqueue_depth{name="orders"} 0',
      'workqueue_adds_total{name="orders"} 0',
      'workqueue_retries_total{name="orders"} 0',
      'workqueue_unfinished_work_seconds{name="orders"} 0',
      'workqueue_longest_running_processor_seconds{name="orders"} 0',
      'workqueue_queue_duration_seconds_count{name="orders"} 0',
      'workqueue_work_duration_seconds_count{name="orders"} 0',
    ]) {
      expect(before).toContain(line);
    }
    queue.add('a');
    queue.add('b');
    await clock.advance(1_000);
    await queue.get();
    await clock.advance(2_000);
    const during = await registry.metrics();
    expect(during).toContain('workqueue_depth{name="orders"} 1');
    expect(during).toContain('workqueue_adds_total{name="orders"} 2');
    expect(during).toContain('workqueue_unfinished_work_seconds{name="orders"} 2');
    expect(during).toContain('workqueue_queue_duration_seconds_sum{name="orders"} 1');
    queue.done('a');
    expect(await registry.metrics()).toContain('workqueue_work_duration_seconds_sum{name="orders"} 2');
  });
});

describe('ControllerRateLimiter', () => {
  it('reaches its ceiling of 1,000 s and stays there', () => {
    const limiter = new ControllerRateLimiter(new FakeClock(), { burst: 10_000 });
    const delays = Array.from({ length: 1_200 }, () => limiter.delayMs('a'));
    expect(delays.slice(0, 4)).toEqual([5, 10, 20, 40]);
    expect(delays.at(-1)).toBe(1_000_000);
    expect(delays.every((delayMs, i) => i === 0 || delayMs >= (delays[i - 1] ?? 0))).toBe(true);
  });

  it('spaces retries of many keys at 10 a second after a burst of 100', async () => {
    const clock = new FakeClock();
    const limiter = new ControllerRateLimiter(clock);
    const delays = Array.from({ length: 110 }, (_, i) => limiter.delayMs(`key-${i}`));
    expect(delays.slice(0, 100)).toEqual(Array.from({ length: 100 }, () => 5));
    expect(delays.slice(100).map(Math.round)).toEqual([100, 200, 300, 400, 500, 600, 700, 800, 900, 1000]);
    await clock.advance(20_000);
    expect(limiter.delayMs('other')).toBe(5);
  });
});
