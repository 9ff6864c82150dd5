/**
 * The revision of a pod template: a hash that every pod made from the template carries, so that a pod tells which revision it is of
 * without the ReplicaSets between it and the Deployment.
 */
import { createHash } from 'node:crypto';
import { GROUP } from '../../crds/hftengine.ts';
import type { KubeObject } from '../kube/resource.ts';
import type { Deployment, Pod } from './resource.ts';

const REVISION_ANNOTATION = `${GROUP}/revision`;

/** The pod template of a Deployment, live or wanted; undefined for anything else. */
export function templateOf(deployment: KubeObject | undefined): NonNullable<Deployment['spec']>['template'] | undefined {
  return deployment !== undefined && 'spec' in deployment ? (deployment as Deployment).spec?.template : undefined;
}

/** `deployment` with its template's revision written on the template. The charts are deterministic, so equal templates give equal revisions. */
export function withRevision(deployment: KubeObject): KubeObject {
  const template = templateOf(deployment);
  if (template === undefined) throw new TypeError('a Deployment has no pod template');
  const revision = createHash('sha256').update(JSON.stringify(template)).digest('hex').slice(0, 16);
  const metadata = { ...template.metadata, annotations: { ...template.metadata?.annotations, [REVISION_ANNOTATION]: revision } };
  return { ...deployment, spec: { ...(deployment as Deployment).spec, template: { ...template, metadata } } } as KubeObject;
}

export function revisionOfTemplate(deployment: KubeObject | undefined): string | undefined {
  return templateOf(deployment)?.metadata?.annotations?.[REVISION_ANNOTATION];
}

export function revisionOfPod(pod: Pod): string | undefined {
  return pod.metadata.annotations?.[REVISION_ANNOTATION];
}
