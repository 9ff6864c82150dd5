import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { FakeClock } from './clock.ts';
import { Controller, TerminalError } from './controller.ts';
import type { ReconcileResult } from './controller.ts';

interface Bench {
  readonly clock: FakeClock;
  readonly registry: Registry;
  readonly controller: Controller;
  readonly calls: { key: string; atMs: number }[];
}

function start(
  reconcile: (key: string, signal: AbortSignal, call: number) => Promise<ReconcileResult | void>,
  options: { maxConcurrent?: number; reconcileTimeoutMs?: number } = {},
): Bench {
  const clock = new FakeClock();
  const registry = new Registry();
  const calls: { key: string; atMs: number }[] = [];
  const controller = new Controller({
    name: 'orders',
    clock,
    registry,
    ...options,
    reconcile: (key, signal) => {
      calls.push({ key, atMs: clock.nowMs() });
      return reconcile(key, signal, calls.length);
    },
  });
  controller.start();
  return { clock, registry, controller, calls };
}

const waitOn = (clock: FakeClock, ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    clock.setTimer(resolve, ms);
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });

describe('Controller', () => {
  it('has every series before its first reconcile', async () => {
    const { registry, controller } = start(async () => undefined, { maxConcurrent: 3 });
    const text = await registry.metrics();
    for (const result of ['success', 'error', 'requeue', 'requeue_after']) {
      expect(text).toContain(`controller_runtime_reconcile_total{controller="orders",result="${result}"} 0`);
    }
    expect(text).toContain('controller_runtime_reconcile_errors_total{controller="orders"} 0');
    expect(text).toContain('controller_runtime_reconcile_time_seconds_count{controller="orders"} 0');
    expect(text).toContain('controller_runtime_active_workers{controller="orders"} 0');
    expect(text).toContain('controller_runtime_max_concurrent_reconciles{controller="orders"} 3');
    await controller.stop();
  });

  it('rests after success, comes back when asked to, and backs off after errors until it succeeds', async () => {
    const outcomes: (ReconcileResult | Error | undefined)[] = [
      new Error('a'),
      new Error('b'),
      { requeue: true },
      { requeueAfterMs: 1_000 },
      new Error('c'),
      undefined,
    ];
    const { clock, controller, calls, registry } = start(async (_key, _signal, call) => {
      const outcome = outcomes[call - 1];
      if (outcome instanceof Error) throw outcome;
      return outcome;
    });
    controller.enqueue('k');
    await clock.advance(60_000);
    // 5, 10, 20 ms of back-off; 1 s as asked, which clears the back-off; 5 ms again.
    expect(calls.map(({ atMs }) => atMs)).toEqual([0, 5, 15, 35, 1_035, 1_040]);
    const text = await registry.metrics();
    expect(text).toContain('controller_runtime_reconcile_total{controller="orders",result="error"} 3');
    expect(text).toContain('controller_runtime_reconcile_total{controller="orders",result="requeue"} 1');
    expect(text).toContain('controller_runtime_reconcile_total{controller="orders",result="requeue_after"} 1');
    expect(text).toContain('controller_runtime_reconcile_total{controller="orders",result="success"} 1');
    await controller.stop();
  });

  it('does not retry a terminal error until the next event', async () => {
    const { clock, controller, calls, registry } = start(async () => {
      throw new TerminalError('cannot');
    });
    controller.enqueue('k');
    await clock.advance(100_000);
    expect(calls).toHaveLength(1);
    expect(await registry.metrics()).toContain('controller_runtime_terminal_reconcile_errors_total{controller="orders"} 1');
    controller.enqueue('k');
    await clock.advance(10);
    expect(calls).toHaveLength(2);
    await controller.stop();
  });

  it('works on as many keys at once as it may, and never twice on one', async () => {
    const active = new Map<string, number>();
    let most = 0;
    let mostOfOne = 0;
    const { clock, controller, calls } = start(
      async (key, signal) => {
        active.set(key, (active.get(key) ?? 0) + 1);
        most = Math.max(
          most,
          [...active.values()].reduce((a, b) => a + b, 0),
        );
        mostOfOne = Math.max(mostOfOne, ...active.values());
        await waitOn(clock, 100, signal);
        active.set(key, (active.get(key) ?? 1) - 1);
      },
      { maxConcurrent: 2 },
    );
    for (const key of ['a', 'b', 'c']) controller.enqueue(key);
    await clock.advance(50);
    for (const key of ['a', 'b', 'c']) controller.enqueue(key);
    await clock.advance(1_000);
    expect(most).toBe(2);
    expect(mostOfOne).toBe(1);
    expect(calls).toHaveLength(5);
    await controller.stop();
  });

  it('aborts a reconcile that takes too long, and tries again', async () => {
    const { clock, controller, calls, registry } = start(
      (_key, signal, call) => (call === 1 ? waitOn(clock, 1e9, signal) : Promise.resolve()),
      { reconcileTimeoutMs: 500 },
    );
    controller.enqueue('k');
    await clock.advance(499);
    expect(calls).toHaveLength(1);
    await clock.advance(10);
    expect(calls).toHaveLength(2);
    expect(await registry.metrics()).toContain('controller_runtime_reconcile_timeouts_total{controller="orders"} 1');
    await controller.stop();
  });

  it('lets a running reconcile finish when stopped, and aborts it after the drain time', async () => {
    const aborted: string[] = [];
    const make = (): Bench =>
      start(async (key, signal) => {
        signal.addEventListener('abort', () => aborted.push(key));
        await waitOn(bench.clock, 1_000, signal);
      });
    let bench = make();
    bench.controller.enqueue('finishes');
    await bench.clock.advance(10);
    const finished = bench.controller.stop({ drainTimeoutMs: 2_000 });
    bench.controller.enqueue('ignored');
    await bench.clock.advance(1_000);
    await finished;
    expect(bench.calls.map(({ key }) => key)).toEqual(['finishes']);
    expect(aborted).not.toContain('ignored');

    bench = make();
    bench.controller.enqueue('cut');
    await bench.clock.advance(10);
    const cut = bench.controller.stop({ drainTimeoutMs: 0 });
    await bench.clock.advance(0);
    await cut;
    expect(bench.clock.nowMs()).toBeLessThan(1_000);
    expect(aborted).toContain('cut');
  });
});
