import { access, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { MatchingCore } from '../engine/core/core.ts';
import { bundleProgram, writeBundle } from './bundle.ts';
import { PROGRAMS, programsOf, ROOT } from './program.ts';
import { testProgram } from './test-program.ts';

/** Runs a bundled program away from any node_modules, as in its image. */
async function run(directory: string, file: string, ...args: string[]): Promise<string> {
  const { stdout } = await execa(process.execPath, [join(directory, file), ...args], { timeout: 15_000, cwd: '/' });
  return stdout;
}

async function outside(): Promise<{ directory: string } & AsyncDisposable> {
  const directory = (await execa('mktemp', ['-d'])).stdout;
  return { directory, [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }) };
}

describe('bundleProgram', () => {
  it('carries workers, files and the native half of SQLite, and gives the same bytes each time', async () => {
    await using program = await testProgram({
      'main.ts': `
        import { readFileSync, readdirSync } from 'node:fs';
        import { Worker } from 'node:worker_threads';
        import Database from 'better-sqlite3';
        import { isMain } from './library.ts';
        const [reply] = await new Promise<unknown[]>((done) => new Worker(new URL('./deep/worker.ts', import.meta.url)).once('message', done));
        console.log(JSON.stringify({
          page: readFileSync(new URL('./page.html', import.meta.url), 'utf8'),
          folder: readdirSync(new URL('./folder/', import.meta.url)),
          one: new Database(':memory:').prepare('select 1 as one').get(),
          reply, isMain, mainIsMain: import.meta.main,
        }));`,
      'library.ts': `export const isMain: boolean = import.meta.main;`,
      'deep/worker.ts': `
        import { parentPort } from 'node:worker_threads';
        import Database from 'better-sqlite3';
        parentPort?.postMessage([new Database(':memory:').prepare('select 2 as two').get()]);`,
      'page.html': '<p>hello</p>',
      'folder/a.txt': 'a',
      'folder/b.txt': 'b',
    });
    const request = { program: 'engine', entryPoint: program.at('main.ts') } as const;
    const bundle = await bundleProgram(request);
    await using elsewhere = await outside();
    await writeBundle(bundle, elsewhere.directory);
    expect(JSON.parse(await run(elsewhere.directory, 'engine.mjs'))).toEqual({
      page: '<p>hello</p>',
      folder: ['a.txt', 'b.txt'],
      one: { one: 1 },
      reply: { two: 2 },
      isMain: false,
      mainIsMain: true,
    });
    expect(bundle.packages.map((name) => name.replace(/@[^@]*$/, ''))).toEqual(['better-sqlite3']);
    expect(bundle.sources).toContain(program.at('deep/worker.ts'));
    expect(bundle.sources).toContain(program.at('folder/b.txt'));
    expect(await bundleProgram(request)).toEqual(bundle);
  });

  it('leaves the constants of the core to V8: its modules stay apart, as in the sources', async () => {
    await using program = await testProgram({
      'main.ts': `
        import { MatchingCore } from '../../engine/core/core.ts';
        const core = new MatchingCore();
        console.log(JSON.stringify({ sequence: core.sequence, hash: core.stateHash() }));`,
    });
    const bundle = await bundleProgram({ program: 'engine', entryPoint: program.at('main.ts') });
    await using elsewhere = await outside();
    await writeBundle(bundle, elsewhere.directory);
    expect(JSON.parse(await run(elsewhere.directory, 'engine.mjs'))).toEqual({ sequence: 0, hash: new MatchingCore().stateHash() });
    const core = bundle.files.filter(({ path }) => path.startsWith('engine/core/')).map(({ contents }) => Buffer.from(contents).toString());
    expect(core.join('\n')).toMatch(/^const \{.*NEW_ORDER.*\} = types;$/m);
    expect(core.join('\n')).not.toMatch(/^var /m);
    expect(bundle.sources).toContain(join(ROOT, 'engine/core/express.ts'));
  });

  it('serves the API documentation from files beside the bundle', async () => {
    await using program = await testProgram({
      'main.ts': `
        import swagger from '@fastify/swagger';
        import swaggerUi from '@fastify/swagger-ui';
        import Fastify from 'fastify';
        const app = Fastify();
        await app.register(swagger, { openapi: { info: { title: 't', version: '1' } } });
        await app.register(swaggerUi, { routePrefix: '/docs' });
        const urls = ['/docs/', '/docs/json', '/docs/static/swagger-ui-bundle.js', '/docs/static/logo.svg', '/docs/static/nothing'];
        console.log(JSON.stringify(await Promise.all(urls.map(async (url) => (await app.inject(url)).statusCode))));`,
    });
    await using elsewhere = await outside();
    await writeBundle(await bundleProgram({ program: 'engine', entryPoint: program.at('main.ts') }), elsewhere.directory);
    expect(JSON.parse(await run(elsewhere.directory, 'engine.mjs'))).toEqual([200, 200, 200, 200, 404]);
  });

  it.each([
    [
      'import.meta.dirname',
      `import { readFileSync } from 'node:fs'; readFileSync(import.meta.dirname + '/x');`,
      /main\.ts uses import\.meta\.dirname.*new URL/,
    ],
    ['a file that is not there', `console.log(new URL('./absent.html', import.meta.url));`, /absent\.html, which does not exist/],
    ['a package that is not installed', `import x from 'no-such-package-here'; console.log(x);`, /no-such-package-here/],
  ])('refuses %s', async (_what, source, message) => {
    await using program = await testProgram({ 'main.ts': source });
    await expect(bundleProgram({ program: 'engine', entryPoint: program.at('main.ts') })).rejects.toThrow(message);
  });

  it('names an architecture without a prebuilt SQLite', async () => {
    await using program = await testProgram({ 'main.ts': `import Database from 'better-sqlite3'; console.log(Database);` });
    const request = { program: 'engine', entryPoint: program.at('main.ts') } as const;
    await expect(bundleProgram({ ...request, arch: 'sparc' })).rejects.toThrow(/no prebuild for linux-sparc/);
    const other = process.arch === 'x64' ? 'arm64' : 'x64';
    const [host, foreign] = await Promise.all([bundleProgram(request), bundleProgram({ ...request, arch: other })]);
    const native = (bundle: typeof host) => bundle.files.find(({ path }) => path === 'better_sqlite3.node')?.contents.length;
    expect(native(foreign)).toBeGreaterThan(1e6);
    expect(native(foreign)).not.toBe(native(host));
  });
});

describe.each(PROGRAMS)('the real %s', (program) => {
  it('bundles, carries its licences and explains itself away from the repository', { timeout: 60_000 }, async () => {
    await access(join(ROOT, program, 'main.ts'));
    const bundle = await bundleProgram({ program });
    await using elsewhere = await outside();
    await writeBundle(bundle, elsewhere.directory);
    expect(await run(elsewhere.directory, `${program}.mjs`, '--help')).toMatch(/usage/i);
    const notices = Buffer.from(bundle.files.find(({ path }) => path === 'THIRD-PARTY-NOTICES.txt')?.contents ?? '').toString();
    for (const name of bundle.packages) expect(notices).toContain(`==== ${name} (`);
    expect(notices).not.toContain('unknown');
  });
});

describe('programsOf', () => {
  it('takes short and image names, in build order, and all when none is given', () => {
    expect(programsOf([])).toEqual(['engine', 'operator']);
    expect(programsOf(['operator', 'hft-engine'])).toEqual(['engine', 'operator']);
    expect(() => programsOf(['enigne'])).toThrow('unknown program "enigne": expected engine or operator');
  });
});
