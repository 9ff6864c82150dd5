import * as fc from 'fast-check';
import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import type { CallOptions } from './call.ts';
import type { KubeClient } from './client.ts';
import { FakeClock, sleep } from './clock.ts';
import { KubeError } from './errors.ts';
import { LeaderElector } from './lease.ts';
import { keyOf } from './resource.ts';
import type { KubeObject, Live, ObjectRef, Resource } from './resource.ts';

type Trouble = 'none' | 'lost-before' | 'lost-after' | 'slow' | 'hang';

/** One Lease with optimistic concurrency; every call takes time and may fail before or after it took effect. */
class FakeLeases {
  stored: Live<KubeObject> | undefined;
  #version = 0;
  readonly #clock: FakeClock;

  constructor(clock: FakeClock) {
    this.#clock = clock;
  }

  /** A connection of one candidate, with its own luck. */
  connect(luck: () => Trouble): Pick<KubeClient, 'find' | 'create' | 'replace'> {
    const call = async <R>(options: CallOptions | undefined, effect: () => R): Promise<R> => {
      const trouble = luck();
      const fail = (): KubeError => new KubeError('injected', { code: 'network', method: 'PUT', path: '/lease' });
      if (trouble === 'hang') {
        await this.#wait(options?.timeoutMs ?? 10_000, options?.signal);
        throw fail();
      }
      await this.#wait(trouble === 'slow' ? 3_000 : 10, options?.signal);
      if (trouble === 'lost-before') throw fail();
      const result = effect();
      await this.#wait(trouble === 'slow' ? 1_500 : 10, options?.signal);
      if (trouble === 'lost-after') throw fail();
      return result;
    };
    return {
      find: <T extends KubeObject>(_resource: Resource<T>, _ref: ObjectRef, options?: CallOptions) =>
        call(options, () => structuredClone(this.stored) as Live<T> | undefined),
      create: <T extends KubeObject>(_resource: Resource<T>, object: T, options?: CallOptions) =>
        call(options, () => {
          if (this.stored) throw new KubeError('there', { code: 'alreadyExists', method: 'POST', path: keyOf(object) });
          return this.#store<T>(object, 'uid');
        }),
      replace: <T extends KubeObject>(_resource: Resource<T>, object: Live<T>, options?: CallOptions) =>
        call(options, () => {
          if (this.stored?.metadata.resourceVersion !== object.metadata.resourceVersion) {
            throw new KubeError('changed', { code: 'conflict', method: 'PUT', path: keyOf(object) });
          }
          return this.#store<T>(object, object.metadata.uid);
        }),
    };
  }

  usurp(holderIdentity: string): void {
    if (!this.stored) throw new Error('there is no lease');
    this.#store({ ...this.stored, spec: { holderIdentity, leaseDurationSeconds: 15 } }, this.stored.metadata.uid);
  }

  #store<T extends KubeObject>(object: T, uid: string): Live<T> {
    this.#version += 1;
    const stored = { ...structuredClone(object), metadata: { ...object.metadata, uid, resourceVersion: String(this.#version) } };
    this.stored = stored;
    return structuredClone(stored);
  }

  #wait(delayMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const cancel = this.#clock.setTimer(resolve, delayMs);
      signal?.addEventListener(
        'abort',
        () => {
          cancel();
          reject(new Error('aborted'));
        },
        { once: true },
      );
    });
  }
}

interface Candidate {
  readonly elector: LeaderElector;
  readonly stop: AbortController;
  readonly log: string[];
  readonly ended: Promise<void>;
}

interface Extras {
  readonly registry?: Registry;
  /** What is awaited after the log has said so. */
  readonly starting?: () => Promise<void>;
  readonly stopping?: () => Promise<void>;
}

function start(
  leases: FakeLeases,
  clock: FakeClock,
  identity: string,
  luck: () => Trouble = () => 'none',
  { registry, starting, stopping }: Extras = {},
): Candidate {
  const log: string[] = [];
  const stop = new AbortController();
  const elector = new LeaderElector({
    client: leases.connect(luck),
    namespace: 'n',
    name: 'l',
    identity,
    clock,
    ...(registry ? { registry } : {}),
    onStartedLeading: async (signal) => {
      log.push('start');
      signal.addEventListener('abort', () => log.push('abort'));
      await starting?.();
    },
    onStoppedLeading: async (reason) => {
      log.push(reason);
      await stopping?.();
    },
  });
  return { elector, stop, log, ended: elector.run(stop.signal) };
}

describe('LeaderElector', () => {
  it('never has two leaders, whatever the network does, and has one when it is quiet again', async () => {
    const trouble = fc.constantFrom<Trouble>('none', 'none', 'none', 'lost-before', 'lost-after', 'slow', 'hang');
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(trouble, { minLength: 1, maxLength: 25 }), { minLength: 2, maxLength: 3 }), async (plans) => {
        const clock = new FakeClock();
        const leases = new FakeLeases(clock);
        let together = 0;
        let busy = 0;
        let busyTogether = 0;
        // Stopping takes a while, and so long another must not lead either.
        const stopping = (): Promise<void> => sleep(clock, 3_000).finally(() => (busy -= 1));
        const starting = async (): Promise<void> => {
          busy += 1;
          busyTogether = Math.max(busyTogether, busy);
        };
        const begin = (plan: Trouble[], i: number, life: number): Candidate =>
          start(leases, clock, `c${i}-${life}`, () => plan.shift() ?? 'none', { starting, stopping });
        const candidates = plans.map((plan, i) => begin([...plan], i, 0));
        for (let t = 0; t < 240; t++) {
          await clock.advance(500);
          together = Math.max(together, candidates.filter(({ elector }) => elector.isLeader).length);
          if (t % 50 === 49 && t < 150) candidates.find(({ elector }) => elector.isLeader)?.stop.abort();
          // A process that lost its lease ends and is started again.
          for (const [i, { log }] of candidates.entries()) if (log.length >= 3) candidates[i] = begin([], i, t);
        }
        expect(together).toBe(1);
        expect(busyTogether).toBe(1);
        expect(candidates.filter(({ elector }) => elector.isLeader)).toHaveLength(1);
        for (const { stop } of candidates) stop.abort();
        await clock.advance(20_000);
        await Promise.all(candidates.map(({ ended }) => ended));
      }),
      { numRuns: 40 },
    );
  });

  it('gives up ten seconds after its last renewal although the request never comes back, and before its lease runs out', async () => {
    const clock = new FakeClock();
    const leases = new FakeLeases(clock);
    let hanging = false;
    const registry = new Registry();
    const holder = start(leases, clock, 'holder', () => (hanging ? 'hang' : 'none'), { registry });
    await clock.advance(100);
    expect(holder.elector.isLeader).toBe(true);
    expect(await registry.metrics()).toContain('leader_election_master_status{name="l"} 1');
    const rival = start(leases, clock, 'rival');
    await clock.advance(10_000);
    expect(rival.elector).toMatchObject({ isLeader: false, leader: 'holder' });

    hanging = true;
    await clock.advance(7_900);
    expect(holder.elector.isLeader).toBe(true);
    await clock.advance(2_100);
    expect(holder.elector.isLeader).toBe(false);
    expect(holder.log).toEqual(['start', 'abort', 'the lease could not be renewed within 10000 ms']);
    expect(rival.elector.isLeader).toBe(false);
    await clock.advance(10_000);
    expect(rival.elector.isLeader).toBe(true);
    expect(await registry.metrics()).toContain('leader_election_master_status{name="l"} 0');
    await holder.ended;
    rival.stop.abort();
    await clock.advance(100);
    await rival.ended;
  });

  it('releases on stop, so that the next one need not wait', async () => {
    const clock = new FakeClock();
    const leases = new FakeLeases(clock);
    const first = start(leases, clock, 'first');
    await clock.advance(100);
    const second = start(leases, clock, 'second');
    await clock.advance(100);
    first.stop.abort();
    await clock.advance(100);
    await first.ended;
    expect(first.log).toEqual(['start', 'abort', 'giving up leadership to stop']);
    await clock.advance(2_500);
    expect(second.elector.isLeader).toBe(true);
    second.stop.abort();
    await clock.advance(100);
    await second.ended;
  });

  const holderOf = (leases: FakeLeases): unknown =>
    (leases.stored as { spec?: { holderIdentity?: string } } | undefined)?.spec?.holderIdentity;

  it('releases only after what led has stopped, on stop', async () => {
    const clock = new FakeClock();
    const leases = new FakeLeases(clock);
    const stopped = Promise.withResolvers<void>();
    const first = start(leases, clock, 'first', undefined, { stopping: () => stopped.promise });
    await clock.advance(100);
    const second = start(leases, clock, 'second');
    await clock.advance(100);
    first.stop.abort();
    await clock.advance(9_000);
    expect(first.log).toEqual(['start', 'abort', 'giving up leadership to stop']);
    expect(first.elector.isLeader).toBe(false);
    expect(holderOf(leases)).toBe('first');
    expect(second.elector.isLeader).toBe(false);

    stopped.resolve();
    await clock.advance(50);
    await first.ended;
    expect(holderOf(leases)).toBe('');
    await clock.advance(2_500);
    expect(second.elector.isLeader).toBe(true);
    second.stop.abort();
    await clock.advance(100);
    await second.ended;
  });

  it('releases although a renewal that took effect was cut off by the stop', async () => {
    const clock = new FakeClock();
    const leases = new FakeLeases(clock);
    let slow = false;
    const first = start(leases, clock, 'first', () => (slow ? 'slow' : 'none'));
    await clock.advance(100);
    slow = true;
    // The renewal is sent at 2,020 ms or so, takes effect 3,000 ms later and would be answered 1,500 ms after that.
    await clock.advance(5_500);
    slow = false;
    first.stop.abort();
    await clock.advance(200);
    await first.ended;
    expect(holderOf(leases)).toBe('');
  });

  it('stops only what has started, and releases although both failed', async () => {
    const clock = new FakeClock();
    const leases = new FakeLeases(clock);
    const started = Promise.withResolvers<void>();
    const first = start(leases, clock, 'first', undefined, {
      starting: () => started.promise,
      stopping: () => Promise.reject(new Error('injected')),
    });
    await clock.advance(100);
    first.stop.abort();
    await clock.advance(5_000);
    expect(first.log).toEqual(['start', 'abort']);
    started.reject(new Error('injected'));
    await clock.advance(50);
    expect(first.log).toEqual(['start', 'abort', 'giving up leadership to stop']);
    await first.ended;
    expect(holderOf(leases)).toBe('');
    expect(clock.pendingTimers).toBe(0);
  });

  it('waits no longer than its lease runs, and does not release what may still be in use', async () => {
    const never = (): Promise<void> => new Promise(() => undefined);
    for (const extras of [{ stopping: never }, { starting: never }, { starting: never, stopping: never }]) {
      const clock = new FakeClock();
      const leases = new FakeLeases(clock);
      const first = start(leases, clock, 'first', undefined, extras);
      await clock.advance(100);
      const second = start(leases, clock, 'second');
      let ended = false;
      void first.ended.then(() => (ended = true));
      first.stop.abort();
      // Half of the lease for the start, so that there is time to stop.
      await clock.advance(7_600);
      expect(first.log).toEqual(['start', 'abort', 'giving up leadership to stop']);
      await clock.advance(15_100 - clock.nowMs());
      expect(ended).toBe(true);
      expect(holderOf(leases)).toBe('first');
      expect(second.elector.isLeader).toBe(false);
      await clock.advance(5_000);
      expect(second.elector.isLeader).toBe(true);
      second.stop.abort();
      await clock.advance(100);
      await second.ended;
      expect(clock.pendingTimers).toBe(0);
    }
  });

  it('waits for what led when the lease was lost too, and can stand again', async () => {
    const clock = new FakeClock();
    const leases = new FakeLeases(clock);
    let hanging = false;
    let stopped = Promise.withResolvers<void>();
    const holder = start(leases, clock, 'holder', () => (hanging ? 'hang' : 'none'), { stopping: () => stopped.promise });
    let terms = 0;
    const count = (): void => void (terms += 1);
    void holder.ended.then(count);
    await clock.advance(100);
    hanging = true;
    await clock.advance(10_500);
    expect(holder.log).toEqual(['start', 'abort', 'the lease could not be renewed within 10000 ms']);
    expect(terms).toBe(0);
    stopped.resolve();
    await clock.advance(10);
    expect(terms).toBe(1);
    expect(holderOf(leases)).toBe('holder');

    hanging = false;
    stopped = Promise.withResolvers();
    const again = holder.elector.run(holder.stop.signal);
    void again.then(count);
    await clock.advance(3_000);
    expect(holder.elector.isLeader).toBe(true);
    expect(holder.log.slice(3)).toEqual(['start']);

    // Taken by force.
    leases.usurp('usurper');
    await clock.advance(2_500);
    expect(holder.log.slice(4)).toEqual(['abort', 'the lease was taken by usurper']);
    expect(terms).toBe(1);
    stopped.resolve();
    await clock.advance(10);
    await again;
    expect(holderOf(leases)).toBe('usurper');
  });

  it('refuses timings under which two could lead', () => {
    const clock = new FakeClock();
    const client = new FakeLeases(clock).connect(() => 'none');
    const make = (timing: object) => () =>
      new LeaderElector({ client, namespace: 'n', name: 'l', identity: 'x', onStartedLeading: () => undefined, ...timing });
    expect(make({ leaseDurationMs: 10_000, renewDeadlineMs: 10_000 })).toThrow(RangeError);
    expect(make({ renewDeadlineMs: 2_000, retryPeriodMs: 2_000 })).toThrow(RangeError);
  });
});
