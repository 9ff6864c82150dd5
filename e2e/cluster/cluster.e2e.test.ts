import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { execa } from 'execa';
import { stringify } from 'yaml';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../wait.ts';

const NAMESPACE = 'e2e-cluster';
const required = (name: string) => {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run these tests with npm run e2e`);
  return value;
};
/** Answers every request with what is in its volume. */
const PROGRAM = `
const fs = require('fs');
fs.writeFileSync('/data/x', 'from the volume');
console.log('user', process.getuid());
require('http').createServer((request, response) => response.end(fs.readFileSync('/data/x'))).listen(8080);`;
/** Prints how much processor time a busy loop of one second of real time was given, in milliseconds. */
const BUSY =
  'const t=Date.now(),c=process.cpuUsage();while(Date.now()-t<1000);const u=process.cpuUsage(c);console.log(Math.round((u.user+u.system)/1000))';

const restricted = { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } };

function objects(image: string): object[] {
  return [
    {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: 'data', namespace: NAMESPACE },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '10Mi' } } },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'front', namespace: NAMESPACE },
      spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }] },
    },
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'web', namespace: NAMESPACE, labels: { app: 'web' } },
      spec: {
        terminationGracePeriodSeconds: 1,
        securityContext: {
          runAsNonRoot: true,
          runAsUser: 10001,
          runAsGroup: 10001,
          fsGroup: 10001,
          seccompProfile: { type: 'RuntimeDefault' },
        },
        containers: [
          {
            name: 'web',
            image,
            imagePullPolicy: 'IfNotPresent',
            command: ['node', '-e', PROGRAM],
            readinessProbe: { httpGet: { path: '/', port: 8080 }, periodSeconds: 1 },
            resources: { requests: { cpu: '250m', memory: '128Mi' }, limits: { cpu: '250m', memory: '128Mi' } },
            securityContext: restricted,
            volumeMounts: [{ name: 'data', mountPath: '/data' }],
          },
        ],
        volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }],
      },
    },
  ];
}

describe('the cluster', () => {
  const kubeconfig = required('HFT_E2E_KUBECONFIG');
  const kubectlPath = required('HFT_E2E_KUBECTL');
  const run = (args: readonly string[], options: { input?: string } = {}) =>
    execa(kubectlPath, ['--kubeconfig', kubeconfig, '-n', NAMESPACE, ...args], { timeout: 90_000, reject: false, ...options });
  const inPod = (script: string) => run(['exec', 'web', '--', 'node', '-e', script]);
  const removeNamespace = () => run(['delete', 'namespace', NAMESPACE, '--ignore-not-found', '--timeout=80s']);

  beforeAll(async () => {
    await removeNamespace();
    await run(['create', 'namespace', NAMESPACE]);
    await run(['label', 'namespace', NAMESPACE, 'pod-security.kubernetes.io/enforce=restricted']);
    const yaml = objects(required('HFT_E2E_IMAGE'))
      .map((object) => stringify(object))
      .join('---\n');
    const applied = await run(['apply', '-f', '-'], { input: yaml });
    expect(applied.stderr).toBe('');
    const waited = await run(['wait', '--for=condition=Ready', 'pod/web', '--timeout=60s']);
    expect(waited.stdout).toContain('condition met');
  });
  afterAll(removeNamespace);

  it('shows logs, and passes the exit code of exec on', async () => {
    expect((await run(['logs', 'web'])).stdout).toBe('user 10001');
    expect((await inPod('process.exit(7)')).exitCode).toBe(7);
  });

  it('resolves names and reaches a Service by them, from the pod behind it too', async () => {
    const name = `front.${NAMESPACE}.svc.cluster.local`;
    expect((await inPod(`fetch('http://front/').then(r=>r.text()).then(console.log)`)).stdout).toBe('from the volume');
    expect((await inPod(`fetch('http://${name}/').then(r=>r.text()).then(console.log)`)).stdout).toBe('from the volume');
    expect((await inPod(`require('dns').lookup('no-such.${NAMESPACE}.svc.cluster.local', e => console.log(e.code))`)).stdout).toBe(
      'ENOTFOUND',
    );
  });

  it('presents a certificate for the API server that pods can check', async () => {
    const script = `require('tls').connect({host:'kubernetes.default.svc',port:443,rejectUnauthorized:false,servername:'kubernetes.default.svc'},
      function(){console.log(this.getPeerCertificate().subjectaltname)}).on('secureConnect',function(){this.end()})`;
    expect((await inPod(script)).stdout).toContain('DNS:kubernetes.default.svc');
  });

  it('forwards a port', async () => {
    const child = spawn(kubectlPath, ['--kubeconfig', kubeconfig, '-n', NAMESPACE, 'port-forward', 'pod/web', ':8080'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = once(child, 'exit');
    try {
      const [line] = await once(createInterface(child.stdout), 'line');
      const port = /127\.0\.0\.1:(\d+)/.exec(String(line))?.[1];
      const answer = await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(10_000) });
      expect(await answer.text()).toBe('from the volume');
    } finally {
      child.kill();
      await ended;
    }
  });

  it('holds a pod to its processor limit', async () => {
    const grantedMs = Number((await inPod(BUSY)).stdout);
    // A quarter of a processor: 250 ms in a second, and some more for the period that is running at the end.
    expect(grantedMs).toBeGreaterThan(100);
    expect(grantedMs).toBeLessThan(400);
  });

  it('kills a container that takes more memory than its limit', async () => {
    const result = await inPod(`const all=[];for(;;)all.push(Buffer.alloc(8e6,1))`);
    expect(result.exitCode).toBe(137);
  });

  it('refuses a pod that is not restricted', async () => {
    const refused = await run(['run', 'bad', '--image=x', '--restart=Never']);
    expect(refused.stderr).toContain('violates PodSecurity "restricted:latest"');
  });

  it('keeps a volume’s data for the next pod, and deletes the volume with its claim', async () => {
    const volume = (await run(['get', 'pvc/data', '-o', 'jsonpath={.spec.volumeName}'])).stdout;
    expect(volume).not.toBe('');
    await inPod(`require('fs').writeFileSync('/data/y','kept')`);
    await run(['delete', 'pod/web', '--wait']);
    const again = objects(required('HFT_E2E_IMAGE'))
      .map((object) => stringify(object))
      .join('---\n');
    await run(['apply', '-f', '-'], { input: again });
    await run(['wait', '--for=condition=Ready', 'pod/web', '--timeout=60s']);
    expect((await inPod(`console.log(require('fs').readFileSync('/data/y','utf8'))`)).stdout).toBe('kept');
    await run(['delete', 'pod/web', '--wait']);
    await run(['delete', 'pvc/data', '--wait']);
    await eventually('the volume to go', async () => (await run(['get', `pv/${volume}`])).stderr.includes('NotFound'), {
      timeoutMs: 30_000,
    });
  });
});
