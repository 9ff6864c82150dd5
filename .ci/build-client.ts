/**
 * `npm pack` runs this first: `hftengine/client` as JavaScript with types, in dist/client. Node runs this repository's TypeScript as it is, but none that
 * lies under node_modules, where a package that uses the client has it.
 */
import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const OUT = join(ROOT, 'dist', 'client');

await rm(OUT, { recursive: true, force: true });
const options = ['--noEmit', 'false', '--declaration', '--rewriteRelativeImportExtensions', '--rootDir', ROOT, '--outDir', OUT];
const inherited = ['target es2024', 'module nodenext', 'moduleResolution nodenext', 'strict', 'skipLibCheck', 'types node'];
await execa(
  'tsc',
  [
    '--ignoreConfig',
    ...options,
    ...inherited.flatMap((flag) => `--${flag}`.split(' ')),
    '--lib',
    'es2024,esnext.disposable',
    'engine/client/index.ts',
  ],
  { cwd: ROOT, preferLocal: true, stdio: 'inherit' },
);
// The compiler rewrites what is imported in code, and leaves it in declarations.
for (const entry of await readdir(OUT, { recursive: true })) {
  if (!entry.endsWith('.d.ts')) continue;
  const file = join(OUT, entry);
  const text = await readFile(file, 'utf8');
  await writeFile(file, text.replaceAll(/((?:from|import)\s*\(?\s*["']\.[^"']*)\.ts(["'])/g, '$1.js$2'));
}
await cp(join(ROOT, 'engine', 'client', 'proto'), join(OUT, 'engine', 'client', 'proto'), { recursive: true });
