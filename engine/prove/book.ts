/** The core and the naive model on long seeded histories: every answer and event compared, all that can be seen now and then, replays and restores. */
import { parseArgs } from 'node:util';
import { runHistory } from './history.ts';

const HELP = `npm run prove -- book [OPTION ...]

Drives the core and the naive model with the same random commands and stops at the first difference. A difference is named with its seed and
command; the same --seed, --history and --instruments give it again.

  --commands N     in all (1000000)
  --history N      for one pair of new cores (20000)
  --seed N         of the first history; each further one has the next (1)
  --instruments N  of each core (3)`;

const { values } = parseArgs({
  options: {
    commands: { type: 'string', default: '1000000' },
    history: { type: 'string', default: '20000' },
    seed: { type: 'string', default: '1' },
    instruments: { type: 'string', default: '3' },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) {
  console.log(HELP);
} else {
  const total = Number(values.commands);
  let done = 0;
  for (let seed = Number(values.seed); done < total; seed += 1) {
    const count = Math.min(Number(values.history), total - done);
    try {
      const { accepted, events, openOrders, hash } = runHistory(seed, count, Number(values.instruments));
      done += count;
      console.log(`seed ${seed}: ${count} commands, ${accepted} accepted, ${events} events, ${openOrders} open orders, hash ${hash}`);
    } catch (cause) {
      console.error(`seed ${seed}: ${cause instanceof Error ? cause.message : String(cause)}`);
      process.exitCode = 1;
      break;
    }
  }
  console.log(`${done} commands, ${process.exitCode === 1 ? 'a difference' : 'no difference'}`);
}
