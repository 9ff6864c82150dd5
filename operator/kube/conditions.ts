/** Status conditions as the API conventions want them: one entry a type, the transition time moving only when the status does. */

import { timestamp } from './clock.ts';

export interface Condition {
  type: string;
  status: 'True' | 'False' | 'Unknown';
  /** CamelCase, for machines. */
  reason: string;
  /** A sentence, for people. */
  message: string;
  /** RFC 3339, whole seconds. */
  lastTransitionTime: string;
  observedGeneration?: number;
}

export type ConditionUpdate = Omit<Condition, 'lastTransitionTime'>;

/** The list with that condition set: in its old place when there was one, else at the end. The input is not changed. */
export function setCondition(conditions: readonly Condition[] | undefined, next: ConditionUpdate, now: Date): Condition[] {
  const list = [...(conditions ?? [])];
  const index = list.findIndex((condition) => condition.type === next.type);
  const old = list[index];
  const lastTransitionTime = old && old.status === next.status ? old.lastTransitionTime : timestamp(now);
  const condition: Condition = { ...next, lastTransitionTime };
  if (old) list[index] = condition;
  else list.push(condition);
  return list;
}

export function setConditions(conditions: readonly Condition[] | undefined, nexts: readonly ConditionUpdate[], now: Date): Condition[] {
  return nexts.reduce<Condition[]>((list, next) => setCondition(list, next, now), [...(conditions ?? [])]);
}

export function findCondition(conditions: readonly Condition[] | undefined, type: string): Condition | undefined {
  return conditions?.find((condition) => condition.type === type);
}
