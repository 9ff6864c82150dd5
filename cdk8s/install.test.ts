import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { operatorObjects } from '../charts/operator.ts';
import { customResourceDefinition } from '../crds/crd.ts';
import { hftEngineSchema } from '../crds/hftengine.ts';
import { helmFiles } from './helm.ts';
import { installApp, samplesApp } from './install.ts';

const MAIN = join(import.meta.dirname, 'main.ts');

let outdir = '';
beforeAll(async () => {
  outdir = await mkdtemp(join(tmpdir(), 'hft-synth-'));
  installApp(outdir).synth();
  samplesApp(outdir).synth();
});
afterAll(() => rm(outdir, { recursive: true, force: true }));

async function documents(path: string): Promise<unknown[]> {
  return parseAllDocuments(await readFile(join(outdir, path), 'utf8')).map((document) => document.toJS() as unknown);
}

describe('the install manifests', () => {
  it('are nothing but the CRD and the operator, in this order by name', async () => {
    const files = await readdir(outdir, { withFileTypes: true });
    expect(files.map((file) => (file.isDirectory() ? `${file.name}/` : file.name)).sort()).toEqual([
      '0000-crd.k8s.yaml',
      '0001-operator.k8s.yaml',
      'samples/',
    ]);
  });

  it('hold the CRD as it was generated', async () => {
    expect(await documents('0000-crd.k8s.yaml')).toEqual([customResourceDefinition()]);
  });

  it('hold the operator’s objects in apply order', async () => {
    expect(await documents('0001-operator.k8s.yaml')).toEqual(operatorObjects());
  });
});

describe('the samples', () => {
  it('are an engine that the API takes, after its namespace', async () => {
    const [namespace, engine, ...others] = await documents('samples/demo.k8s.yaml');
    expect(others).toEqual([]);
    expect(namespace).toMatchObject({ kind: 'Namespace', metadata: { name: 'trading' } });
    const stored = { uid: 'uid-1', generation: 1, resourceVersion: '1' };
    const { metadata, ...rest } = engine as { metadata: object };
    const parsed = hftEngineSchema.parse({ ...rest, metadata: { ...metadata, ...stored } });
    expect(parsed.metadata).toMatchObject({ name: 'demo', namespace: 'trading' });
    await expect(await readFile(join(outdir, 'samples/demo.k8s.yaml'), 'utf8')).toMatchFileSnapshot(
      join(import.meta.dirname, 'golden/demo.yaml'),
    );
  });
});

describe('the Helm chart', () => {
  const files = new Map(helmFiles('1.2.3', 'registry.example/op:1').map(({ path, content }) => [path, content]));

  it('has the version that it is given, and the CRD where Helm installs it first', () => {
    expect(parse(files.get('Chart.yaml') ?? '')).toMatchObject({ apiVersion: 'v2', name: 'hft-operator', version: '1.2.3' });
    expect(parse(files.get('crds/hftengines.yaml') ?? '')).toEqual(customResourceDefinition());
  });

  it('renders to the objects of the plain install, but for the namespace, which is the release’s', () => {
    const values = parse(files.get('values.yaml') ?? '') as { image: string };
    const rendered = (files.get('templates/operator.yaml') ?? '')
      .replaceAll('{{ .Values.image }}', values.image)
      .replaceAll('{{ .Release.Namespace }}', 'platform');
    expect(rendered).not.toContain('{{');
    const plain = operatorObjects({ image: 'registry.example/op:1', namespace: 'platform' }).filter(({ kind }) => kind !== 'Namespace');
    expect(parseAllDocuments(rendered).map((document) => document.toJS() as unknown)).toEqual(plain);
  });
});

describe('cdk8s/main.ts', () => {
  const run = (...args: string[]): ReturnType<typeof execa> =>
    execa(process.execPath, [MAIN, ...args], { env: { CDK8S_OUTDIR: join(outdir, 'main') }, timeout: 15_000, reject: false });

  it('writes to the folder that the cdk8s CLI names, with the image and namespace it is told', async () => {
    expect(await run('--operator-image', 'registry.example/op:1', '--namespace', 'platform')).toMatchObject({ exitCode: 0, stderr: '' });
    expect(await documents('main/0001-operator.k8s.yaml')).toEqual(
      operatorObjects({ image: 'registry.example/op:1', namespace: 'platform' }),
    );
    expect((await readdir(join(outdir, 'main'))).filter((file) => file.endsWith('.yaml'))).toHaveLength(2);
    expect(await readdir(join(outdir, 'main/samples'))).toEqual(['demo.k8s.yaml']);
    expect(await documents('main/helm/hft-operator/values.yaml')).toEqual([{ image: 'registry.example/op:1' }]);
  });

  it('explains itself, and a wrong command line', async () => {
    const [help, unknown, namespace] = await Promise.all([run('--help'), run('--operator-imagee', 'x'), run('--namespace', 'Not_One')]);
    expect(help.stdout).toContain('kubectl apply -f dist/');
    expect(unknown).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('--help') as string });
    expect(namespace).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('for example hft-system') as string });
  });
});
