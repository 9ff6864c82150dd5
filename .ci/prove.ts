/** `npm run prove -- NAME`: proofs that take longer than a test may. Each has a short form in `npm test`. */
import { execa } from 'execa';

interface Proof {
  program: string;
  about: string;
}

const PROOFS: Readonly<Record<string, Proof>> = {
  kill: {
    program: 'engine/prove/kill.ts',
    about: 'kill -9 an engine at random moments under load; every acknowledged order and fill must survive',
  },
  book: {
    program: 'engine/prove/book.ts',
    about: 'a million commands to the matching core and to a naive model; nothing may differ, and what does is shown as short as can be',
  },
  workload: {
    program: 'engine/prove/workload.ts',
    about: 'workload files through `npm run book` and through the naive model: the same totals',
  },
  mutants: { program: 'engine/prove/mutants.ts', about: 'break the matching core in many ways; the model or its tests must notice' },
  recovery: {
    program: 'engine/prove/recovery.ts',
    about: 'a journal of five million commands is recovered in time, and to the state in which it was written',
  },
  openapi: {
    program: 'engine/prove/openapi.ts',
    about: 'Schemathesis calls the order API as its document says; every answer must be as it says',
  },
  clients: {
    program: 'engine/prove/clients.ts',
    about: '500 slow, half-open, never-reading and byte-at-a-time clients: the p99 of others within 2x, memory within its bound',
  },
  frames: {
    program: 'engine/prove/frames.ts',
    about: 'ten million damaged frames; every answer and book must be those of a model, and an engine under them must go on serving',
  },
  gc: { program: 'engine/prove/gc.ts', about: 'ten minutes of orders at half the peak rate; every pause must be short and the heap flat' },
};

const HELP = `npm run prove -- NAME [OPTION ...]

${Object.entries(PROOFS)
  .map(([name, { about }]) => `  ${name.padEnd(8)} ${about}`)
  .join('\n')}

npm run prove -- NAME --help lists the options of one.`;

const [name = '--help', ...programArguments] = process.argv.slice(2);
const proof = PROOFS[name];
if (proof === undefined) {
  if (name === '--help') console.log(HELP);
  else console.error(`no such proof: ${name}\n\n${HELP}`);
  process.exitCode = name === '--help' ? 0 : 2;
} else {
  const run = await execa('node', [proof.program, ...programArguments], { stdio: 'inherit', reject: false });
  process.exitCode = run.exitCode ?? 1;
}
