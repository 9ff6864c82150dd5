import { access, readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { transform, type Plugin } from 'esbuild';

/**
 * esbuild plugins that keep a bundle from looking for files that are no longer beside it. Code in a bundle has one directory, that of the
 * bundle; whatever a module reads next to itself must be carried along, and a module that does so unannounced must stop the build.
 */

/** A file that travels with the bundle. `path` is relative to the bundle. */
export interface BundleFile {
  readonly path: string;
  readonly contents: Uint8Array;
}

/** What the plugins find on the way: files to carry, and worker threads to bundle as programs of their own. */
export interface Finds {
  /** Keyed by path relative to the bundle. */
  readonly files: Map<string, Uint8Array>;
  /** Absolute paths that `files` were read from. */
  readonly sources: Set<string>;
  /** Absolute source path -> file name of its bundle. */
  readonly workers: Map<string, string>;
}

/** Names that the banner of every bundle defines (see bundle.ts): require and URL of the bundle itself. */
export const BUNDLE_REQUIRE = '__hftRequire';
export const BUNDLE_URL = '__hftUrl';
export const NATIVE_SQLITE_FILE = 'better_sqlite3.node';

/**
 * better-sqlite3 finds its native half by a path worked out at run time. In a bundle it is the file {@link NATIVE_SQLITE_FILE} beside the
 * bundle, for `nativeBinding` unset; sources need no knowledge of it.
 */
export function nativeSqlite(finds: Finds, arch: string): Plugin {
  return {
    name: 'native-sqlite',
    setup(build) {
      build.onLoad({ filter: /[\\/]better-sqlite3[\\/]lib[\\/]binding\.js$/ }, async ({ path }) => {
        const prebuild = join(dirname(path), '..', 'prebuilds', `linux-${arch}.node`);
        try {
          await collect(finds, prebuild, NATIVE_SQLITE_FILE);
        } catch (cause) {
          throw new Error(`better-sqlite3 ships no prebuild for linux-${arch} (looked for ${prebuild})`, { cause });
        }
        return {
          contents: `
            const path = require('node:path');
            let addon;
            exports.getBinding = (binding) => {
              if (typeof binding === 'string') return ${BUNDLE_REQUIRE}(path.resolve(binding));
              return binding ?? (addon ??= ${BUNDLE_REQUIRE}('./${NATIVE_SQLITE_FILE}'));
            };`,
          loader: 'js',
        };
      });
    },
  };
}

const SWAGGER_UI_DIR = 'swagger-ui';
const SWAGGER_UI_PATCHES: readonly { file: RegExp; from: string; to: string }[] = [
  { file: /index\.js$/, from: `path.join(__dirname, './static/logo.svg')`, to: `path.join(__dirname, '${SWAGGER_UI_DIR}/logo.svg')` },
  { file: /routes\.js$/, from: `path.join(__dirname, '..', 'static')`, to: `path.join(__dirname, '${SWAGGER_UI_DIR}')` },
];

/** @fastify/swagger-ui serves files of its own package: they travel in a folder beside the bundle. */
export function swaggerUi(finds: Finds): Plugin {
  return {
    name: 'swagger-ui',
    setup(build) {
      build.onLoad({ filter: /[\\/]@fastify[\\/]swagger-ui[\\/](index|lib[\\/]routes)\.js$/ }, async ({ path }) => {
        const patch = SWAGGER_UI_PATCHES.find(({ file }) => file.test(path));
        const source = await readFile(path, 'utf8');
        if (patch === undefined || !source.includes(patch.from)) {
          throw new Error(
            `${path} no longer contains ${patch?.from ?? 'a known path'}: adapt the swagger-ui plugin in images/bundle-plugins.ts`,
          );
        }
        if (path.endsWith('index.js')) await collect(finds, join(dirname(path), 'static'), SWAGGER_UI_DIR);
        return { contents: source.replace(patch.from, patch.to), loader: 'js' };
      });
    },
  };
}

const GRPC_PROTOS_DIR = 'grpc-protos';

/** grpc-health-check and @grpc/reflection load the .proto files of their own packages: they travel in a folder beside the bundle. */
export function grpcProtos(finds: Finds): Plugin {
  return {
    name: 'grpc-protos',
    setup(build) {
      build.onLoad({ filter: /[\\/](grpc-health-check[\\/]build[\\/]src[\\/]health|reflection-v1(alpha)?)\.js$/ }, async ({ path }) => {
        const source = await readFile(path, 'utf8');
        const contents = source
          .replaceAll('${__dirname}/../../proto', `\${__dirname}/${GRPC_PROTOS_DIR}`)
          .replaceAll(`__dirname, '../../proto/`, `__dirname, '${GRPC_PROTOS_DIR}/`);
        if (contents === source || contents.includes('../proto')) {
          throw new Error(`${path} finds its .proto files in another way: adapt the grpc-protos plugin in images/bundle-plugins.ts`);
        }
        await collect(finds, join(dirname(path), '../../proto'), GRPC_PROTOS_DIR);
        return { contents, loader: 'js' };
      });
    },
  };
}

const URL_OF_FILE = /new URL\(\s*(['"])(\.\.?\/[^'"\n]*)\1\s*,\s*import\.meta\.url\s*,?\s*\)/g;
const OWN_PLACE = /import\.meta\.(dirname|filename|url)/;

/**
 * The product's own sources: `new URL('./file', import.meta.url)` is followed. A TypeScript file there is a worker thread and becomes a bundle;
 * any other file or folder is copied under `assets/`. `import.meta.main` is true only in the entry point. Every other use of the module's own
 * place stops the build, since it would mean something else in the bundle.
 */
export function ownFiles(finds: Finds, root: string, entryPoints: readonly string[]): Plugin {
  return {
    name: 'own-files',
    setup(build) {
      build.onLoad({ filter: /\.m?ts$/ }, async ({ path }) => {
        if (path.includes('/node_modules/')) return undefined;
        let source = await readFile(path, 'utf8');
        const replacements = await Promise.all(
          [...source.matchAll(URL_OF_FILE)].map(async ([text, , target = '']) => {
            const file = resolve(dirname(path), target);
            return { text, to: `new URL(${JSON.stringify(`./${await carry(finds, root, file, path)}`)}, ${BUNDLE_URL})` };
          }),
        );
        for (const { text, to } of replacements) source = source.replace(text, to);
        if (!entryPoints.includes(path)) source = source.replaceAll('import.meta.main', 'false');
        const place = OWN_PLACE.exec(withoutComments(source));
        if (place !== null) {
          const name = relative(root, path);
          throw new Error(
            `${name} uses ${place[0]}, which in a bundle is the bundle's: write new URL('./file', import.meta.url) with a literal path, which is followed`,
          );
        }
        return { contents: source, loader: 'ts' };
      });
    },
  };
}

/**
 * Keeps the modules of `folder` (relative to `root`), which may import nothing but each other, as files of their own beside the bundle, without their types.
 * In one scope with all others esbuild makes `var` of their constants; V8 folds constants into compiled code, and reads variables at each use. For the
 * core that was one command in seven.
 */
export function ownScopes(finds: Finds, root: string, folder: string): Plugin {
  const inside = join(root, folder, '/');
  return {
    name: 'own-scopes',
    setup(build) {
      build.onResolve({ filter: /^\.\.?\/.*\.ts$/ }, async ({ path, resolveDir }) => {
        const file = resolve(resolveDir, path);
        if (!file.startsWith(inside)) return undefined;
        await collectModule(finds, root, file, inside);
        return { path: `./${moduleName(relative(root, file))}`, external: true };
      });
    },
  };
}

/** Imports of types are gone from what it is used on, no others. */
const TSCONFIG = { compilerOptions: { verbatimModuleSyntax: true } } as const;
const IMPORT_OF_MODULE = /(?<=\b(?:from|import) ")([^"]*)(?=";)/g;

function moduleName(path: string): string {
  return path.replace(/\.ts$/, '.mjs').replaceAll('\\', '/');
}

async function collectModule(finds: Finds, root: string, file: string, inside: string): Promise<void> {
  if (finds.sources.has(file)) return;
  finds.sources.add(file);
  const source = await readFile(file, 'utf8');
  const { code } = await transform(source, { charset: 'utf8', format: 'esm', loader: 'ts', target: 'node24', tsconfigRaw: TSCONFIG });
  finds.files.set(moduleName(relative(root, file)), Buffer.from(code.replace(IMPORT_OF_MODULE, moduleName)));
  for (const [target] of code.matchAll(IMPORT_OF_MODULE)) {
    const next = resolve(dirname(file), target);
    if (!next.startsWith(inside)) throw new Error(`${relative(root, file)} imports ${target}, which is outside of its folder`);
    await collectModule(finds, root, next, inside);
  }
}

/** Packages whose files ask where they live, and why that does no harm in a bundle. A new one stops the build until it has been looked at. */
const HARMLESS_PLACES: readonly { file: RegExp; because: string }[] = [
  { file: /undici\/index(-fetch)?\.js$/, because: 'only the name of a frame in stack traces' },
  { file: /better-sqlite3\/lib\/binding\.js$/, because: 'replaced by the native-sqlite plugin' },
  { file: /@fastify\/swagger-ui\/(index|lib\/routes)\.js$/, because: 'patched by the swagger-ui plugin' },
  {
    file: /@fastify\/swagger\/lib\/util\/read-package-json\.js$/,
    because: 'falls back when no file is there; the engine gives title and version',
  },
  { file: /grpc-health-check\/build\/src\/health\.js$/, because: 'patched by the grpc-protos plugin' },
  { file: /@grpc\/reflection\/build\/src\/implementations\/reflection-v1(alpha)?\.js$/, because: 'patched by the grpc-protos plugin' },
  { file: /@grpc\/grpc-js\/build\/src\/(channelz|orca)\.js$/, because: 'only for services of their own, which the engine does not offer' },
  { file: /pino\/lib\/transport\.js$/, because: 'only for pino transports; both programs log to standard output directly' },
  { file: /thread-stream\/index\.js$/, because: 'only for pino transports' },
  { file: /cdk8s\/lib\/yaml\.js$/, because: 'only Yaml.load of a URL; nothing is loaded by URL' },
];

/** Stops the build when a package that has not been looked at uses `__dirname`, `__filename` or `import.meta.url`. */
export function knownPlaces(): Plugin {
  return {
    name: 'known-places',
    setup(build) {
      build.onEnd(async ({ metafile }) => {
        const inputs = Object.keys(metafile?.inputs ?? {}).filter((input) => /\.[cm]?js$/.test(input) && input.includes('node_modules/'));
        const root = build.initialOptions.absWorkingDir ?? '.';
        const unknown = inputs.filter((input) => !HARMLESS_PLACES.some(({ file }) => file.test(input)));
        const errors: { text: string }[] = [];
        // One after another: a thousand files at once is more than a usual limit of open files.
        for (const input of unknown) {
          const source = withoutComments(await readFile(resolve(root, input), 'utf8'));
          const use = /\b(__dirname|__filename|import\.meta\.(url|dirname|filename))\b/.exec(source);
          if (use !== null)
            errors.push({ text: `${input} uses ${use[0]}: see whether it works in a bundle, then list it in images/bundle-plugins.ts` });
        }
        return { errors };
      });
    },
  };
}

/** Not a parser: removes block comments and lines that hold only a comment, enough to keep prose from tripping the checks above. */
function withoutComments(source: string): string {
  return source.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
}

async function carry(finds: Finds, root: string, file: string, from: string): Promise<string> {
  const inRepository = relative(root, file).replaceAll('..', '_');
  try {
    await access(file);
  } catch (cause) {
    throw new Error(`${relative(root, from)} names ${inRepository}, which does not exist`, { cause });
  }
  if (/\.m?ts$/.test(file)) {
    const name = `${inRepository.replace(/\.m?ts$/, '').replaceAll(/[\\/]/g, '-')}.mjs`;
    finds.workers.set(file, name);
    return name;
  }
  const path = `assets/${inRepository.replaceAll('\\', '/')}`;
  await collect(finds, file, path);
  return file.endsWith('/') ? `${path}/` : path;
}

async function collect(finds: Finds, source: string, path: string): Promise<void> {
  if ((await stat(source)).isDirectory()) {
    for (const name of await readdir(source)) await collect(finds, join(source, name), `${path}/${basename(name)}`);
  } else {
    finds.files.set(path, await readFile(source));
    finds.sources.add(source);
  }
}
