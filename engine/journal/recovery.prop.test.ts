import { rmSync } from 'node:fs';
import { setImmediate as nextTick } from 'node:timers/promises';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { encodeCommand } from '../core/command.ts';
import { MatchingCore } from '../core/core.ts';
import { NO_LIMITS, RandomCommands } from '../core/random-commands.ts';
import { NO_EVENTS, REJECT } from '../core/types.ts';
import { temporaryDirectory } from '../testing/temporary-directory.ts';
import { recover } from './recovery.ts';
import { writeSnapshot } from './snapshot.ts';
import { SqliteJournal } from './sqlite-journal.ts';
import { ACCOUNT_NAME } from './types.ts';

const INSTRUMENTS = 2;
const OPTIONS = { firstOrders: 16, clientIds: 16 };

function newCore(rules = NO_LIMITS): MatchingCore {
  const core = new MatchingCore(OPTIONS);
  for (let instrument = 0; instrument < INSTRUMENTS; instrument += 1) core.setInstrument(instrument, rules);
  return core;
}

/** A history in a journal of `directory`, in batches of up to `most`, with snapshots at the given sequences. */
async function record(directory: string, seed: number, commands: number, most: number, snapshots: readonly number[]) {
  const stream = new RandomCommands(seed, INSTRUMENTS);
  const journal = SqliteJournal.open(directory, 'memory');
  const core = newCore(stream.firstRules());
  const accounts: string[] = [];
  const { ring } = journal;
  for (let tries = 0; core.sequence < commands && tries < 20 * commands; tries += 1) {
    const step = stream.next(core.sequence, core.nextDueMicros);
    if ('rules' in step) core.setInstrument(step.instrument, step.rules);
    if ('accountRules' in step) core.setAccountRules(step.accountRules);
    if (!('command' in step)) continue;
    const at = ring.at();
    encodeCommand(ring.slots, at, step.timestampMicros, step.command);
    if (core.submit(ring.slots, at, NO_EVENTS) !== REJECT.none) continue;
    const { sequence } = core;
    if (sequence % 7 === 3) {
      accounts.push(`account-${sequence}`);
      ring.text(ACCOUNT_NAME, `account-${sequence}`);
    }
    ring.push();
    journal.flush();
    if (sequence % most === 0) await nextTick();
    if (snapshots.includes(sequence)) {
      const words: number[] = [];
      core.eachStateWord((word) => words.push(word));
      writeSnapshot(directory, {
        sequence,
        timestampMicros: core.timestampMicros,
        stateHash: core.stateHash(),
        words: Float64Array.from(words),
        accounts: [...accounts],
      });
    }
    if (sequence % 50 === 0) journal.recordStateHash(sequence, core.stateHash(), 0);
  }
  await nextTick();
  journal.close();
  return { sequence: core.sequence, stateHash: core.stateHash(), accounts };
}

it('any history gives the same state again, from its beginning and from a snapshot anywhere', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.nat(),
      fc.integer({ min: 1, max: 400 }),
      fc.integer({ min: 1, max: 100 }),
      fc.uniqueArray(fc.integer({ min: 1, max: 400 }), { maxLength: 2 }),
      async (seed, commands, most, snapshots) => {
        const directory = temporaryDirectory();
        const elsewhere = temporaryDirectory();
        try {
          const { sequence, stateHash, accounts } = await record(directory, seed, commands, most, snapshots);
          const reached = Math.max(0, ...snapshots.filter((one) => one <= sequence));
          const journal = SqliteJournal.open(directory, 'memory');
          const { signal } = new AbortController();
          const expected = { sequence, stateHash, accounts, warnings: [] };
          expect(await recover(newCore(), journal, { dataDirectory: directory, signal })).toMatchObject({
            ...expected,
            snapshotSequence: reached,
            commands: sequence - reached,
          });
          expect(await recover(newCore(), journal, { dataDirectory: elsewhere, signal })).toMatchObject({
            ...expected,
            commands: sequence,
          });
          journal.close();
        } finally {
          for (const one of [directory, elsewhere]) rmSync(one, { recursive: true, force: true });
        }
      },
    ),
    { numRuns: 60 },
  );
}, 60_000);
