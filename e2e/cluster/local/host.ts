import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, readlink, rm, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { z } from 'zod';
import { eventually } from '../../wait.ts';
import { type Layout, NETWORK } from './layout.ts';
import { kill } from './daemons.ts';

/** Kernel settings that kubelet, kube-proxy and the bridge plugin change. */
const SYSCTLS = [
  'net/ipv4/ip_forward',
  'net/ipv4/conf/all/route_localnet',
  'net/bridge/bridge-nf-call-iptables',
  'net/netfilter/nf_conntrack_max',
  'vm/overcommit_memory',
  'vm/panic_on_oom',
  'kernel/panic',
  'kernel/panic_on_oops',
  'kernel/keys/root_maxkeys',
  'kernel/keys/root_maxbytes',
];
/** Folders that the kubelet and containerd make at fixed places outside ours. */
const FOLDERS = [
  '/var/lib/kubelet',
  '/var/log/containers',
  '/run/containerd',
  '/var/lib/cni',
  '/var/lib/cni/results',
  '/run/netns',
  '/etc/cni',
];
const COMMENT = 'hftengine-cluster';

const memorySchema = z.object({
  sysctls: z.record(z.string(), z.string()),
  folders: z.array(z.string()),
  nftTables: z.array(z.string()),
});
type Memory = z.infer<typeof memorySchema>;

const memoryPath = (layout: Layout) => join(layout.state, 'machine-before.json');

/** Writes down, once, what the machine was like before the cluster changed it, so that `restoreMachine` can put it back. */
export async function rememberMachine(layout: Layout): Promise<void> {
  if (existsSync(memoryPath(layout))) return;
  const sysctls: Record<string, string> = {};
  for (const name of SYSCTLS) {
    const value = await readFile(`/proc/sys/${name}`, 'utf8').catch(() => undefined);
    if (value !== undefined) sysctls[name] = value.trim();
  }
  const memory: Memory = { sysctls, folders: FOLDERS.filter((folder) => existsSync(folder)), nftTables: await nftTables() };
  await writeFile(memoryPath(layout), JSON.stringify(memory, undefined, 2));
}

/** Gives the machine its bridges, route, forwarding and the parent cgroup. Idempotent. */
export async function prepareMachine(layout: Layout): Promise<void> {
  await refuseForeignCluster();
  await rememberMachine(layout);
  await ensureBridge(NETWORK.nodeBridge, `${NETWORK.nodeAddress}/24`);
  await ensureBridge(NETWORK.podBridge, `${NETWORK.podAddress}/24`);
  // The route only picks the source address for service addresses; kube-proxy then rewrites the destination. An
  // address that is no service ends on the empty bridge instead of leaving the machine.
  await ip('route', 'replace', NETWORK.serviceRange, 'dev', NETWORK.nodeBridge, 'src', NETWORK.nodeAddress);
  await writeFile('/proc/sys/net/ipv4/ip_forward', '1');
  for (const direction of ['-i', '-o']) {
    const rule = [direction, NETWORK.podBridge, '-m', 'comment', '--comment', COMMENT, '-j', 'ACCEPT'];
    const present = await execa('iptables', ['-w', '30', '-C', 'FORWARD', ...rule], { reject: false, timeout: 40_000 });
    if (present.exitCode !== 0) await execa('iptables', ['-w', '30', '-I', 'FORWARD', ...rule], { timeout: 40_000 });
  }
  for (const root of await cgroupRoots()) await prepareCgroup(root, layout.cgroup);
}

/** Undoes `prepareMachine` and everything that pods and daemons left; call it when no daemon runs any more. */
export async function restoreMachine(layout: Layout): Promise<void> {
  await endCgroup(layout);
  await unmountBelow([layout.state, layout.run]);
  await removePodLinks();
  for (const bridge of [NETWORK.podBridge, NETWORK.nodeBridge]) {
    if (existsSync(`/sys/class/net/${bridge}`)) await ip('link', 'delete', bridge);
  }
  const text = await readFile(memoryPath(layout), 'utf8').catch(() => undefined);
  const memory = text === undefined ? undefined : memorySchema.parse(JSON.parse(text));
  await removeRules(memory);
  for (const [name, value] of Object.entries(memory?.sysctls ?? {})) {
    const path = `/proc/sys/${name}`;
    const now = (await readFile(path, 'utf8').catch(() => value)).trim();
    if (now !== value) await writeFile(path, value);
  }
  await removeFolders(layout, memory);
}

async function ensureBridge(name: string, address: string): Promise<void> {
  if (!existsSync(`/sys/class/net/${name}`)) {
    const { stdout } = await ip('-o', 'route', 'show', 'root', NETWORK.range);
    const taken = stdout.split('\n').find((line) => line && !line.includes(NETWORK.nodeBridge) && !line.includes(NETWORK.podBridge));
    if (taken)
      throw new Error(
        `The local cluster uses ${NETWORK.range}, which this machine routes elsewhere (${taken}): use --provider kind or current`,
      );
    await ip('link', 'add', name, 'type', 'bridge');
  }
  await ip('address', 'replace', address, 'dev', name);
  await ip('link', 'set', name, 'up');
}

/** Two kube-proxies would undo each other's rules. */
async function refuseForeignCluster(): Promise<void> {
  if (existsSync(`/sys/class/net/${NETWORK.nodeBridge}`)) return;
  const { stdout } = await execa('iptables-save', ['-t', 'nat'], { timeout: 20_000 });
  if (stdout.includes(':KUBE-SERVICES')) {
    throw new Error(
      'This machine already runs a kube-proxy (iptables chain KUBE-SERVICES): use that cluster with --provider current, ' +
        'or, if it is a leftover, `npm run cluster -- down --provider local` removes it',
    );
  }
}

async function ip(...args: string[]) {
  return execa('ip', args, { timeout: 20_000 });
}

/** The folder below which each controller's (v1) or all controllers' (v2) groups are. */
async function cgroupRoots(): Promise<string[]> {
  const lines = (await readFile('/proc/mounts', 'utf8')).split('\n').map((line) => line.split(' '));
  const v1 = lines.filter((line) => line[2] === 'cgroup').map((line) => line[1] ?? '');
  if (v1.length > 0) return v1;
  return lines.filter((line) => line[2] === 'cgroup2').map((line) => line[1] ?? '');
}

async function prepareCgroup(root: string, name: string): Promise<void> {
  const group = join(root, name);
  if (!existsSync(group)) await mkdir(group);
  if (existsSync(join(root, 'cgroup.controllers'))) {
    const controllers = (await readFile(join(root, 'cgroup.controllers'), 'utf8')).trim().split(' ');
    for (const folder of [root, group]) {
      for (const controller of controllers) {
        await writeFile(join(folder, 'cgroup.subtree_control'), `+${controller}`).catch(() => {});
      }
    }
  }
  // A cpuset group starts empty on cgroup v1, and nothing could run in its children.
  for (const file of ['cpuset.cpus', 'cpuset.mems']) {
    const value = await readFile(join(root, file), 'utf8').catch(() => undefined);
    if (value?.trim()) await writeFile(join(group, file), value.trim());
  }
}

/** Kills what runs in the pods' cgroups and removes the groups, deepest first. */
async function endCgroup(layout: Layout): Promise<void> {
  for (const root of await cgroupRootsWithNamed()) {
    const top = join(root, layout.cgroup);
    if (!existsSync(top)) continue;
    await eventually(
      `cgroup ${top} to be empty`,
      async () => {
        const groups = await foldersBelow(top);
        for (const group of groups) {
          const pids = await readFile(join(group, 'cgroup.procs'), 'utf8').catch(() => '');
          for (const pid of pids.split('\n').filter(Boolean)) kill(Number(pid), 'SIGKILL');
        }
        for (const group of groups) await rmdir(group).catch(() => {});
        return !existsSync(top);
      },
      { timeoutMs: 20_000, everyMs: 50 },
    );
  }
}

async function cgroupRootsWithNamed(): Promise<string[]> {
  const mounts = (await readFile('/proc/mounts', 'utf8')).split('\n').map((line) => line.split(' '));
  return mounts.filter((line) => line[2] === 'cgroup' || line[2] === 'cgroup2').map((line) => line[1] ?? '');
}

/** `top` and all folders below it, children before their parents. */
async function foldersBelow(top: string): Promise<string[]> {
  const entries = await readdir(top, { withFileTypes: true }).catch(() => []);
  const below = await Promise.all(entries.filter((entry) => entry.isDirectory()).map((entry) => foldersBelow(join(top, entry.name))));
  return [...below.flat(), top];
}

/** The kernel takes a pod's link away some time after its last process and mount; this does not wait for it. */
async function removePodLinks(): Promise<void> {
  for (const name of await readdir(`/sys/class/net/${NETWORK.podBridge}/brif`).catch(() => [])) {
    await execa('ip', ['link', 'delete', name], { reject: false, timeout: 20_000 });
  }
}

async function unmountBelow(folders: readonly string[]): Promise<void> {
  const mounted = async () =>
    (await readFile('/proc/mounts', 'utf8'))
      .split('\n')
      .map((line) => (line.split(' ')[1] ?? '').replaceAll('\\040', ' '))
      .filter((path) => folders.some((folder) => path.startsWith(`${folder}/`)))
      .toReversed();
  for (const path of await mounted()) await execa('umount', ['-l', path], { reject: false, timeout: 20_000 });
  const left = await mounted();
  if (left.length > 0) throw new Error(`could not unmount ${left.join(' ')}`);
}

async function nftTables(): Promise<string[]> {
  const { stdout } = await execa('nft', ['list', 'tables'], { reject: false, timeout: 20_000 });
  return stdout
    .split('\n')
    .map((line) => line.replace(/^table /, '').trim())
    .filter(Boolean);
}

/** iptables-restore input that removes the cluster's rules and chains from one saved table, or undefined when there are none. */
export function removalOf(savedTable: string): string | undefined {
  const lines = savedTable.split('\n');
  const table = lines.find((line) => line.startsWith('*'));
  const chains = lines.map((line) => /^:((?:KUBE|CNI)-\S+) /.exec(line)?.[1]).filter((chain) => chain !== undefined);
  const rules = lines.filter(
    (line) => line.startsWith('-A ') && !/^-A (KUBE|CNI)-/.test(line) && (/ -[jg] (KUBE|CNI)-/.test(line) || line.includes(COMMENT)),
  );
  if (!table || chains.length + rules.length === 0) return undefined;
  return [
    table,
    ...rules.map((rule) => rule.replace('-A ', '-D ')),
    ...chains.map((chain) => `-F ${chain}`),
    ...chains.map((chain) => `-X ${chain}`),
    'COMMIT',
    '',
  ].join('\n');
}

async function removeRules(memory: Memory | undefined): Promise<void> {
  for (const family of ['iptables', 'ip6tables']) {
    for (const table of ['filter', 'nat', 'mangle', 'raw']) {
      const { stdout, exitCode } = await execa(`${family}-save`, ['-t', table], { reject: false, timeout: 20_000 });
      const removal = exitCode === 0 ? removalOf(stdout) : undefined;
      if (removal) await execa(`${family}-restore`, ['-w', '30', '--noflush'], { input: removal, timeout: 40_000 });
    }
  }
  if (!memory) return;
  // iptables on nftables makes a table of base chains when it first looks at one; those that are new and bare go too.
  for (const table of await nftTables()) {
    if (memory.nftTables.includes(table) || !/^ip6? (filter|nat|mangle|raw)$/.test(table)) continue;
    const { stdout } = await execa('nft', ['list', 'table', ...table.split(' ')], { timeout: 20_000 });
    const bare = stdout.split('\n').every((line) => /^\s*(table .*|chain .*|type .*|\}|#.*)?$/.test(line));
    if (bare) await execa('nft', ['delete', 'table', ...table.split(' ')], { timeout: 20_000 });
  }
}

async function removeFolders(layout: Layout, memory: Memory | undefined): Promise<void> {
  const results = '/var/lib/cni/results';
  const cached = await readdir(results).catch(() => []);
  const prefix = `hftengine-${layout.name}-`;
  for (const pod of cached.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length).split('-')[0] ?? '')) {
    for (const name of cached.filter((entry) => entry.includes(pod))) await rm(join(results, name), { force: true });
  }
  const links = '/var/log/containers';
  for (const name of await readdir(links).catch(() => [])) {
    const target = await readlink(join(links, name)).catch(() => '');
    if (target.startsWith(layout.state)) await rm(join(links, name), { force: true });
  }
  await removeStaleShimSockets();
  if (!memory) return;
  if (!memory.folders.includes('/var/lib/kubelet')) await rm('/var/lib/kubelet', { recursive: true, force: true });
  for (const folder of FOLDERS) {
    if (!memory.folders.includes(folder)) await removeEmpty(folder);
  }
}

/** A killed shim leaves its socket at a fixed place, under a name that tells nothing; nobody listens on it any more. */
async function removeStaleShimSockets(): Promise<void> {
  const folder = '/run/containerd/s';
  const listening = await readFile('/proc/net/unix', 'utf8');
  for (const name of await readdir(folder).catch(() => [])) {
    if (!listening.includes(`${folder}/${name}`)) await rm(join(folder, name), { force: true });
  }
}

async function removeEmpty(folder: string): Promise<void> {
  for (const path of await foldersBelow(folder)) await rmdir(path).catch(() => {});
}
