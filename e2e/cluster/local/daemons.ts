import { createHash } from 'node:crypto';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { eventually } from '../../wait.ts';

/**
 * Processes carry their identity in their environment, where /proc shows it: which cluster they are of, which daemon, and
 * a hash of their command line and configuration. So there is no pid file that could be stale or missing after a
 * crash, and a pid that was given to another program is never mistaken for ours.
 */
export const DAEMON_GRACE_MS = 5_000;
const CLUSTER = 'HFT_CLUSTER_STATE';
const DAEMON = 'HFT_CLUSTER_DAEMON';
const REVISION = 'HFT_CLUSTER_REVISION';

export interface Daemon {
  readonly name: string;
  readonly command: readonly string[];
  /** Hash of what the process was started with, to see whether it is up to date. */
  readonly revision: string;
}

export interface RunningProcess {
  readonly pid: number;
  readonly parentPid: number;
  /** Undefined for what a daemon started (a container's shim, a plugin). */
  readonly daemon: string | undefined;
  readonly revision: string | undefined;
  readonly residentBytes: number;
  readonly command: string;
}

/** Marks a helper process as the cluster's, so that `down` ends it when the command that started it was killed. */
export function clusterEnvironment(state: string): Record<string, string> {
  return { [CLUSTER]: state };
}

/** Combines a command line with the files that the program reads at its start. */
export async function daemon(name: string, command: readonly string[], files: readonly string[]): Promise<Daemon> {
  const hash = createHash('sha256').update(JSON.stringify(command));
  for (const file of files) hash.update(await readFile(file));
  return { name, command, revision: hash.digest('hex').slice(0, 16) };
}

/** Every process that belongs to the cluster whose state folder is `state`. */
export async function clusterProcesses(state: string): Promise<RunningProcess[]> {
  const found = await Promise.all((await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map((pid) => inspect(Number(pid), state)));
  const processes = found.filter((entry) => entry !== undefined);
  // Between fork and exec a daemon's child looks just like it.
  const isForked = (entry: RunningProcess) =>
    entry.daemon !== undefined && processes.some((other) => other.pid === entry.parentPid && other.daemon === entry.daemon);
  return processes.map((entry) => (isForked(entry) ? { ...entry, daemon: undefined, revision: undefined } : entry));
}

async function inspect(pid: number, state: string): Promise<RunningProcess | undefined> {
  try {
    const environment = (await readFile(`/proc/${pid}/environ`, 'utf8')).split('\0');
    const value = (name: string) => environment.find((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1);
    if (value(CLUSTER) !== state) return undefined;
    const command = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0');
    const status = await readFile(`/proc/${pid}/status`, 'utf8');
    if (/^State:\s+[ZX]/m.test(status)) return undefined;
    const kilobytes = Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0);
    // Children inherit the environment; only the daemon itself still has the command that it was started with.
    const own = value('HFT_CLUSTER_COMMAND') === command[0];
    return {
      pid,
      parentPid: Number(/^PPid:\s+(\d+)/m.exec(status)?.[1] ?? 0),
      daemon: own ? value(DAEMON) : undefined,
      revision: own ? value(REVISION) : undefined,
      residentBytes: kilobytes * 1024,
      command: command[0] ?? '',
    };
  } catch {
    return undefined; // ended meanwhile
  }
}

/** Starts `wanted` in the background unless it runs already; a running one of another revision is replaced. Returns whether it was started. */
export async function ensureRunning(wanted: Daemon, state: string, logs: string): Promise<boolean> {
  const instances = (await clusterProcesses(state)).filter((entry) => entry.daemon === wanted.name);
  const current = instances.filter((entry) => entry.revision === wanted.revision);
  if (current.length === 1 && instances.length === 1) return false;
  await stopProcesses(state, (entry) => entry.daemon === wanted.name);
  await mkdir(logs, { recursive: true });
  const [program = '', ...args] = wanted.command;
  const log = openSync(logPath(logs, wanted.name), 'a');
  try {
    const child = spawn(program, args, {
      detached: true,
      stdio: ['ignore', log, log],
      cwd: '/',
      env: {
        PATH: `${process.env['PATH'] ?? ''}:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin`,
        HOME: '/root',
        [CLUSTER]: state,
        [DAEMON]: wanted.name,
        [REVISION]: wanted.revision,
        HFT_CLUSTER_COMMAND: program,
      },
    });
    await once(child, 'spawn');
    child.unref();
  } finally {
    closeSync(log);
  }
  return true;
}

export function logPath(logs: string, name: string): string {
  return join(logs, `${name}.log`);
}

/** SIGTERM, then after `graceMs` SIGKILL, to all processes of the cluster that `select` chooses; waits until they are gone. */
export async function stopProcesses(state: string, select: (entry: RunningProcess) => boolean, graceMs = DAEMON_GRACE_MS): Promise<void> {
  const chosen = async () => (await clusterProcesses(state)).filter(select);
  const signal = async (name: NodeJS.Signals) => {
    const entries = await chosen();
    for (const entry of entries) kill(entry.pid, name);
    return entries.length;
  };
  if (graceMs > 0) {
    if ((await signal('SIGTERM')) === 0) return;
    const gone = eventually('processes', async () => (await chosen()).length === 0, { timeoutMs: graceMs, everyMs: 50 });
    if (await gone.catch(() => false)) return;
  }
  await eventually('processes to end after SIGKILL', async () => (await signal('SIGKILL')) === 0, {
    timeoutMs: 20_000,
    everyMs: 50,
    hint: async () => (await chosen()).map((entry) => `${entry.pid} ${entry.command}`).join('\n'),
  });
}

/** `process.kill` that accepts that the process ended first. */
export function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

/** The last `lines` lines of a daemon's log. */
export async function logTail(logs: string, name: string, lines = 15): Promise<string> {
  const text = await readFile(logPath(logs, name), 'utf8').catch(() => '');
  return `--- ${logPath(logs, name)}\n${text.trimEnd().split('\n').slice(-lines).join('\n')}`;
}
