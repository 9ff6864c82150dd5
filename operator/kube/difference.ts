/** What separates a live object from the manifest that it should hold. Pure. */
import { drift } from './drift.ts';
import { foreignFields, takenParts } from './foreign.ts';
import type { ForeignField } from './foreign.ts';
import { isRecord } from './json.ts';
import type { JsonRecord } from './json.ts';
import { apiVersionOf } from './resource.ts';
import type { KubeObject, Live, Resource } from './resource.ts';

/** As JSON, with a Secret's `stringData` as the `data` that the server makes of it. */
export function manifestOf(resource: Resource<KubeObject>, desired: KubeObject): JsonRecord {
  const plain: unknown = JSON.parse(JSON.stringify(desired));
  if (!isRecord(plain)) throw new TypeError('a manifest must be an object');
  const { stringData, ...rest } = plain;
  const manifest: JsonRecord = { ...rest, apiVersion: apiVersionOf(resource), kind: resource.kind };
  if (resource.kind === 'Secret' && isRecord(stringData)) {
    const encoded = Object.entries(stringData).map(([key, value]) => [key, Buffer.from(String(value)).toString('base64')] as const);
    manifest['data'] = { ...(isRecord(rest['data']) ? rest['data'] : {}), ...Object.fromEntries(encoded) };
  }
  return manifest;
}

export function plainOf(live: Live<KubeObject>): JsonRecord & Live<KubeObject> {
  return { ...live };
}

export interface Difference {
  /** Where the live object does not hold the manifest. */
  readonly values: string[];
  readonly foreign: ForeignField[];
}

export function differenceOf(
  manifest: JsonRecord,
  live: Live<KubeObject>,
  hash: string,
  fieldManager: string,
  hashAnnotation: string,
): Difference {
  const plain = plainOf(live);
  const values = [...drift(manifest, plain), ...takenParts(manifest, plain, fieldManager)];
  if (live.metadata.annotations?.[hashAnnotation] !== hash) values.unshift('the manifest changed');
  return { values, foreign: foreignFields(manifest, plain, fieldManager) };
}
