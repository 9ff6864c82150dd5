/** What V8's heap flags do to pauses and throughput: one load of orders under several settings, each in a process of its own, by turns. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { loadFiguresSchema, loadOptionsSchema, type LoadFigures, type LoadOptions } from './gc-load.ts';
import type { GcKind } from '../telemetry/gc.ts';
import { compare, median, type Comparison } from './report.ts';

const LOAD = fileURLToPath(new URL('./gc-load.ts', import.meta.url));
const MI = 2 ** 20;

/** What charts/heap.ts gives an engine with the default memory (1Gi). */
export const TUNED_FLAGS = ['--max-old-space-size=417', '--max-semi-space-size=4', '--min-semi-space-size=4'];

/** Settings to choose between; each row of docs/performance.md is one. */
const SETTINGS: Readonly<Record<string, readonly string[]>> = {
  none: [],
  tuned: TUNED_FLAGS,
  'maximum semi space only': ['--max-semi-space-size=16'],
  'semi space 1': ['--max-old-space-size=417', '--max-semi-space-size=1', '--min-semi-space-size=1'],
  'semi space 16': ['--max-old-space-size=417', '--max-semi-space-size=16', '--min-semi-space-size=16'],
  'semi space 8': ['--max-old-space-size=417', '--max-semi-space-size=8', '--min-semi-space-size=8'],
  'semi space 64': ['--max-old-space-size=417', '--max-semi-space-size=64', '--min-semi-space-size=64'],
  'old space 64': ['--max-old-space-size=64', '--max-semi-space-size=4', '--min-semi-space-size=4'],
  'old space 4096': ['--max-old-space-size=4096', '--max-semi-space-size=4', '--min-semi-space-size=4'],
  'initial old space 417': [...TUNED_FLAGS, '--initial-old-space-size=417'],
  'one thread collects': [...TUNED_FLAGS, '--single-threaded-gc'],
};

/** Runs the load in a process with `flags`. Rejects when it fails. */
export async function loadUnder(flags: readonly string[], options: LoadOptions): Promise<LoadFigures> {
  const args = [...flags, '--expose-gc', LOAD, '--options', JSON.stringify(options)];
  const timeout = (options.warmUpSeconds + options.seconds) * 2000 + 60_000;
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout });
  return loadFiguresSchema.parse(JSON.parse(stdout));
}

/** Pauses, rate and heap with the flags that are shipped, against the same load without flags. */
export async function gcPauses(runs: number): Promise<Comparison[]> {
  const options: LoadOptions = { path: 'objects', durability: 'commit', seconds: 5, warmUpSeconds: 3, share: 1 };
  const pairs: { tuned: LoadFigures; none: LoadFigures }[] = [];
  for (let run = 0; run < runs; run += 1) {
    pairs.push({ tuned: await loadUnder(TUNED_FLAGS, options), none: await loadUnder([], options) });
  }
  const figure = (unit: string, read: (figures: LoadFigures) => number): Comparison =>
    compare(
      'gc.pauses',
      unit,
      'no flags',
      pairs.map(({ tuned, none }) => ({ value: read(tuned), peer: read(none) })),
    );
  return [
    figure('ms, p99', ({ all }) => all.p99Ms),
    figure('ms, longest', ({ all }) => all.longestMs),
    figure('ms in a second', ({ all }) => all.totalMs / options.seconds),
    figure('pauses in a second', ({ all }) => all.count / options.seconds),
    figure('orders/s', ({ perSecond }) => perSecond),
    figure('MiB of heap at most', ({ mostCommitted }) => mostCommitted / MI),
  ];
}

const NO_PAUSES: LoadFigures['all'] = { count: 0, totalMs: 0, p10Ms: 0, p50Ms: 0, p99Ms: 0, longestMs: 0 };

const HELP = `node engine/bench/gc.ts [OPTION ...] [SETTING ...]

Runs the same load of orders in a process for each setting of V8's flags, by turns. SETTINGs choose (all by default):
  ${Object.keys(SETTINGS).join('\n  ')}

  --runs N        of each (5)
  --seconds N     of each run (5)
  --path objects|slots   with the garbage of a request, or without (objects)
  --durability memory|commit|disk   (commit)
  --share N       of the peak rate (0.5)
  --in-flight N   orders in one turn of the event loop (64, in slots 256)

Pauses are in milliseconds, counts and sums for a million orders; "stall" is for how long the machine alone held up a loop. Counts and sizes are
medians, times the shortest of the runs: other work on the machine only ever adds to them.`;

/**
 * Counts and sizes are medians, for each million orders where that makes a slow run count as much as a fast one. Times are the shortest of the runs, and the
 * rate the highest: other work on the machine only ever adds to a pause.
 */
function row(name: string, runs: readonly LoadFigures[], seconds: number): string[] {
  const middle = (read: (figures: LoadFigures) => number): number => median(runs.map(read));
  const least = (read: (figures: LoadFigures) => number): number => Math.min(...runs.map(read));
  const millions = ({ perSecond }: LoadFigures): number => (perSecond * seconds) / 1e6;
  const pauses = (kind: GcKind): string => {
    const of = (figures: LoadFigures): LoadFigures['all'] => figures.pauses.find((one) => one.kind === kind) ?? NO_PAUSES;
    const count = middle((figures) => of(figures).count / millions(figures)).toFixed(1);
    const times = (['p10Ms', 'p50Ms', 'p99Ms', 'longestMs'] as const).map((time) => least((figures) => of(figures)[time]).toFixed(2));
    return [count, ...times].join(' / ');
  };
  return [
    name,
    pauses('minor'),
    pauses('major'),
    least((figures) => figures.all.totalMs / millions(figures)).toFixed(1),
    `${Math.round(Math.max(...runs.map(({ peakPerSecond }) => peakPerSecond)) / 1000)} k`,
    least(({ cpuMicros }) => cpuMicros).toFixed(2),
    (middle(({ mostCommitted }) => mostCommitted) / MI).toFixed(0),
    (middle(({ rssBytes }) => rssBytes) / MI).toFixed(0),
    least(({ stallMs }) => stallMs).toFixed(1),
  ];
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      runs: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '5' },
      path: { type: 'string', default: 'objects' },
      durability: { type: 'string', default: 'commit' },
      share: { type: 'string', default: '0.5' },
      'in-flight': { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  const unknown = positionals.find((name) => SETTINGS[name] === undefined);
  if (values.help || unknown !== undefined) {
    console.log(unknown === undefined ? HELP : `no such setting: ${unknown}\n\n${HELP}`);
    process.exitCode = unknown === undefined ? 0 : 2;
    return;
  }
  const inFlight = values['in-flight'];
  const options = loadOptionsSchema.parse({
    ...values,
    seconds: Number(values.seconds),
    warmUpSeconds: 3,
    share: Number(values.share),
    ...(inFlight !== undefined && { inFlight: Number(inFlight) }),
  });
  const chosen = Object.entries(SETTINGS).filter(([name]) => positionals.length === 0 || positionals.includes(name));
  const figures = new Map(chosen.map(([name]) => [name, [] as LoadFigures[]]));
  for (let run = 0; run < Number(values.runs); run += 1) {
    for (const [name, flags] of chosen) {
      figures.get(name)?.push(await loadUnder(flags, options));
      console.error(`run ${run + 1}, ${name}`);
    }
  }
  const head = [
    'setting',
    'minor: n / p10 / p50 / p99 / longest',
    'major',
    'ms',
    'peak orders/s',
    'CPU µs',
    'heap MiB',
    'RSS MiB',
    'stall ms',
  ];
  const rows = [...figures].map(([name, runs]) => row(name, runs, options.seconds));
  for (const cells of [head, head.map(() => '---'), ...rows]) console.log(`| ${cells.join(' | ')} |`);
}

if (import.meta.main) await main();
