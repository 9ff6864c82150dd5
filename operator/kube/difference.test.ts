import { describe, expect, it } from 'vitest';
import { differenceOf, manifestOf } from './difference.ts';
import { hashOf } from './json.ts';
import { resources } from './resource.ts';
import type { KubeObject, Resource } from './resource.ts';

describe('the difference', () => {
  const ANNOTATION = 'example.io/applied-hash';
  const values = (resource: Resource<KubeObject>, desired: KubeObject, content: object, appliedHash: string): string[] => {
    const manifest = manifestOf(resource, desired);
    const metadata = { ...desired.metadata, uid: 'u', resourceVersion: '1', annotations: { [ANNOTATION]: appliedHash } };
    return differenceOf(manifest, { ...content, metadata }, hashOf(manifest), 'ours', ANNOTATION).values;
  };

  it('is there for a changed manifest even where the live object holds all of it', () => {
    const desired = { metadata: { name: 'c', namespace: 'n' }, data: { a: '1' } };
    const hash = hashOf({ apiVersion: 'v1', kind: 'ConfigMap', ...desired });
    expect(values(resources.configMaps, desired, { data: desired.data }, hash)).toEqual([]);
    const fewer = { metadata: { name: 'c', namespace: 'n', labels: {} }, data: { a: '1' } };
    expect(values(resources.configMaps, fewer, { data: desired.data }, hash)).toEqual(['the manifest changed']);
  });

  it('compares stringData with the data that the server made of it', () => {
    const secret = (value: string) => ({ metadata: { name: 's', namespace: 'n' }, stringData: { token: value } });
    const data = { token: Buffer.from('hunter2').toString('base64') };
    const hash = hashOf({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 's', namespace: 'n' }, data });
    expect(values(resources.secrets, secret('hunter2'), { data }, hash)).toEqual([]);
    expect(values(resources.secrets, secret('hunter3'), { data }, hash)).toEqual(['the manifest changed', 'data.token differs']);
  });
});
