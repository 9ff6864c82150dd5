import { mkdir, rm, writeFile } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { build, type BuildOptions, type Metafile } from 'esbuild';
import {
  BUNDLE_REQUIRE,
  BUNDLE_URL,
  grpcProtos,
  knownPlaces,
  nativeSqlite,
  ownFiles,
  ownScopes,
  swaggerUi,
  type BundleFile,
  type Finds,
} from './bundle-plugins.ts';
import { notices } from './notices.ts';
import { command, programsOf, ROOT, type Program } from './program.ts';

/** Packages' optional accelerators, required inside try/catch: absent from the bundle on purpose. */
const OPTIONAL_PACKAGES = ['bufferutil', 'utf-8-validate'];

/** What runs for every command. */
const HOT_FOLDER = 'engine/core';

/** CommonJS names that bundled packages expect, and the names by which the plugins reach the bundle's own place. */
const BANNER = [
  `import { createRequire as __hftCreateRequire } from 'node:module';`,
  `const ${BUNDLE_URL} = import.meta.url, ${BUNDLE_REQUIRE} = __hftCreateRequire(${BUNDLE_URL});`,
  `const require = ${BUNDLE_REQUIRE}, __filename = import.meta.filename, __dirname = import.meta.dirname;`,
].join('\n');

export interface BundleRequest {
  readonly program: Program;
  /** Defaults to `PROGRAM/main.ts` of the repository. */
  readonly entryPoint?: string;
  /** Node's name of the target architecture (`x64`, `arm64`); the host's by default. */
  readonly arch?: string;
}

export interface Bundle {
  /** Sorted by path. The program is `PROGRAM.mjs`; its workers, native and static files, the modules of the core and the notices lie beside it. */
  readonly files: readonly BundleFile[];
  /** Bundled packages, `name@version`, sorted. */
  readonly packages: readonly string[];
  /** Absolute paths of every file that went into it, sorted. */
  readonly sources: readonly string[];
}

/**
 * Bundles one program and everything that it reads at run time, in memory: the same sources and lock file give the same bytes.
 * Throws when an entry point is missing, a package is left outside the bundle, or a file asks where it lives in a way that a bundle breaks.
 */
export async function bundleProgram(request: BundleRequest): Promise<Bundle> {
  const finds: Finds = { files: new Map(), sources: new Set(), workers: new Map() };
  const main = resolve(request.entryPoint ?? join(ROOT, request.program, 'main.ts'));
  const done = new Map<string, string>();
  const inputs = new Set<string>();
  finds.workers.set(main, `${request.program}.mjs`);
  for (let next = nextEntry(finds, done); next !== undefined; next = nextEntry(finds, done)) {
    const [entryPoint, name] = next;
    const result = await build({
      ...OPTIONS,
      entryPoints: [entryPoint],
      outfile: join(ROOT, 'build', name),
      plugins: plugins(finds, entryPoint, request.arch),
    });
    refuseLeftOutside(result.metafile);
    for (const output of result.outputFiles) finds.files.set(name, output.contents);
    for (const input of Object.keys(result.metafile.inputs)) inputs.add(input);
    done.set(entryPoint, name);
  }
  const { text, packages } = await notices([...inputs]);
  finds.files.set('THIRD-PARTY-NOTICES.txt', Buffer.from(text));
  const files = [...finds.files].map(([path, contents]) => ({ path, contents })).sort((a, b) => (a.path < b.path ? -1 : 1));
  const sources = [...finds.sources, ...[...inputs].map((input) => resolve(ROOT, input))].sort();
  return { files, packages, sources };
}

/** Replaces `outDir` by the bundle's files. */
export async function writeBundle(bundle: Bundle, outDir: string): Promise<void> {
  await rm(outDir, { recursive: true, force: true });
  for (const { path, contents } of bundle.files) {
    await mkdir(dirname(join(outDir, path)), { recursive: true });
    await writeFile(join(outDir, path), contents);
  }
}

const OPTIONS = {
  absWorkingDir: ROOT,
  banner: { js: BANNER },
  bundle: true,
  charset: 'utf8',
  format: 'esm',
  // Not minified: stack traces keep their names, and V8 does not care.
  legalComments: 'none',
  logLevel: 'silent',
  metafile: true,
  platform: 'node',
  target: 'node24',
  write: false,
  external: OPTIONAL_PACKAGES,
} as const satisfies BuildOptions;

function plugins(finds: Finds, entryPoint: string, arch: string = process.arch) {
  return [
    nativeSqlite(finds, arch),
    swaggerUi(finds),
    grpcProtos(finds),
    ownScopes(finds, ROOT, HOT_FOLDER),
    ownFiles(finds, ROOT, [entryPoint]),
    knownPlaces(),
  ];
}

function nextEntry(finds: Finds, done: ReadonlyMap<string, string>): [string, string] | undefined {
  return [...finds.workers].find(([path]) => !done.has(path));
}

function refuseLeftOutside(metafile: Metafile): void {
  const left = Object.values(metafile.outputs).flatMap(({ imports }) => imports.filter(({ external }) => external).map(({ path }) => path));
  const packages = [...new Set(left)].filter(
    (path) => !isBuiltin(path) && !path.startsWith(`./${HOT_FOLDER}/`) && !OPTIONAL_PACKAGES.includes(path),
  );
  if (packages.length > 0) throw new Error(`left outside the bundle: ${packages.join(', ')}; an image holds no node_modules`);
}

const HELP = `Usage: node images/bundle.ts [engine|operator]... [--out DIR] [--arch x64|arm64]

Bundles the programs with esbuild, each into DIR/PROGRAM/ (default build/bundle) together with the files it needs at run time.
Run one with: node build/bundle/engine/engine.mjs --help
`;

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      out: { type: 'string', default: join(ROOT, 'build/bundle') },
      arch: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
  } else {
    for (const program of programsOf(positionals)) {
      const startMs = performance.now();
      const bundle = await bundleProgram({ program, ...(values.arch === undefined ? {} : { arch: values.arch }) });
      const outDir = resolve(values.out, program);
      await writeBundle(bundle, outDir);
      const bytes = bundle.files.reduce((sum, { contents }) => sum + contents.length, 0);
      const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
      console.log(
        `${program}: ${bundle.files.length} files, ${(bytes / 1e6).toFixed(1)} MB, ${bundle.packages.length} packages, ${seconds} s -> ${outDir}`,
      );
    }
  }
}

if (import.meta.main) await command(main);
