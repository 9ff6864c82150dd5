import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { execa } from 'execa';
import { findOnPath } from './binaries.ts';
import { step, type Log } from './progress.ts';

const POLICY = '/usr/sbin/policy-rc.d';

/** Those of `names` that dpkg does not list as installed. */
export async function missingDebianPackages(names: readonly string[]): Promise<string[]> {
  const { stdout } = await execa('dpkg-query', ['-W', '-f', '${Package} ${db:Status-Status}\n', ...names], {
    reject: false,
    timeout: 30_000,
  });
  return names.filter((name) => !stdout.split('\n').includes(`${name} installed`));
}

/**
 * Installs those of `names` that are missing (`apt-get update` once, then one install) and starts none of their
 * services. Throws, naming what to install, when this is not Debian or Ubuntu or the user is not root.
 */
export async function ensureDebianPackages(names: readonly string[], log: Log): Promise<void> {
  const byHand = (packages: readonly string[]) => `Install by hand: apt-get install ${packages.join(' ')}`;
  if (!(await findOnPath('dpkg-query')) || !(await findOnPath('apt-get'))) {
    throw new Error(
      `This is not a Debian or Ubuntu machine, so these cannot be installed from here: ${names.join(' ')}. ` +
        'Install them with your package manager, or use a Docker engine (--provider kind).',
    );
  }
  const missing = await missingDebianPackages(names);
  if (missing.length === 0) return;
  if (process.getuid?.() !== 0) throw new Error(`Only root can install ${missing.join(' ')}. ${byHand(missing)}`);
  await step(log, `Debian packages: ${missing.join(' ')}`, async () => {
    // etcd-server and containerd would start a service of their own, on ports and folders that nobody asked for.
    const policyIsOurs = !existsSync(POLICY);
    if (policyIsOurs) await writeFile(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
    const apt = (...args: string[]) =>
      execa('apt-get', ['-qq', '-o', 'DPkg::Lock::Timeout=300', '-o', 'Acquire::Retries=3', ...args], {
        env: { DEBIAN_FRONTEND: 'noninteractive' },
        timeout: 15 * 60_000,
        all: true,
      });
    try {
      await apt('update');
      await apt('install', '-y', '--no-install-recommends', ...missing);
    } catch (error) {
      throw new Error(`apt-get failed. ${byHand(missing)}`, { cause: error });
    } finally {
      if (policyIsOurs) await rm(POLICY, { force: true });
    }
  });
}
