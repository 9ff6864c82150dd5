/** The objects that a spec asks for, as the charts make them, with what the operator needs to find its way back written on them. */
import { engineObjects, type EngineSecrets } from '../../charts/engine.ts';
import { configMapName } from '../../charts/names.ts';
import { GROUP, specSchema, type HFTEngine, type HFTEngineSpec } from '../../crds/hftengine.ts';
import type { KubeObject } from '../kube/resource.ts';
import type { ConfigMap } from './resource.ts';
import { withRevision } from './revision.ts';

/** On each ConfigMap: the whole spec that was applied with it, so that a refused change can be answered with what was accepted before. */
const SPEC_ANNOTATION = `${GROUP}/spec`;

export interface Wanted {
  /** In apply order. */
  objects: readonly KubeObject[];
  deployment: KubeObject;
}

export interface WantedInput {
  engine: HFTEngine;
  /** The spec to render; usually the engine's own. */
  spec: HFTEngineSpec;
  secrets: EngineSecrets;
  operatorNamespace: string;
}

/** Pure and deterministic. */
export function wantedOf({ engine, spec, secrets, operatorNamespace }: WantedInput): Wanted {
  const { name, namespace, uid } = engine.metadata;
  const objects = engineObjects({ name, namespace, uid, spec, secrets, operatorNamespace }).map((object) => {
    if (object.kind === 'Deployment') return withRevision(object);
    return object.kind === 'ConfigMap' ? withSpec(object, spec) : object;
  });
  const deployment = objects.find(({ kind }) => kind === 'Deployment');
  if (deployment === undefined) throw new TypeError('the engine chart has no Deployment');
  return { objects, deployment };
}

function withSpec(configMap: KubeObject, spec: HFTEngineSpec): KubeObject {
  const annotations = { ...configMap.metadata.annotations, [SPEC_ANNOTATION]: JSON.stringify(spec) };
  return { ...configMap, metadata: { ...configMap.metadata, annotations } };
}

/** The spec that was applied together with the configuration `configHash`; undefined when its ConfigMap is gone or was edited by hand. */
export function acceptedSpec(
  engine: HFTEngine,
  configMaps: readonly ConfigMap[],
  configHash: string | undefined,
): HFTEngineSpec | undefined {
  if (configHash === undefined) return undefined;
  const name = configMapName(engine.metadata.name, configHash);
  const text = configMaps.find(({ metadata }) => metadata.name === name)?.metadata.annotations?.[SPEC_ANNOTATION];
  if (text === undefined) return undefined;
  try {
    return specSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
