/** Writes a workload file: `node engine/bench/make-workload.ts FILE [--commands N] [--seed N] [--resting N]`. */
import { parseArgs } from 'node:util';
import { generateWorkload } from './generate.ts';
import { RECORD_BYTES, writeWorkload } from './workload.ts';

const HELP = `node engine/bench/make-workload.ts FILE [OPTION ...]

Writes a workload for the book benchmark: a market with cancels, from a seed.

  --commands N   how many (2000000)
  --seed N       the same seed gives the same file (1)
  --resting N    about how many orders rest (10000)`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    commands: { type: 'string', default: '2000000' },
    seed: { type: 'string', default: '1' },
    resting: { type: 'string', default: '10000' },
    help: { type: 'boolean', default: false },
  },
});

function count(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`--${name} must be a whole number, not ${text}`);
  return value;
}

const [path] = positionals;
if (values.help || path === undefined) {
  (values.help ? console.log : console.error)(HELP);
  process.exitCode = values.help ? 0 : 2;
} else {
  try {
    const records = generateWorkload({
      commands: count('commands', values.commands),
      seed: count('seed', values.seed),
      resting: count('resting', values.resting),
    });
    writeWorkload(path, records);
    console.log(`${path}: ${records.length} commands, ${records.length * RECORD_BYTES} bytes`);
  } catch (cause) {
    console.error(cause instanceof Error ? cause.message : cause);
    process.exitCode = 1;
  }
}
