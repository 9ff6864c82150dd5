import { readFile, readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const folders = ['.', 'docs', 'docs/decisions'];
const files = (
  await Promise.all(
    folders.map(async (folder) =>
      (await readdir(join(ROOT, folder))).filter((name) => name.endsWith('.md')).map((name) => join(folder, name)),
    ),
  )
).flat();

test.each(files)('every link of %s leads somewhere', async (file) => {
  const text = await readFile(join(ROOT, file), 'utf8');
  const targets = [...text.matchAll(/\]\(([^)#\s]+)(#[^)]*)?\)/g)]
    .map(([, target]) => target ?? '')
    .filter((target) => !target.includes('://'));
  for (const target of targets) await expect(stat(join(ROOT, dirname(file), target)), target).resolves.toBeDefined();
  expect(text.trim()).not.toBe('');
});

test('every npm script that the docs name exists', async () => {
  const { scripts } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { scripts: Record<string, string> };
  const named = new Set<string>();
  for (const file of files)
    for (const [, name] of (await readFile(join(ROOT, file), 'utf8')).matchAll(/npm run (?:--silent )?([a-z][a-z0-9:-]*)/g))
      named.add(name ?? '');
  expect([...named].filter((name) => scripts[name] === undefined)).toEqual([]);
  expect(named.size).toBeGreaterThan(5);
});
