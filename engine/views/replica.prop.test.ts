import * as fc from 'fast-check';
import { describe, it } from 'vitest';
import { TestReplica } from './replica.test-support.ts';

/** What happens to a replica between two stretches of the journal. */
const step = fc.record({
  grows: fc.integer({ min: 0, max: 300 }),
  /** Of what is there; the rest is followed later. */
  advances: fc.array(fc.integer({ min: 1, max: 300 }), { maxLength: 4 }),
  end: fc.constantFrom('commit', 'kill', 'snapshot', 'nothing'),
});

describe('the rows of a replica', () => {
  it('are those of the naive read models, wherever it is killed and started again, and however little it gathers', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer(),
        fc.constantFrom(3, 7, undefined),
        fc.array(step, { maxLength: 6, size: 'max' }),
        async (seed, mostGathered, steps) => {
          using test = new TestReplica(seed);
          test.mostGathered = mostGathered;
          await test.grow(0);
          test.open();
          for (const { grows, advances, end } of steps) {
            await test.grow(grows);
            for (const limit of advances) test.replica.advance(limit);
            if (end === 'kill') {
              test.kill();
              test.open();
            } else if (end === 'commit') test.replica.commit();
            else if (end === 'snapshot') {
              test.catchUp();
              test.replica.commit();
              test.replica.snapshot();
            }
          }
          test.catchUp();
          test.compare();
          test.replica.commit();
          test.kill();
          test.open();
          test.catchUp();
          test.compare();
        },
      ),
      { numRuns: 25 },
    );
  }, 120_000);
});
