import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { execa } from 'execa';
import { stringify } from 'yaml';
import { controlPlanePrograms } from '../binaries.ts';
import { step, type Log } from '../progress.ts';
import { eventually } from '../../wait.ts';
import { PAUSE_IMAGE } from './configuration.ts';
import { clusterProcesses, kill } from './daemons.ts';
import { inventoryDifference, takeInventory } from './inventory.ts';
import { LocalProvider } from './provider.ts';

/** What only this cluster's processes have in their command lines. */
const MARKS = ['/var/lib/hftengine-cluster/', '/run/hftengine-cluster/', 'containerd-shim', 'volumes-main.ts', '/pause -P'];

const INSIDE = 'HFT_SELFTEST_INSIDE';
/** Name of the cluster that the self-test makes; it is never one that somebody uses. */
const NAME = 'selftest';

/** Gives the command a network, mounts and processes of its own, and the cgroups of the machine. */
const ISOLATE = `
mount -t tmpfs none /run
mkdir -p /run/lock /run/cgroup /var/lib/cni /var/lib/kubelet
mount --rbind /sys/fs/cgroup /run/cgroup
mount -t sysfs sysfs /sys
mount --rbind /run/cgroup /sys/fs/cgroup
umount -l /run/cgroup
rmdir /run/cgroup
mount -t tmpfs none /var/lib/cni
mount -t tmpfs none /var/lib/kubelet
ip link set lo up
ip link add outside0 type veth peer name outside1
ip address add 198.51.100.1/24 dev outside0
ip link set outside0 up
ip link set outside1 up
ip route add default via 198.51.100.2
"$@"`;

/**
 * Proves that `up` recovers from a crash at any moment and that `down` leaves the machine as it was, `rounds` times. Every
 * round kills an `up` after a random time; even rounds then bring the cluster up again, run a pod with a volume and
 * kill all daemons before `down`. It runs in namespaces of its own, so a cluster that is up is not touched.
 */
export async function selftest(rounds: number, log: Log): Promise<void> {
  await controlPlanePrograms(log);
  if (!process.env[INSIDE]) {
    const command = [process.execPath, join(import.meta.dirname, '..', 'main.ts'), 'selftest', '--rounds', String(rounds)];
    const unshare = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc', 'bash', '-ec', ISOLATE, 'isolate', ...command];
    const { exitCode } = await execa('unshare', unshare, { stdio: 'inherit', reject: false, env: { [INSIDE]: '1' } });
    if (exitCode !== 0) throw new Error('the self-test failed; its messages stand above');
    return;
  }
  const provider = new LocalProvider(NAME);
  // Data of a self-test that was killed.
  await provider.down(() => {});
  await provider.up(log);
  await provider.down(log);
  // The first cluster of a machine leaves kernel modules loaded and their settings visible; compare from here on.
  const before = await takeInventory(provider.layout, MARKS);
  for (let round = 1; round <= rounds; round += 1) {
    const crashAfterMs = Math.round(Math.random() * 9_000);
    await step(log, `round ${round}: up, killed after ${crashAfterMs} ms`, () => killedUp(provider, crashAfterMs));
    if (round % 2 === 0) {
      await provider.up(log);
      await step(log, `round ${round}: a pod with a volume`, () => runPod(provider));
      await step(log, `round ${round}: every daemon killed`, () => killDaemons(provider));
    }
    await provider.down(log);
    const difference = inventoryDifference(before, await takeInventory(provider.layout, MARKS));
    if (difference.length > 0) throw new Error(`round ${round}: down left or took\n${difference.join('\n')}`);
    log(`✓ round ${round}: the machine is as it was`);
  }
}

async function killedUp(provider: LocalProvider, afterMs: number): Promise<void> {
  const main = join(import.meta.dirname, '..', 'main.ts');
  const child = spawn(process.execPath, [main, 'up', '--provider', 'local', '--name', provider.layout.name], { stdio: 'ignore' });
  const ended = once(child, 'exit');
  const timer = setTimeout(() => child.kill('SIGKILL'), afterMs);
  await ended;
  clearTimeout(timer);
}

async function killDaemons(provider: LocalProvider): Promise<void> {
  for (const entry of await clusterProcesses(provider.layout.state)) if (entry.daemon) kill(entry.pid, 'SIGKILL');
}

async function runPod(provider: LocalProvider): Promise<void> {
  const objects = [
    {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: 'selftest' },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '10Mi' } } },
    },
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'selftest' },
      spec: {
        containers: [
          {
            name: 'pause',
            image: PAUSE_IMAGE,
            imagePullPolicy: 'Never',
            volumeMounts: [
              { name: 'data', mountPath: '/data' },
              { name: 'memory', mountPath: '/memory' },
            ],
          },
        ],
        volumes: [
          { name: 'data', persistentVolumeClaim: { claimName: 'selftest' } },
          { name: 'memory', emptyDir: { medium: 'Memory' } },
        ],
      },
    },
  ];
  const [kubectl, kubeconfig] = await Promise.all([provider.kubectlPath(), provider.kubeconfigPath()]);
  const run = (args: readonly string[], input?: string) =>
    execa(kubectl, ['--kubeconfig', kubeconfig, ...args], { timeout: 90_000, ...(input !== undefined && { input }) });
  await run(['apply', '-f', '-'], objects.map((object) => stringify(object)).join('---\n'));
  await run(['wait', '--for=condition=Ready', 'pod/selftest', '--timeout=60s']);
  await eventually('the claim', async () => (await run(['get', 'pvc/selftest', '-o', 'jsonpath={.status.phase}'])).stdout === 'Bound', {
    timeoutMs: 5_000,
  });
}
