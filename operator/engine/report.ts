/** Step three of a reconcile: say it. The status is written before anything is applied, so that a change is announced before it happens. */
import type { HFTEngine, HFTEngineStatus } from '../../crds/hftengine.ts';
import type { EventRecorder } from '../kube/events.ts';
import type { KubeObject } from '../kube/resource.ts';
import type { Written } from './apply.ts';

interface Announcement {
  type: 'Normal' | 'Warning';
  reason: string;
  note: string;
}

/** Events for what changed between two statuses: one for each condition whose status or reason moved. Pure. */
export function announcements(before: HFTEngineStatus | undefined, after: HFTEngineStatus): Announcement[] {
  const news: Announcement[] = [];
  for (const condition of after.conditions ?? []) {
    const old = before?.conditions?.find(({ type }) => type === condition.type);
    if (old?.status === condition.status && old.reason === condition.reason) continue;
    const { type, status, reason, message } = condition;
    if (type === 'Degraded' && status === 'True') news.push({ type: 'Warning', reason, note: message });
    else if (type === 'Degraded' && old?.status === 'True')
      news.push({ type: 'Normal', reason: 'Recovered', note: `no longer degraded (${old.reason})` });
    else if (type === 'Ready' && status === 'True') news.push({ type: 'Normal', reason, note: message });
    else if (type === 'Progressing' && status === 'True') news.push({ type: 'Normal', reason, note: message });
    else if (type === 'WholeCPUs' && status === 'False') news.push({ type: 'Normal', reason: 'FractionalCPU', note: message });
  }
  const [old, keys] = [before?.keys, after.keys];
  if (old !== undefined && keys !== undefined && old.signing !== keys.signing) {
    const until = keys.valid.find(({ id }) => id === old.signing)?.until;
    const note = `tokens are signed with the key ${keys.signing} now; ${old.signing} ${until === undefined ? 'is valid no more' : `stays valid until ${until}`}`;
    news.push({ type: 'Normal', reason: 'KeysRotated', note });
  }
  return news;
}

export function announceStatus(
  events: EventRecorder,
  engine: KubeObject,
  before: HFTEngineStatus | undefined,
  after: HFTEngineStatus,
): void {
  for (const { type, reason, note } of announcements(before, after)) events.event(engine, type, reason, note, 'Reconcile');
}

/** An event for a child that was put right although the spec did not change: somebody edited or deleted it. */
export function announceRepair(events: EventRecorder, engine: HFTEngine, source: KubeObject, { object, action, reasons }: Written): void {
  if (engine.status?.observedGeneration !== engine.metadata.generation) return;
  const what = `${object.kind ?? 'object'} ${object.metadata.name}`;
  const note = action === 'created' ? `${what} was missing and was made again` : `${what} was put right: ${reasons.slice(0, 3).join('; ')}`;
  events.event(source, 'Normal', 'Repaired', note.slice(0, 1000), 'Reconcile');
}
