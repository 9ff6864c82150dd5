/** The core and the naive model on long seeded histories: every event compared, every book and the state hash after each thousand commands. */
import { parseArgs } from 'node:util';
import { randomCommands } from '../core/random-commands.ts';
import { Differential } from './differential.ts';

const HELP = `npm run prove -- book [OPTION ...]

Drives the core and the naive model with the same random commands and stops at the first difference.

  --commands N   in all (1000000)
  --history N    for one pair of new cores (50000)
  --seed N       of the first history; each further one has the next (1)`;

const INSTRUMENTS = 3;

const { values } = parseArgs({
  options: {
    commands: { type: 'string', default: '1000000' },
    history: { type: 'string', default: '50000' },
    seed: { type: 'string', default: '1' },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) {
  console.log(HELP);
} else {
  const total = Number(values.commands);
  let done = 0;
  let mostResting = 0;
  for (let seed = Number(values.seed); done < total; seed += 1) {
    const both = new Differential(INSTRUMENTS, { firstOrders: 16 });
    try {
      for (const command of randomCommands(seed, Math.min(Number(values.history), total - done), INSTRUMENTS)) {
        both.apply(command);
        done += 1;
        if (both.core.sequence % 1000 === 0) both.compareBooks();
      }
      both.compareBooks();
    } catch (cause) {
      console.error(`seed ${seed}, command ${both.core.sequence}: ${cause instanceof Error ? cause.message : String(cause)}`);
      process.exitCode = 1;
      break;
    }
    mostResting = Math.max(mostResting, both.core.mostOpenOrders);
    console.log(`seed ${seed}: ${both.core.sequence} commands, ${both.core.openOrders} orders rest, hash ${both.core.stateHash()}`);
  }
  console.log(`${done} commands, ${process.exitCode === 1 ? 'a difference' : 'no difference'}, at most ${mostResting} orders at once`);
}
