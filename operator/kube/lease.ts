/**
 * Leader election over a coordination.k8s.io/v1 Lease, by client-go's rules and in its format, so that both can stand for the same Lease.
 *
 * Clocks of different machines are never compared: another holder is taken for dead when its record has not changed for `leaseDurationMs` of *our* monotonic clock.
 * Writes carry the resourceVersion that was read, so of two candidates one wins. The holder gives up by itself `renewDeadlineMs` after *sending* its last successful
 * renewal, which is before anyone else may take over (renewDeadline < leaseDuration); the timer does not depend on a request coming back.
 */
import type { Registry } from 'prom-client';
import type { KubeClient } from './client.ts';
import { microTime, sleep, systemClock } from './clock.ts';
import type { Clock } from './clock.ts';
import { isKubeError } from './errors.ts';
import type { HealthResult } from './health.ts';
import { errorText, silentLog } from './log.ts';
import type { Log } from './log.ts';
import { gauge } from './metrics.ts';
import { resources } from './resource.ts';
import type { KubeObject, Live, ObjectRef } from './resource.ts';

interface LeaseSpec {
  holderIdentity?: string;
  leaseDurationSeconds?: number;
  acquireTime?: string;
  renewTime?: string;
  leaseTransitions?: number;
}

type Lease = KubeObject & { spec?: LeaseSpec };

export interface LeaderElectorOptions {
  readonly client: Pick<KubeClient, 'find' | 'create' | 'replace'>;
  readonly namespace: string;
  readonly name: string;
  /** Unique to this process: the pod's name and a random part. */
  readonly identity: string;
  readonly leaseDurationMs?: number;
  readonly renewDeadlineMs?: number;
  readonly retryPeriodMs?: number;
  readonly registry?: Registry;
  readonly log?: Log;
  readonly clock?: Clock;
  /** Called once elected. The signal aborts the moment leadership is lost or given up: every write must stop with it, and the promise settle soon. */
  readonly onStartedLeading: (signal: AbortSignal) => void | Promise<void>;
  /**
   * Called after the signal aborted and `onStartedLeading` settled, with the reason: stops what was started. The Lease is released, and `run` resolves, only when its
   * promise has settled. Both are waited for as long as the lease runs, the start for half of that; what is not done by then costs the next leader the wait, as the
   * Lease is left to run out instead.
   */
  readonly onStoppedLeading?: (reason: string) => void | Promise<void>;
  readonly onNewLeader?: (identity: string) => void;
}

export class LeaderElector {
  readonly #options: LeaderElectorOptions;
  readonly #durationMs: number;
  readonly #deadlineMs: number;
  readonly #retryMs: number;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #ref: ObjectRef;
  readonly #status;
  /** The Lease as last read or written; undefined: read it first. */
  #lease: Live<Lease> | undefined;
  #observedRecord = '';
  #observedAtMs = 0;
  #leader: string | undefined;
  #renewedAtMs = 0;
  #leading = false;

  constructor(options: LeaderElectorOptions) {
    this.#options = options;
    this.#durationMs = options.leaseDurationMs ?? 15_000;
    this.#deadlineMs = options.renewDeadlineMs ?? 10_000;
    this.#retryMs = options.retryPeriodMs ?? 2_000;
    if (!(this.#durationMs > this.#deadlineMs && this.#deadlineMs > 1.2 * this.#retryMs)) {
      throw new RangeError('leader election needs leaseDurationMs > renewDeadlineMs > 1.2 × retryPeriodMs');
    }
    this.#clock = options.clock ?? systemClock;
    this.#log = options.log ?? silentLog;
    this.#ref = { namespace: options.namespace, name: options.name };
    this.#status = gauge(
      options.registry,
      'leader_election_master_status',
      'Whether this process is the leader of the lease (1) or not (0)',
      ['name'],
    );
    this.#status.set({ name: options.name }, 0);
  }

  get isLeader(): boolean {
    return this.#leading;
  }

  /** The holder last seen; undefined when the Lease is free or unknown. */
  get leader(): string | undefined {
    return this.#leader;
  }

  /** Bad when this process believes to lead although its lease has run out. */
  health(): HealthResult {
    const sinceMs = this.#clock.nowMs() - this.#renewedAtMs;
    if (this.#leading && sinceMs > this.#durationMs)
      return { ok: false, reason: `the lease was renewed ${(sinceMs / 1000).toFixed(1)} s ago` };
    return { ok: true };
  }

  /**
   * Stands for election until elected, then leads. Resolves when leadership was lost (call it again to stand again) or when the signal aborts; by then what led has
   * stopped (see `onStoppedLeading`), and on abort the Lease has been given up so that the next leader need not wait.
   */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && !(await this.#tryAcquireOrRenew(signal))) await sleep(this.#clock, this.#jitteredMs(), signal);
    if (!this.#holdsLease()) return;
    if (signal.aborted) {
      await this.#release();
      return;
    }

    const lost = new AbortController();
    const stopOnAbort = (): void => lost.abort(new Error('giving up leadership to stop'));
    signal.addEventListener('abort', stopOnAbort, { once: true });
    if (signal.aborted) stopOnAbort();
    this.#leading = true;
    this.#status.set({ name: this.#options.name }, 1);
    this.#log.info({ lease: this.#ref, identity: this.#options.identity }, 'elected leader');
    const started = this.#call('onStartedLeading', () => this.#options.onStartedLeading(lost.signal));
    try {
      await this.#renewUntilLost(lost);
    } finally {
      signal.removeEventListener('abort', stopOnAbort);
      this.#leading = false;
      this.#status.set({ name: this.#options.name }, 0);
    }
    const reason = errorText(lost.signal.reason);
    this.#log.warn({ lease: this.#ref, reason }, 'no longer leader');
    const stopped = await this.#stopLeading(started, reason);
    if (signal.aborted && stopped) await this.#release();
  }

  /** False when something of the term may still run although the lease has run out. */
  async #stopLeading(started: Promise<void>, reason: string): Promise<boolean> {
    const leftMs = (): number => this.#renewedAtMs + this.#durationMs - this.#clock.nowMs();
    const settled = await this.#within(started, leftMs() / 2);
    const stopped = await this.#within(
      this.#call('onStoppedLeading', () => this.#options.onStoppedLeading?.(reason)),
      leftMs(),
    );
    if (settled && stopped) return true;
    const late = settled ? 'onStoppedLeading' : 'onStartedLeading';
    this.#log.error({ lease: this.#ref }, `${late} did not end before the lease runs out: the next leader has to wait for that`);
    return false;
  }

  /** Whether the promise, which never rejects, settles within the time. */
  #within(promise: Promise<void>, limitMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const cancel = this.#clock.setTimer(() => resolve(false), limitMs);
      void promise.then(() => {
        cancel();
        resolve(true);
      });
    });
  }

  async #renewUntilLost(lost: AbortController): Promise<void> {
    let cancel = (): void => undefined;
    const arm = (): void => {
      cancel();
      const leftMs = this.#renewedAtMs + this.#deadlineMs - this.#clock.nowMs();
      cancel = this.#clock.setTimer(() => lost.abort(new Error(`the lease could not be renewed within ${this.#deadlineMs} ms`)), leftMs);
    };
    try {
      arm();
      while (!lost.signal.aborted) {
        await sleep(this.#clock, this.#retryMs, lost.signal);
        if (lost.signal.aborted) break;
        if (await this.#tryAcquireOrRenew(lost.signal)) arm();
        else if (!this.#holdsLease()) lost.abort(new Error(`the lease was taken by ${this.#leader ?? 'nobody'}`));
      }
    } finally {
      cancel();
    }
  }

  /** One attempt; true when this process holds the Lease now. Never throws. */
  async #tryAcquireOrRenew(signal: AbortSignal): Promise<boolean> {
    const sentAtMs = this.#clock.nowMs();
    const call = { signal, timeoutMs: Math.max(1_000, this.#deadlineMs / 2) };
    try {
      // The holder writes over what it wrote last; everyone else looks first.
      if (!this.#lease || !this.#holdsLease()) this.#observe(await this.#options.client.find(resources.leases, this.#ref, call));
      if (!this.#mayTake()) return false;
      const spec = this.#nextSpec();
      const written: Live<Lease> = this.#lease
        ? await this.#options.client.replace<Lease>(resources.leases, { ...this.#lease, spec }, call)
        : await this.#options.client.create<Lease>(resources.leases, { metadata: { ...this.#ref }, spec }, call);
      this.#observe(written);
      this.#renewedAtMs = sentAtMs;
      return true;
    } catch (error) {
      // What was read is no longer known to be so.
      if (isKubeError(error, 'conflict') || isKubeError(error, 'alreadyExists') || isKubeError(error, 'notFound')) await this.#reread(call);
      if (!signal.aborted) this.#log.warn({ lease: this.#ref, err: error }, `lease attempt failed: ${errorText(error)}`);
      return false;
    }
  }

  async #reread(call: { signal: AbortSignal; timeoutMs: number }): Promise<void> {
    this.#lease = undefined;
    try {
      this.#observe(await this.#options.client.find(resources.leases, this.#ref, call));
    } catch (error) {
      this.#log.debug({ lease: this.#ref, err: error }, 'the lease could not be read');
    }
  }

  /** Takes note of the record; a changed one restarts the time after which its holder counts as dead. */
  #observe(lease: Live<Lease> | undefined): void {
    this.#lease = lease;
    const record = JSON.stringify(lease?.spec ?? null);
    if (record !== this.#observedRecord) {
      this.#observedRecord = record;
      this.#observedAtMs = this.#clock.nowMs();
    }
    const leader = lease?.spec?.holderIdentity || undefined;
    if (leader === this.#leader) return;
    this.#leader = leader;
    if (leader !== undefined) void this.#call('onNewLeader', () => this.#options.onNewLeader?.(leader));
  }

  #holdsLease(): boolean {
    return this.#leader === this.#options.identity;
  }

  #mayTake(): boolean {
    if (this.#leader === undefined || this.#holdsLease()) return true;
    // The holder's own idea of its lease duration counts where it is known: it may be configured otherwise.
    const theirMs = (this.#lease?.spec?.leaseDurationSeconds ?? 0) * 1000;
    return this.#clock.nowMs() - this.#observedAtMs > Math.max(theirMs, this.#durationMs);
  }

  #nextSpec(): LeaseSpec {
    const now = microTime(this.#clock.date());
    const old = this.#lease?.spec;
    const held = this.#holdsLease();
    return {
      holderIdentity: this.#options.identity,
      leaseDurationSeconds: Math.ceil(this.#durationMs / 1000),
      acquireTime: held ? (old?.acquireTime ?? now) : now,
      renewTime: now,
      leaseTransitions: (old?.leaseTransitions ?? 0) + (held || old === undefined ? 0 : 1),
    };
  }

  async #release(): Promise<void> {
    const call = { timeoutMs: 2_000 };
    try {
      try {
        await this.#giveUp(call);
      } catch (error) {
        if (!isKubeError(error, 'conflict')) throw error;
        // A renewal that was cut off may have taken effect all the same.
        this.#observe(await this.#options.client.find(resources.leases, this.#ref, call));
        await this.#giveUp(call);
      }
    } catch (error) {
      this.#log.warn({ lease: this.#ref, err: error }, `the lease could not be released: ${errorText(error)}`);
    }
  }

  async #giveUp(call: { timeoutMs: number }): Promise<void> {
    if (!this.#lease || !this.#holdsLease()) return;
    const now = microTime(this.#clock.date());
    const spec: LeaseSpec = {
      holderIdentity: '',
      leaseDurationSeconds: 1,
      acquireTime: now,
      renewTime: now,
      leaseTransitions: this.#lease.spec?.leaseTransitions ?? 0,
    };
    this.#observe(await this.#options.client.replace<Lease>(resources.leases, { ...this.#lease, spec }, call));
    this.#log.info({ lease: this.#ref }, 'released the lease');
  }

  #jitteredMs(): number {
    return this.#retryMs * (1 + Math.random() * 0.2);
  }

  /** Callbacks must not end the election by throwing; the promise never rejects. */
  async #call(name: string, callback: () => void | Promise<void>): Promise<void> {
    try {
      await callback();
    } catch (error) {
      this.#log.error({ lease: this.#ref, err: error }, `${name} failed: ${errorText(error)}`);
    }
  }
}
