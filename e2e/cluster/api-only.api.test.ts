import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startApiServer, type ApiOnly } from './api-only.ts';
import { controlPlanePrograms } from './binaries.ts';
import { eventually } from '../wait.ts';

describe('API-only mode', () => {
  let api: ApiOnly;
  let kubectl: string;
  const run = (kubeconfig: string, ...args: string[]) =>
    execa(kubectl, ['--kubeconfig', kubeconfig, '--request-timeout=5s', ...args], { reject: false, timeout: 20_000 });

  beforeAll(async () => {
    kubectl = (await controlPlanePrograms(console.log)).kubectl;
    api = await startApiServer({ log: console.log });
  }, 15 * 60_000);
  afterAll(() => api.stop());

  it('is ready, of the release that kubectl is of', async () => {
    const { stdout } = await run(api.kubeconfigPath, 'version', '-o', 'json');
    const versions = JSON.parse(stdout);
    expect(versions.serverVersion.gitVersion).toMatch(/^v1\.34\./);
    expect(versions.serverVersion.gitVersion).toBe(versions.clientVersion.gitVersion);
  });

  it('refuses who has no certificate, and who has no right', async () => {
    const answer = await execa('curl', ['-s', '--cacert', api.caPath, `${api.url}/api/v1/namespaces`], { timeout: 10_000 });
    expect(JSON.parse(answer.stdout)).toMatchObject({ code: 403, reason: 'Forbidden' });
    const kubeconfig = await api.kubeconfigForServiceAccount({ namespace: 'default', name: 'op' });
    const before = await run(kubeconfig, 'get', 'configmaps');
    expect(before.stderr).toContain('User "system:serviceaccount:default:op" cannot list resource "configmaps"');
    await run(api.kubeconfigPath, 'create', 'role', 'reader', '--verb=list', '--resource=configmaps');
    await run(api.kubeconfigPath, 'create', 'rolebinding', 'reader', '--role=reader', '--serviceaccount=default:op');
    await eventually('the right', async () => (await run(kubeconfig, 'get', 'configmaps')).exitCode === 0, { timeoutMs: 5_000 });
    expect((await run(kubeconfig, 'get', 'secrets')).stderr).toContain('Forbidden');
  });

  it('gives a user the groups of its certificate', async () => {
    const kubeconfig = await api.kubeconfigFor({ user: 'eve', groups: ['traders', 'desk/one'] });
    const { stdout } = await run(kubeconfig, 'auth', 'whoami', '-o', 'json');
    expect(JSON.parse(stdout).status.userInfo).toMatchObject({ username: 'eve', groups: expect.arrayContaining(['traders', 'desk/one']) });
  });

  it('comes back after a restart with what it had', async () => {
    await run(api.kubeconfigPath, 'create', 'namespace', 'kept');
    await api.stopApiServer();
    expect((await run(api.kubeconfigPath, 'get', 'namespace', 'kept')).exitCode).not.toBe(0);
    await api.startApiServer();
    expect((await run(api.kubeconfigPath, 'get', 'namespace', 'kept', '-o', 'name')).stdout).toBe('namespace/kept');
  });

  it('hangs while suspended', async () => {
    api.suspendApiServer();
    const hanging = await run(api.kubeconfigPath, 'get', '--raw', '/readyz', '--request-timeout=1s');
    api.resumeApiServer();
    expect(hanging.exitCode).not.toBe(0);
    expect((await run(api.kubeconfigPath, 'get', '--raw', '/readyz')).stdout).toBe('ok');
  });

  it('dies with a parent that is killed', async () => {
    const script = `const { startApiServer } = await import(${JSON.stringify(`${import.meta.dirname}/api-only.ts`)});
      const api = await startApiServer(); console.log(api.directory); setInterval(() => {}, 1000);`;
    const parent = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    const directory = await new Promise<string>((resolve) => createInterface(parent.stdout).once('line', resolve));
    const children = async () => {
      const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
      const commands = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')));
      return commands.filter((command) => command.includes(directory)).length;
    };
    expect(await children()).toBe(2);
    // The kernel ends the children while the parent is still being taken down: its own end is waited for, too.
    const ended = once(parent, 'exit');
    parent.kill('SIGKILL');
    await ended;
    await eventually('the children to end', async () => (await children()) === 0, { timeoutMs: 10_000 });
    // The folder stays, and the next start removes it.
    expect(existsSync(directory)).toBe(true);
    await using next = await startApiServer();
    expect(existsSync(next.directory)).toBe(true);
    expect(existsSync(directory)).toBe(false);
  });

  it('leaves nothing when it is stopped', async () => {
    const short = await startApiServer();
    await short.stop();
    await short.stop();
    expect(existsSync(short.directory)).toBe(false);
  });
});
