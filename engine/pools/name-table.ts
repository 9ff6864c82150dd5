/** What stands for a name, found by it: the name is kept once, however often it arrives. Counts the look-ups. */
import type { PoolFigures } from '../core/pool-figures.ts';

export class NameTable<Value> extends Map<string, Value> {
  /** Look-ups of names that were there, and of others. */
  hits = 0;
  misses = 0;

  override get(name: string): Value | undefined {
    const value = super.get(name);
    if (value === undefined) this.misses += 1;
    else this.hits += 1;
    return value;
  }

  /** For at most `most` names. */
  figures(pool: string, most: number): PoolFigures {
    return { pool, used: this.size, capacity: most, mostUsed: this.size, hits: this.hits, misses: this.misses };
  }
}
