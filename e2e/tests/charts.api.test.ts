/**
 * The manifests against a real API server: every golden file is accepted with strict field validation and without a warning, the pods it would
 * make pass restricted Pod Security, what is stored says what was applied, and `kubectl apply -f` of the synthesized folder is a full install.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { installApp, samplesApp } from '../../cdk8s/install.ts';
import { GOLDEN_CASES, GOLDEN_NAMESPACE } from '../../charts/golden/cases.ts';
import type { KubeObject } from '../../charts/kube-object.ts';
import { LEASE_NAME } from '../../charts/operator-rbac.ts';
import { RESTRICTED_NAMESPACE_LABELS } from '../../charts/pod-security.ts';
import { startApiServer, type ApiOnly } from '../cluster/api-only.ts';
import { controlPlanePrograms } from '../cluster/binaries.ts';

const GOLDEN = join(import.meta.dirname, '../../charts/golden');
const STRICT = ['--server-side', '--field-manager=hft-operator', '--validate=strict'];

let server: ApiOnly;
let kubectlPath = '';
let outdir = '';

interface Answer {
  exitCode: number | undefined;
  stdout: string;
  stderr: string;
}

async function kubectl(args: readonly string[], options: { input?: object; kubeconfig?: string } = {}): Promise<Answer> {
  const { exitCode, stdout, stderr } = await execa(kubectlPath, [`--kubeconfig=${options.kubeconfig ?? server.kubeconfigPath}`, ...args], {
    input: options.input === undefined ? '' : JSON.stringify(options.input),
    timeout: 30_000,
    reject: false,
  });
  return { exitCode, stdout, stderr };
}

/** Runs kubectl and takes any word on stderr for a failure: a warning of the API server is one. */
async function quietly(args: readonly string[], input?: object): Promise<string> {
  const answer = await kubectl(args, { input });
  expect(answer).toMatchObject({ exitCode: 0, stderr: '' });
  return answer.stdout;
}

/** What is stored of the objects in a file, in the file's order. */
async function storedObjects(path: string): Promise<KubeObject[]> {
  const list = JSON.parse(await quietly(['get', '--output=json', '-f', path])) as { items: KubeObject[] };
  return list.items;
}

async function goldenObjects(name: string): Promise<KubeObject[]> {
  const text = await readFile(join(GOLDEN, `${name}.yaml`), 'utf8');
  return parseAllDocuments(text).map((document) => document.toJS() as KubeObject);
}

beforeAll(async () => {
  kubectlPath = (await controlPlanePrograms(() => {})).kubectl;
  server = await startApiServer();
  outdir = await mkdtemp(join(tmpdir(), 'hft-charts-'));
  installApp(outdir).synth();
  samplesApp(outdir).synth();
});
afterAll(async () => {
  await server?.stop();
  if (outdir !== '') await rm(outdir, { recursive: true, force: true });
});

describe('the synthesized install', () => {
  it('is installed by one apply on an empty cluster, and then has nothing left to apply', async () => {
    const output = await quietly(['apply', '--validate=strict', '-f', outdir]);
    expect(output.match(/ created$/gm)).toHaveLength(10);
    expect(await quietly(['diff', '-f', outdir])).toBe('');
    await quietly(['wait', '--for=condition=Established', '--timeout=20s', 'crd/hftengines.hftengine.io']);
  });

  it('then knows the samples', async () => {
    const output = await quietly(['apply', '--validate=strict', '-f', join(outdir, 'samples')]);
    expect(output).toContain('hftengine.hftengine.io/demo created');
    expect(await quietly(['get', 'hft', 'demo', '-n', 'trading', '-o', 'jsonpath={.spec.deletionPolicy}'])).toBe('Retain');
  });

  it('lets the operator do its work and no more', async () => {
    const kubeconfig = await server.kubeconfigForServiceAccount({ namespace: 'hft-system', name: 'hft-operator' });
    const may = async (...question: string[]): Promise<string> => {
      const { stdout } = await kubectl(['auth', 'can-i', ...question], { kubeconfig });
      return `${question.join(' ')}: ${stdout.trim()}`;
    };
    const questions: [string[], 'yes' | 'no'][] = [
      [['watch', 'hftengines.hftengine.io', '--all-namespaces'], 'yes'],
      [['patch', 'hftengines.hftengine.io', '--subresource=status', '-n', 'trading'], 'yes'],
      [['update', 'hftengines.hftengine.io', '--subresource=finalizers', '-n', 'trading'], 'yes'],
      [['create', 'deployments.apps', '-n', 'elsewhere'], 'yes'],
      [['patch', 'pods', '--subresource=status', '-n', 'trading'], 'yes'],
      [['delete', 'persistentvolumeclaims', '-n', 'trading'], 'yes'],
      [['create', 'leases.coordination.k8s.io', '-n', 'hft-system'], 'yes'],
      [['update', `leases.coordination.k8s.io/${LEASE_NAME}`, '-n', 'hft-system'], 'yes'],
      [['update', 'leases.coordination.k8s.io/another', '-n', 'hft-system'], 'no'],
      [['update', `leases.coordination.k8s.io/${LEASE_NAME}`, '-n', 'trading'], 'no'],
      [['delete', 'secrets', '-n', 'trading'], 'no'],
      [['create', 'hftengines.hftengine.io', '-n', 'trading'], 'no'],
      [['delete', 'hftengines.hftengine.io', '-n', 'trading'], 'no'],
      [['create', 'pods', '-n', 'trading'], 'no'],
      [['create', 'pods', '--subresource=exec', '-n', 'trading'], 'no'],
      [['list', 'nodes'], 'no'],
      [['create', 'clusterroles.rbac.authorization.k8s.io'], 'no'],
      [['create', 'serviceaccounts', '--subresource=token', '-n', 'trading'], 'no'],
      [['impersonate', 'users'], 'no'],
    ];
    const answers = await Promise.all(questions.map(([question]) => may(...question)));
    expect(answers).toEqual(questions.map(([question, answer]) => `${question.join(' ')}: ${answer}`));
  });
});

describe('every golden manifest', () => {
  beforeAll(async () => {
    for (const name of ['hft-system', 'platform', GOLDEN_NAMESPACE]) {
      const labels = { ...RESTRICTED_NAMESPACE_LABELS };
      await kubectl(['apply', '--server-side', '--force-conflicts', '-f', '-'], {
        input: { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } },
      });
    }
  });

  it.each(Object.keys(GOLDEN_CASES))('%s is applied without a warning, stored as written, and not written twice', async (name) => {
    const path = join(GOLDEN, `${name}.yaml`);
    const objects = await goldenObjects(name);
    await quietly(['apply', ...STRICT, '--force-conflicts', '-f', path]);
    const stored = await storedObjects(path);
    // The API server only adds defaults: a quantity or a list that it wrote differently would look like drift for ever.
    for (const [index, object] of objects.entries()) expect(stored[index]).toMatchObject(object);

    await quietly(['apply', ...STRICT, '--force-conflicts', '-f', path]);
    const again = await storedObjects(path);
    // Kubernetes stores a PersistentVolumeClaim anew at its second apply, and only then, though nothing in it differs.
    const versionsOf = (all: KubeObject[]): object[] =>
      all.map(({ kind, metadata }) => (kind === 'PersistentVolumeClaim' ? { ...metadata, resourceVersion: undefined } : metadata));
    expect(versionsOf(again)).toEqual(versionsOf(stored));
  });

  it.each(Object.keys(GOLDEN_CASES))('%s makes pods that restricted Pod Security admits', async (name) => {
    const deployments = (await goldenObjects(name)).filter(({ kind }) => kind === 'Deployment');
    expect(deployments.length).toBeGreaterThan(0);
    for (const { metadata, spec } of deployments) {
      const { template } = spec as { template: { metadata: object; spec: object } };
      const pod = {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { ...template.metadata, name: metadata.name, namespace: metadata.namespace },
        spec: template.spec,
      };
      await quietly(['create', '--dry-run=server', '--validate=strict', '-f', '-'], pod);
    }
  });

  it('would fail here if it were not restricted, or named a field that does not exist', async () => {
    const [deployment] = (await goldenObjects('engine-default')).filter(({ kind }) => kind === 'Deployment');
    const edited = structuredClone(deployment) as KubeObject & { spec: { template: { spec: Record<string, unknown> } } };
    edited.spec.template.spec['hostNetwork'] = true;
    const warned = await kubectl(['apply', ...STRICT, '--dry-run=server', '--force-conflicts', '-f', '-'], { input: edited });
    expect(warned.stderr).toMatch(/^Warning: would violate PodSecurity "restricted:latest": host namespaces/);

    delete edited.spec.template.spec['hostNetwork'];
    edited.spec.template.spec['readinessGate'] = [];
    const refused = await kubectl(['apply', ...STRICT, '--dry-run=server', '--force-conflicts', '-f', '-'], { input: edited });
    expect(refused.exitCode).toBe(1);
    expect(refused.stderr).toMatch(/readinessGate: field not declared in schema|unknown field "spec.template.spec.readinessGate"/);
  });
});
