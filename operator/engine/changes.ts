/**
 * What a change of the spec means for a running engine, field by field. In this version every change of the configuration or of the pod
 * restarts the engine (drain, new pod, verified recovery); the class and its reason stand in `status.plan` before it happens.
 */
import type { Plan } from '../../crds/hftengine.ts';
import { engineConfigSchema, type EngineConfig } from '../../crds/engine-config.ts';
import { CONFIG_HASH_ANNOTATION, CONFIG_KEY, configMapName } from '../../charts/names.ts';
import type { KubeObject } from '../kube/resource.ts';
import { heapFlagsOf } from './pods.ts';
import { revisionOfTemplate, templateOf } from './revision.ts';
import type { ConfigMap, Deployment } from './resource.ts';

export type Change = Plan['changes'][number];
/** Bounds of the CRD on `status.plan`. */
const MAX_CHANGES = 64;
const MAX_REASON_LENGTH = 1024;

export function clip(reason: string): string {
  return reason.length > MAX_REASON_LENGTH ? `${reason.slice(0, MAX_REASON_LENGTH - 1)}…` : reason;
}

export function configHashOfTemplate(deployment: KubeObject | undefined): string | undefined {
  return templateOf(deployment)?.metadata?.annotations?.[CONFIG_HASH_ANNOTATION];
}

/** The changes from the live Deployment to the wanted one; empty when the pod template is the same. */
export function changesOf(
  live: Deployment | undefined,
  wanted: KubeObject,
  liveConfigs: readonly ConfigMap[],
  config: EngineConfig,
): Change[] {
  if (live === undefined) return [{ class: 'create', field: 'spec', reason: 'there is no engine yet' }];
  if (revisionOfTemplate(live) === revisionOfTemplate(wanted)) return [];
  const changes: Change[] = [];
  const restart = (field: string, reason: string): void => void changes.push({ class: 'restart', field, reason: clip(reason) });
  const before = templateOf(live)?.spec?.containers?.[0];
  const after = templateOf(wanted)?.spec?.containers?.[0];
  if (before?.image !== after?.image)
    restart('spec.image', `${before?.image ?? 'none'} becomes ${after?.image ?? 'none'}: a new image needs a new pod`);
  if (!same(before?.resources, after?.resources)) restart('spec.resources', 'requests and limits are fixed when a container starts');
  if (!same(heapFlagsOf(before), heapFlagsOf(after))) {
    restart('spec.runtime', `heap flags become ${heapFlagsOf(after).join(' ')}: V8 reads them when it starts`);
  }
  const [mountedBefore, mountedAfter] = [secretsOfTemplate(live), secretsOfTemplate(wanted)];
  if (!same(mountedBefore, mountedAfter)) {
    restart(
      'spec.tls',
      'a pod mounts its certificate and the authorities of its clients when it is made; only their content may change after that',
    );
  }
  if (configHashOfTemplate(live) !== configHashOfTemplate(wanted)) {
    for (const field of changedConfigFields(configOfHash(liveConfigs, config.engine, configHashOfTemplate(live)), config)) {
      // Told once.
      if (!field.startsWith('spec.tls') || same(mountedBefore, mountedAfter))
        restart(field, 'the engine reads its configuration when it starts');
    }
  }
  if (changes.length === 0) restart('spec', 'the pod template changed');
  return changes.slice(0, MAX_CHANGES);
}

/** The names of the Secrets that TLS is from. */
function secretsOfTemplate(deployment: KubeObject): (string | undefined)[] {
  const volumes = templateOf(deployment)?.spec?.volumes ?? [];
  return ['tls', 'client-ca'].map((name) => volumes.find((volume) => volume.name === name)?.secret?.secretName);
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a ?? null) === JSON.stringify(b ?? null);
}

/** The configuration that a live Deployment runs with, read back from its ConfigMap; undefined when that was deleted or edited by hand. */
function configOfHash(configMaps: readonly ConfigMap[], engine: string, hash: string | undefined): EngineConfig | undefined {
  const text = configMaps.find(({ metadata }) => metadata.name === configMapName(engine, hash ?? ''))?.data?.[CONFIG_KEY];
  if (text === undefined) return undefined;
  try {
    return engineConfigSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

/** Paths of the spec in which two configurations differ, two levels deep: `spec.risk.killSwitch`, `spec.instruments`. */
function changedConfigFields(before: EngineConfig | undefined, after: EngineConfig): string[] {
  if (before === undefined) return ['spec'];
  const fields: string[] = [];
  for (const section of new Set([...Object.keys(after), ...Object.keys(before)])) {
    const value = (after as Record<string, unknown>)[section];
    const old = (before as Record<string, unknown>)[section];
    if (same(old, value)) continue;
    if (Array.isArray(value) || typeof value !== 'object' || value === null || typeof old !== 'object' || old === null) {
      fields.push(`spec.${section}`);
      continue;
    }
    const keys = new Set([...Object.keys(value), ...Object.keys(old)]);
    for (const key of keys) {
      if (!same((old as Record<string, unknown>)[key], (value as Record<string, unknown>)[key])) fields.push(`spec.${section}.${key}`);
    }
  }
  return fields;
}
