/**
 * Proof that the engine does what its OpenAPI document says: Schemathesis makes requests from the document, good and bad, and checks every answer. None may be
 * a 5xx, and each must be of a status, a content type and a form that the document names. Schemathesis is fetched once, into the project's cache.
 */
import { execa } from 'execa';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { DEFAULT_CONFIG } from '../config/config.ts';
import { spawnEngine, untilReady } from './engine-process.ts';

const PACKAGE = 'schemathesis==4.32.5';
const FETCH_TIMEOUT_MS = 300_000;
const CHECKS = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_schema_conformance',
  'response_headers_conformance',
];

const HELP = `npm run prove -- openapi [OPTION ...]

Starts an engine and lets Schemathesis (PyPI, fetched once into HFT_CACHE_DIR; needs python3 with venv) call every operation of its OpenAPI document.

  --examples N   requests for each operation, about (50)
  --seconds N    stop after so long (180)
  --seed N       another seed (1)`;

/** The program, or undefined where it cannot be had. */
async function fetchSchemathesis(log: (line: string) => void): Promise<string | undefined> {
  const cache = process.env['HFT_CACHE_DIR'] || join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'hftengine');
  const directory = join(cache, PACKAGE.replace('==', '-'));
  const program = join(directory, 'bin', 'schemathesis');
  if (existsSync(program)) return program;
  log(`fetching ${PACKAGE} ...`);
  mkdirSync(directory, { recursive: true });
  const options = { timeout: FETCH_TIMEOUT_MS, stdin: 'ignore', reject: false } as const;
  const made = await execa('python3', ['-m', 'venv', directory], options);
  const run = made.exitCode === 0 ? await execa(join(directory, 'bin', 'pip'), ['install', '--quiet', PACKAGE], options) : made;
  if (existsSync(program)) return program;
  log((run.stderr || run.stdout || run.shortMessage || '').trim().slice(-500));
  return undefined;
}

/** Gives the exit code of Schemathesis: 0 when every answer was as the document says. */
async function proveOpenApi(program: string, options: { examples: string; seconds: string; seed: string }): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), 'hft-openapi-'));
  const config = join(directory, 'config.json');
  writeFileSync(config, JSON.stringify({ ...DEFAULT_CONFIG, journal: { durability: 'memory' } }));
  const engine = await spawnEngine({ dataDirectory: join(directory, 'data'), args: ['--config', config] });
  try {
    await untilReady(engine.baseUrl);
    const limits = ['--max-examples', options.examples, '--max-time', options.seconds, '--seed', options.seed];
    const run = await execa(
      program,
      [
        'run',
        `${engine.baseUrl}/docs/json`,
        '--header',
        `Authorization: Bearer ${engine.token}`,
        '--checks',
        CHECKS.join(','),
        ...limits,
        '--no-color',
        '--warnings',
        'off',
      ],
      { stdio: ['ignore', 'inherit', 'inherit'], reject: false, cwd: directory, timeout: (Number(options.seconds) + 60) * 1000 },
    );
    return run.exitCode ?? 1;
  } finally {
    engine.kill('SIGTERM');
    await engine.ended;
    rmSync(directory, { recursive: true, force: true });
  }
}

const { values } = parseArgs({
  options: {
    examples: { type: 'string', default: '50' },
    seconds: { type: 'string', default: '180' },
    seed: { type: 'string', default: '1' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) console.log(HELP);
else {
  const program = await fetchSchemathesis((line) => console.error(line));
  if (program === undefined) {
    console.error(`${PACKAGE} cannot be had: python3 with venv, and PyPI or a cache that holds it, are needed`);
    process.exitCode = 1;
  } else process.exitCode = await proveOpenApi(program, values);
}
