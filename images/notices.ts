import { readdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { ROOT } from './program.ts';

const LICENCE_FILE = /^(licen[cs]e|copying|notice)(\.|-|$)/i;

/** Licence texts of the packages that a bundle contains, worked out from the paths of its inputs. `packages` are `name@version`. */
export async function notices(inputs: readonly string[]): Promise<{ text: string; packages: string[] }> {
  const directories = new Set<string>();
  for (const input of inputs) {
    const directory = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input)?.[1];
    if (directory !== undefined) directories.add(resolve(ROOT, directory));
  }
  const sections = await Promise.all([...directories].map((directory) => packageNotice(directory)));
  const byName = new Map(sections.map((section) => [section.name, section.text]));
  const packages = [...byName.keys()].sort();
  const text = packages.map((name) => byName.get(name)).join('\n\n');
  return { text: `Packages bundled in this program and their licences.\n\n${text}\n`, packages };
}

async function packageNotice(directory: string): Promise<{ name: string; text: string }> {
  const manifest: unknown = JSON.parse(await readFile(join(directory, 'package.json'), 'utf8'));
  const name = `${field(manifest, 'name')}@${field(manifest, 'version')}`;
  const files = (await readdir(directory, { withFileTypes: true })).filter((entry) => entry.isFile() && LICENCE_FILE.test(entry.name));
  const texts = await Promise.all(
    files
      .map(({ name }) => name)
      .sort()
      .map((file) => readFile(join(directory, file), 'utf8')),
  );
  return { name, text: [`==== ${name} (${field(manifest, 'license')})`, ...texts.map((text) => text.trim())].join('\n\n') };
}

function field(manifest: unknown, key: string): string {
  const value: unknown = typeof manifest === 'object' && manifest !== null ? Reflect.get(manifest, key) : undefined;
  return typeof value === 'string' ? value : 'unknown';
}
