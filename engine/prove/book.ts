/**
 * The core and the naive model on long seeded histories: every answer and event compared, all that can be seen now and then, replays and restores.
 * fast-check runs them and, when they differ, searches for the shortest history that shows it.
 */
import * as fc from 'fast-check';
import { parseArgs } from 'node:util';
import { describeStep } from './describe.ts';
import { Histories, type History, type HistoryFigures, type HistorySettings } from './history.ts';

export interface BookProof {
  readonly commands: number;
  /** What is different, after which history; undefined when nothing is. */
  readonly difference?: { readonly seed: number; readonly message: string; readonly history: readonly string[]; readonly shrinks: number };
}

/** Runs `count` histories, whose seeds follow one another; ends at the first that differs, made as short as can be. */
export function proveBook(
  first: HistorySettings,
  count: number,
  progress: (settings: HistorySettings, figures: HistoryFigures | undefined) => void = () => undefined,
): BookProof {
  let commands = 0;
  let hasFailed = false;
  const run = (history: History): void => {
    let figures: HistoryFigures | undefined;
    try {
      figures = history.run();
    } finally {
      // What is tried while a shorter one is searched for is of no interest.
      if (!hasFailed) progress(history.settings, figures);
      hasFailed ||= figures === undefined;
    }
    commands += history.settings.commands;
  };
  const details = fc.check(fc.property(new Histories(first), run), { numRuns: count });
  if (!details.failed) return { commands };
  const [history] = details.counterexample ?? [];
  if (history === undefined) throw details.errorInstance;
  const { errorInstance } = details;
  return {
    commands,
    difference: {
      seed: history.settings.seed,
      message: errorInstance instanceof Error ? errorInstance.message : String(errorInstance),
      history: history.done.map((part) => (typeof part === 'string' ? part : describeStep(part.step))),
      shrinks: details.numShrinks,
    },
  };
}

const HELP = `npm run prove -- book [OPTION ...]

Drives the core and the naive model with the same random commands and compares every answer, event, book, position and the state hash; restores
and replays on the way. Ends at the first difference, with the shortest history that still shows it. Exit code 1 then.

  --commands N     in all (1000000)
  --history N      for one pair of new cores (20000)
  --seed N         of the first history; each further one has the next (1)
  --instruments N  of each core (3)`;

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      commands: { type: 'string', default: '1000000' },
      history: { type: 'string', default: '20000' },
      seed: { type: 'string', default: '1' },
      instruments: { type: 'string', default: '3' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) console.log(HELP);
  else {
    const commands = Math.min(Number(values.history), Number(values.commands));
    const first = { seed: Number(values.seed), commands, instruments: Number(values.instruments) };
    const proof = proveBook(first, Math.ceil(Number(values.commands) / commands), ({ seed }, figures) => {
      if (figures === undefined) console.log(`seed ${seed}: a difference; looking for the shortest history that shows it`);
      else {
        const { accepted, events, openOrders, hash } = figures;
        console.log(`seed ${seed}: ${commands} commands, ${accepted} accepted, ${events} events, ${openOrders} open orders, hash ${hash}`);
      }
    });
    if (proof.difference === undefined) console.log(`${proof.commands} commands, no difference`);
    else {
      const { seed, message, history, shrinks } = proof.difference;
      console.log(`\nseed ${seed}, made shorter ${shrinks} times:\n`);
      history.forEach((line, index) => console.log(`${String(index + 1).padStart(4)}  ${line}`));
      console.log(`\n${message}`);
      process.exitCode = 1;
    }
  }
}
