import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { kindProgram } from './binaries.ts';
import { DEFAULT_NODE_IMAGE, kindCommands, kindConfig } from './kind.ts';

/** Answers what kind asks of Docker before it makes a node, writes every call down, and refuses to run a container. */
const STUB = `#!/bin/sh
printf '%s\\n' "$*" >> "$DOCKER_CALLS"
case "$1 $2" in
  "info "*) echo '{"CgroupDriver":"cgroupfs","CgroupVersion":"1","MemoryLimit":true,"PidsLimit":true,"CPUShares":true,"SecurityOptions":[]}' ;;
  "version "*) echo 20.10.24 ;;
  "run "*) echo 'the stub runs nothing' >&2; exit 125 ;;
  "network ls") echo 'stub-network-id kind' ;;
  "network inspect"*) echo '[{"Name":"kind","Id":"stub-network-id","Containers":{}}]' ;;
esac
exit 0
`;

describe('the real kind, on a Docker that is none', () => {
  let folder: string;
  let kind: string;
  const run = async (args: readonly string[]) => {
    const calls = join(folder, 'calls');
    await writeFile(calls, '');
    const result = await execa(kind, args, {
      reject: false,
      all: true,
      timeout: 60_000,
      env: { PATH: `${folder}:${process.env['PATH'] ?? ''}`, DOCKER_CALLS: calls, KIND_EXPERIMENTAL_PROVIDER: 'docker' },
    });
    return { all: result.all, exitCode: result.exitCode, calls: (await readFile(calls, 'utf8')).split('\n') };
  };
  const create = async (config: string) => {
    const configPath = join(folder, 'kind.yaml');
    await writeFile(configPath, config);
    const kubeconfigPath = join(folder, 'kubeconfig');
    return run(kindCommands.create({ name: 'probe', image: DEFAULT_NODE_IMAGE, configPath, kubeconfigPath }));
  };

  beforeAll(async () => {
    kind = await kindProgram(console.log);
    folder = await mkdtemp(join(tmpdir(), 'hft-kind-'));
    await writeFile(join(folder, 'docker'), STUB);
    await chmod(join(folder, 'docker'), 0o755);
  }, 10 * 60_000);
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('takes our configuration and command line as far as the node', async () => {
    const { all, calls, exitCode } = await create(kindConfig('probe'));
    expect(all).toContain('the stub runs nothing');
    expect(exitCode).toBe(1);
    const node = calls.find((call) => call.startsWith('run '));
    expect(node).toContain('--name probe-control-plane');
    expect(node).toContain(DEFAULT_NODE_IMAGE);
    // A local image is used as it is: no network is needed.
    expect(calls.some((call) => call.startsWith('pull '))).toBe(false);
  });

  it('would have said so if the configuration were wrong', async () => {
    const { all, calls } = await create(kindConfig('probe').replace('containerdConfigPatches', 'containerdConfigPatch'));
    expect(all).toContain('containerdConfigPatch');
    expect(calls.some((call) => call.startsWith('run '))).toBe(false);
  });

  it.each([
    ['delete', kindCommands.delete({ name: 'probe', kubeconfigPath: '/nonexistent/kubeconfig' }), 'Deleting cluster "probe"'],
    ['load', kindCommands.load({ name: 'probe', archivePath: import.meta.filename }), 'no nodes found for cluster "probe"'],
    [
      'kubeconfig',
      kindCommands.kubeconfig({ name: 'probe', kubeconfigPath: '/nonexistent/kubeconfig' }),
      'could not locate any control plane nodes',
    ],
  ])('knows the command line to %s', async (_name, args, message) => {
    const { all, calls } = await run(args);
    expect(all).not.toContain('unknown flag');
    expect(all).toContain(message);
    expect(calls.some((call) => call.includes('label=io.x-k8s.kind.cluster=probe'))).toBe(true);
  });
});
