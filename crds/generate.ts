/** Writes what is generated from the zod schemas: `crds/hftengine.yaml` and `docs/reference.md`. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { stringify } from 'yaml';
import { customResourceDefinition } from './crd.ts';
import { referenceText } from './reference.ts';

const ROOT = join(fileURLToPath(import.meta.url), '../..');
const NOTE = 'Generated from crds/hftengine.ts by `npm run generate`: edit that, not this.';

const HELP = `Usage: node crds/generate.ts [--check]

Writes crds/hftengine.yaml (the CustomResourceDefinition) and docs/reference.md from the schemas in crds/.

  --check   write nothing; fail, naming the files, when they are not what would be written
  --help    show this
`;

/** Path (relative to the repository) and text of every generated file. The same text at every call. */
export function generatedFiles(): { path: string; content: string }[] {
  const crd = stringify(customResourceDefinition(), { lineWidth: 0, aliasDuplicateObjects: false });
  return [
    { path: 'crds/hftengine.yaml', content: `# ${NOTE}\n${crd}` },
    { path: 'docs/reference.md', content: `<!-- ${NOTE} -->\n\n${referenceText()}` },
  ];
}

/** Paths of the generated files that are missing under `root` or differ from what would be written. */
export async function staleFiles(root: string = ROOT): Promise<string[]> {
  const stale: string[] = [];
  for (const { path, content } of generatedFiles()) {
    const present = await readFile(join(root, path), 'utf8').catch(() => undefined);
    if (present !== content) stale.push(path);
  }
  return stale;
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { check: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } } });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const stale = await staleFiles();
  if (values.check) {
    if (stale.length === 0) return 0;
    process.stderr.write(`Stale: ${stale.join(', ')} do not match crds/*.ts. Run \`npm run generate\` and commit the result.\n`);
    return 1;
  }
  for (const { path, content } of generatedFiles()) {
    await mkdir(dirname(join(ROOT, path)), { recursive: true });
    await writeFile(join(ROOT, path), content);
    process.stdout.write(`${path}: ${stale.includes(path) ? 'written' : 'unchanged'}\n`);
  }
  return 0;
}

if (import.meta.main) {
  try {
    process.exitCode = await main();
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${HELP}`);
    process.exitCode = 2;
  }
}
