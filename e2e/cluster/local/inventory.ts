import { readdir, readFile } from 'node:fs/promises';
import { execa } from 'execa';
import type { Layout } from './layout.ts';

/** What a cluster could leave behind on a machine, one readable line each. */
export type Inventory = Readonly<Record<string, readonly string[]>>;

/** Lists mounts, links, routes, firewall rules, cgroups, network namespaces, kernel settings and folders as they are now, and the cluster's processes. */
export async function takeInventory(layout: Layout, processMarks: readonly string[]): Promise<Inventory> {
  const lines = async (command: string, ...args: string[]) => {
    const { stdout } = await execa(command, args, { reject: false, timeout: 20_000 });
    return stdout.split('\n').filter(Boolean);
  };
  const names = (folder: string) => readdir(folder).catch(() => []);
  const rules = async (family: string) =>
    // Counters and comments with times differ from call to call.
    (await lines(`${family}-save`)).filter((line) => !line.startsWith('#')).map((line) => `${family} ${line.replace(/ \[\d+:\d+\]$/, '')}`);
  const sysctl = async (name: string) => `${name} = ${(await readFile(`/proc/sys/${name}`, 'utf8').catch(() => '')).trim()}`;
  const inventory: Inventory = {
    // Dead ones that init has not collected yet hold nothing.
    processes: (await lines('ps', '-eo', 'stat=,args='))
      .filter((line) => !line.startsWith('Z') && processMarks.some((mark) => line.includes(mark)))
      .map((line) => line.replace(/^\S+\s+/, '')),
    // Other programs' network namespaces come and go; ours are below the cluster's folder.
    mounts: (await readFile('/proc/mounts', 'utf8'))
      .split('\n')
      .map((line) => line.split(' ').slice(0, 3).join(' '))
      .filter((line) => !line.startsWith('nsfs /run/netns/')),
    links: (await lines('ip', '-o', 'link')).map((line) => line.replace(/^\d+: /, '').split(' ')[0] ?? ''),
    addresses: (await lines('ip', '-o', 'address')).map((line) => line.split(/\s+/).slice(1, 4).join(' ')),
    routes: await lines('ip', 'route', 'show', 'table', 'all'),
    firewall: [...(await rules('iptables')), ...(await rules('ip6tables')), ...(await lines('nft', 'list', 'tables'))],
    cgroups: await lines('sh', '-c', 'find /sys/fs/cgroup -type d'),
    namespaces: await names('/run/netns'),
    logs: (await lines('find', '/var/log/containers', '-type', 'l', '-printf', '%p -> %l\\n')).filter((line) =>
      line.includes(layout.state),
    ),
    settings: await Promise.all(
      [
        'net/ipv4/ip_forward',
        'net/ipv4/conf/all/route_localnet',
        'net/bridge/bridge-nf-call-iptables',
        'vm/overcommit_memory',
        'vm/panic_on_oom',
        'kernel/panic',
        'kernel/panic_on_oops',
        'net/netfilter/nf_conntrack_max',
        'kernel/keys/root_maxkeys',
      ].map(sysctl),
    ),
    folders: await lines(
      'sh',
      '-c',
      'ls -d /run/containerd/* /run/hftengine-cluster/* /var/lib/hftengine-cluster/* /var/lib/kubelet/* /var/lib/cni/* /var/lib/containerd/* /run/netns 2>/dev/null',
    ),
  };
  // What another local cluster does meanwhile (in namespaces of its own) is not ours.
  const isForeign = (line: string) =>
    /hftengine-cluster\/./.test(line)
      ? !line.includes(`hftengine-cluster/${layout.name}`)
      : /\/hftengine-/.test(line) && !line.includes(`/${layout.cgroup}`);
  return Object.fromEntries(Object.entries(inventory).map(([kind, found]) => [kind, found.filter((line) => !isForeign(line))]));
}

/** Lines like `links: + hft-pod0` for what `after` has and `before` had not (+) or the other way round (-). */
export function inventoryDifference(before: Inventory, after: Inventory): string[] {
  return Object.keys(before).flatMap((kind) => {
    const old = before[kind] ?? [];
    const now = after[kind] ?? [];
    return [
      ...now.filter((line) => !old.includes(line)).map((line) => `${kind}: + ${line}`),
      ...old.filter((line) => !now.includes(line)).map((line) => `${kind}: - ${line}`),
    ];
  });
}
