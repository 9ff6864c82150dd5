/** The short form of `npm run prove -- frames`, in this process. */
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { runRig } from './frame-rig.ts';

it('damaged frames are answered as the model says, and leave its books', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(), async (seed) => {
      const { frames, accepted, answers } = await runRig(seed, 4000);
      // Not all of it is noise: orders get through, and are answered.
      expect(frames).toBeGreaterThanOrEqual(4000);
      expect(accepted).toBeGreaterThan(400);
      expect(answers).toBeGreaterThan(1500);
    }),
    { numRuns: 20, endOnFailure: true },
  );
}, 60_000);
