/** `npm run --silent book -- FILE`: a workload file through the core as shipped, one line of JSON. */
import { parseArgs } from 'node:util';
import { setCompilerFlags } from '../compiler-flags.ts';
import { measureBook } from './measure.ts';
import { readWorkload } from './workload.ts';

setCompilerFlags();

const HELP = `npm run --silent book -- FILE

Runs a workload file (16-byte records, see engine/bench/workload.ts) through the core and prints totals, timings and memory as one line of
JSON. The first quarter of the file is warm-up for the timings, not for the totals. engine/bench/make-workload.ts writes such files.`;

const { values, positionals } = parseArgs({ allowPositionals: true, options: { help: { type: 'boolean', default: false } } });
const [path] = positionals;
if (values.help || path === undefined) {
  (values.help ? console.log : console.error)(HELP);
  process.exitCode = values.help ? 0 : 2;
} else {
  try {
    console.log(JSON.stringify(measureBook(readWorkload(path))));
  } catch (cause) {
    console.error(`${path}: ${cause instanceof Error ? cause.message : String(cause)}`);
    process.exitCode = 1;
  }
}
