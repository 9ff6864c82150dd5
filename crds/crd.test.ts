import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import { customResourceDefinition, objectSchema } from './crd.ts';
import { generatedFiles, staleFiles } from './generate.ts';
import type { StructuralSchema } from './structural-schema.ts';

function walk(schema: StructuralSchema, path: string, visit: (schema: StructuralSchema, path: string) => void): void {
  visit(schema, path);
  for (const [key, property] of Object.entries(schema.properties ?? {})) walk(property, `${path}.${key}`, visit);
  if (schema.items !== undefined) walk(schema.items, `${path}[]`, visit);
}

function offenders(offends: (schema: StructuralSchema, path: string) => boolean): string[] {
  const found: string[] = [];
  walk(objectSchema(), '', (schema, path) => {
    if (offends(schema, path)) found.push(path);
  });
  return found;
}

test('the generated files in the repository are up to date', async () => {
  expect(await staleFiles()).toEqual([]);
});

test('a missing and an edited file are stale', async () => {
  const root = await mkdtemp(join(tmpdir(), 'crds-'));
  onTestFinished(() => rm(root, { recursive: true }));
  const [crd, reference] = generatedFiles();
  if (crd === undefined || reference === undefined) throw new Error('two files are generated');
  expect(await staleFiles(root)).toEqual([crd.path, reference.path]);
  for (const { path, content } of [crd, reference]) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content);
  }
  expect(await staleFiles(root)).toEqual([]);
  await writeFile(join(root, crd.path), `${crd.content}\n`);
  expect(await staleFiles(root)).toEqual([crd.path]);
});

test('the YAML is the definition, and generation is deterministic', () => {
  const content = generatedFiles().find(({ path }) => path === 'crds/hftengine.yaml')?.content ?? '';
  expect(parse(content)).toEqual(customResourceDefinition());
  expect(generatedFiles()).toEqual(generatedFiles());
});

test('every field has a description', () => {
  const standard = new Set(['.apiVersion', '.kind', '.metadata', '.metadata.name']);
  expect(offenders(({ description }, path) => description === undefined && !path.endsWith('[]') && !standard.has(path))).toEqual([]);
});

test('every string and list is bounded, so that the cost of every rule is', () => {
  const standard = new Set(['.apiVersion', '.kind']);
  expect(
    offenders(
      ({ type, maxLength, enum: values, format, maxItems }, path) =>
        (type === 'string' && maxLength === undefined && values === undefined && format === undefined && !standard.has(path)) ||
        (type === 'array' && maxItems === undefined),
    ),
  ).toEqual([]);
});

test('no field is checked by a regular expression alone, which the API server would show to people', () => {
  expect(offenders(({ pattern }) => pattern !== undefined)).toEqual([]);
});

test('only spec and its instruments are required', () => {
  const { required, properties } = objectSchema();
  expect(required).toEqual(['spec']);
  expect(properties?.['spec']?.required).toEqual(['instruments']);
});

test('conditions merge by type', () => {
  expect(objectSchema().properties?.['status']?.properties?.['conditions']).toMatchObject({
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['type'],
  });
});
