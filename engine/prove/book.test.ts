import { afterEach, describe, expect, it, vi } from 'vitest';
import type { CommandSlots } from '../core/command.ts';
import { MatchingCore } from '../core/core.ts';
import { ANY_ACCOUNT, CANCEL_ORDER, type EventSink, type Reject } from '../core/types.ts';
import { proveBook } from './book.ts';

const FIRST = { seed: 1, commands: 2000, instruments: 2 };

afterEach(() => void vi.restoreAllMocks());

describe('the proof of the book', () => {
  it('runs one history after the other', () => {
    const seeds: number[] = [];
    const proof = proveBook(FIRST, 2, ({ seed }) => seeds.push(seed));
    expect([proof, seeds]).toEqual([{ commands: 4000 }, [1, 2]]);
  });

  it('shows a fault by the shortest history', () => {
    const core = Object.getOwnPropertyDescriptors(MatchingCore.prototype);
    vi.spyOn(MatchingCore.prototype, 'submit').mockImplementation(function (
      this: MatchingCore,
      slots: CommandSlots,
      at: number,
      sink: EventSink,
    ): Reject {
      // The fault: anyone may cancel.
      if (slots.words[at] === CANCEL_ORDER) slots.words[at + 3] = ANY_ACCOUNT;
      return core.submit.value?.call(this, slots, at, sink) as Reject;
    });
    const { difference } = proveBook(FIRST, 2);
    expect(difference?.history).toEqual([
      expect.stringMatching(/^at 1: \{ kind: NEW_ORDER, .*account: 0, .*quantityLots: 1/),
      expect.stringMatching(/^at 1: \{ kind: CANCEL_ORDER, orderId: 1, account: [12] \}$/),
    ]);
    expect(difference?.message).toContain("-   'unknownOrder'");
  });
});
