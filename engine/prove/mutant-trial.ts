/**
 * One core, perhaps a broken one, against the naive model: exit code 0 when no difference is found. A program of its own, because a broken core may
 * never come back. `node mutant-trial.ts SEEDS COMMANDS`: so many histories of so many commands.
 */
import { runHistory } from './history.ts';

const [seeds, commands] = process.argv.slice(2).map(Number);
if (seeds === undefined || commands === undefined) throw new Error('say how many seeds, and how many commands for each');
for (let seed = 1; seed <= seeds; seed += 1) runHistory(seed, commands, 3);
