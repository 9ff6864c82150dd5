import { expect, it } from 'vitest';
import { JournalLoad } from './journal-load.ts';

it.each(['commit', 'disk'] as const)('every command of a load is durable once, and its time is taken: %s', async (durability) => {
  const load = new JournalLoad(durability);
  try {
    const { seconds, batches } = await load.saturate(5000, 300);
    expect(seconds).toBeGreaterThan(0);
    expect(batches.reduce((sum, commands) => sum + commands, 0)).toBe(5000);
    const paced = await load.pace(2000, 20_000);
    expect(paced.batches.reduce((sum, commands) => sum + commands, 0)).toBe(2000);
    expect(paced.micros).toHaveLength(2000);
    expect(paced.micros.every((micros, index) => micros > 0 && micros >= (paced.micros[index - 1] ?? 0))).toBe(true);
  } finally {
    load.close();
  }
});
