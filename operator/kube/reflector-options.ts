/** What a reflector is told: what to watch, for whom, and how patient to be. */
import type { Registry } from 'prom-client';
import type { KubeClient } from './client.ts';
import type { Clock } from './clock.ts';
import type { ReflectorHandlers } from './handlers.ts';
import type { Log } from './log.ts';
import type { KubeObject, Resource } from './resource.ts';

export interface ReflectorTiming {
  /** How long a watch may last before it is resumed; whole seconds on the wire. */
  readonly watchTermMs: number;
  /** How late its end may be. */
  readonly graceMs: number;
  /** For the head of an answer, and for each page of a list. */
  readonly answerTimeoutMs: number;
  readonly minBackoffMs: number;
  readonly maxBackoffMs: number;
  readonly maxRetryAfterMs: number;
  readonly deafAfterMs: number;
  readonly relistEveryMs: number;
}

export const DEFAULT_TIMING: ReflectorTiming = {
  watchTermMs: 2_000,
  graceMs: 1_000,
  answerTimeoutMs: 2_500,
  minBackoffMs: 50,
  maxBackoffMs: 1_000,
  maxRetryAfterMs: 4_000,
  deafAfterMs: 1_500,
  relistEveryMs: 600_000,
};

export interface ReflectorOptions<T extends KubeObject> {
  readonly client: KubeClient;
  readonly resource: Resource<T>;
  /** Absent: all namespaces. */
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly handlers?: ReflectorHandlers<T>;
  readonly registry?: Registry;
  readonly log?: Log;
  readonly clock?: Clock;
  readonly timing?: Partial<ReflectorTiming>;
}
