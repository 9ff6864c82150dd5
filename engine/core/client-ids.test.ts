import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ClientIds } from './client-ids.ts';

describe('ClientIds', () => {
  it('remembers the last ones, as a list would', () => {
    const most = 128;
    const key = fc.tuple(fc.nat(3), fc.integer({ min: -20, max: 20 }), fc.nat(3));
    fc.assert(
      fc.property(fc.array(key, { minLength: 200, maxLength: 600, size: 'max' }), (keys) => {
        const ids = new ClientIds(most);
        let model: string[] = [];
        for (const [index, [account, low, high]] of keys.entries()) {
          const name = `${account} ${low} ${high} `;
          const known = model.find((entry) => entry.startsWith(name));
          expect(ids.find(account, low, high)).toBe(known === undefined ? 0 : Number(known.slice(name.length)));
          if (known !== undefined) continue;
          ids.add(account, low, high, index + 1);
          model = [...model, name + (index + 1)].slice(-most);
        }
        const entries: string[] = [];
        ids.each((account, low, high, orderId) => entries.push(`${account} ${low} ${high} ${orderId}`));
        expect(entries).toEqual(model);
        expect(ids.size).toBe(model.length);
      }),
      { numRuns: 50 },
    );
  });

  it('with an id twice, as a journal of a shorter memory may hold it, knows the later one', () => {
    const ids = new ClientIds(2);
    ids.add(1, 5, 0, 10);
    ids.add(1, 5, 0, 11);
    ids.add(1, 6, 0, 12);
    expect([ids.find(1, 5, 0), ids.find(1, 6, 0)]).toEqual([11, 12]);
    ids.add(1, 7, 0, 13);
    expect([ids.find(1, 5, 0), ids.find(1, 6, 0), ids.find(1, 7, 0)]).toEqual([0, 12, 13]);
  });

  it('with a memory of one, knows the last', () => {
    const ids = new ClientIds(1);
    for (let orderId = 1; orderId <= 9; orderId += 1) {
      ids.add(1, orderId, 0, orderId);
      expect([orderId - 1, orderId, orderId + 1].map((low) => ids.find(1, low, 0))).toEqual([0, orderId, 0]);
      expect([ids.size, ids.capacity]).toEqual([1, 1]);
    }
  });

  it.each([0, 3, 2 ** 21, NaN])('cannot remember %d', (most) => {
    expect(() => new ClientIds(most)).toThrow('must be a power of two up to 1048576');
  });
});
