/** Finding and killing the process of a container from outside it: a container's first process cannot be killed from within. */
import { readdir, readFile } from 'node:fs/promises';

/** Process ids on this machine whose cgroup belongs to the pod and whose command line names `program`. */
export async function processesOfPod(podUid: string, program: string): Promise<number[]> {
  const found: number[] = [];
  // The cgroup driver writes the uid with dashes or underscores.
  const names = [podUid, podUid.replaceAll('-', '_')];
  for (const entry of await readdir('/proc')) {
    if (!/^[0-9]+$/.test(entry)) continue;
    const [cgroup, command] = await Promise.all([
      readFile(`/proc/${entry}/cgroup`, 'utf8').catch(() => ''),
      readFile(`/proc/${entry}/cmdline`, 'utf8').catch(() => ''),
    ]);
    if (names.some((name) => cgroup.includes(name)) && command.includes(program)) found.push(Number(entry));
  }
  return found;
}
