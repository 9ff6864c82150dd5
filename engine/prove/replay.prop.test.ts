import { rmSync } from 'node:fs';
import { setImmediate as nextTick } from 'node:timers/promises';
import * as fc from 'fast-check';
import { describe, it } from 'vitest';
import { commandWords, encodeCommand } from '../core/command.ts';
import { MatchingCore } from '../core/core.ts';
import { NO_LIMITS, RandomCommands } from '../core/random-commands.ts';
import { NO_EVENTS, REJECT, type Core } from '../core/types.ts';
import { SqliteJournal } from '../journal/sqlite-journal.ts';
import { temporaryDirectory } from '../testing/temporary-directory.ts';

const INSTRUMENTS = 3;
const OPTIONS = { firstOrders: 4, clientIds: 16 };
/** Sends random commands, of which those that are accepted are journalled. */
async function run(journal: SqliteJournal, core: Core, stream: RandomCommands, commands: number): Promise<void> {
  const { ring } = journal;
  for (let left = commands; left > 0; left -= 1) {
    const step = stream.next(core.sequence, core.nextDueMicros, (orderId) => core.find(orderId) >= 0);
    if ('rules' in step) core.setInstrument(step.instrument, step.rules);
    else if ('accountRules' in step) core.setAccountRules(step.accountRules);
    else {
      const at = ring.at();
      encodeCommand(ring.slots, at, step.timestampMicros, step.command);
      if (core.submit(ring.slots, at, NO_EVENTS) === REJECT.none) ring.push();
      else ring.dropTexts();
    }
  }
  journal.flush();
  await nextTick();
}

/** Replays a journal from its first command on a core that knows no limits. */
function replayed(journal: SqliteJournal): Core {
  const core = new MatchingCore(OPTIONS);
  for (let instrument = 0; instrument < INSTRUMENTS; instrument += 1) core.setInstrument(instrument, { ...NO_LIMITS, tradable: false });
  for (let batches = journal.read(1, 500); batches.length > 0; batches = journal.read(core.sequence + 1, 500)) {
    for (const { slots, words } of batches) for (let at = 0; at < words; at += commandWords(slots, at)) core.replay(slots, at, NO_EVENTS);
  }
  return core;
}

const tick = fc.record({ commands: fc.integer({ min: 0, max: 250 }), thenRestarts: fc.constantFrom(false, false, false, true) });

describe('a journal', () => {
  it('of any history, in any batches and over any restarts, replays to the same state', { timeout: 60_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1 }), fc.array(tick, { maxLength: 12 }), async (seed, ticks) => {
        const directory = temporaryDirectory();
        let journal = SqliteJournal.open(directory, 'commit');
        try {
          const stream = new RandomCommands(seed, INSTRUMENTS);
          const core = new MatchingCore(OPTIONS);
          for (let instrument = 0; instrument < INSTRUMENTS; instrument += 1) core.setInstrument(instrument, stream.firstRules());
          for (const { commands, thenRestarts } of ticks) {
            await run(journal, core, stream, commands);
            if (!thenRestarts) continue;
            journal.close();
            journal = SqliteJournal.open(directory, 'commit');
          }
          const again = replayed(journal);
          if (again.sequence !== core.sequence) throw new Error(`${core.sequence} commands were journalled, ${again.sequence} replayed`);
          if (again.stateHash() !== core.stateHash()) throw new Error(`the state hash differs after ${core.sequence} commands`);
        } finally {
          journal.close();
          rmSync(directory, { recursive: true, force: true });
        }
      }),
      { numRuns: 25 },
    );
  });
});
