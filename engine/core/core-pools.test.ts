import { describe, expect, it } from 'vitest';
import { CommandSlots, encodeCommand, SLOT_BYTES } from './command.ts';
import { MatchingCore } from './core.ts';
import { NO_LIMITS } from './random-commands.ts';
import { NO_EVENTS, BUY, CANCEL_ORDER, GTC, GTD, LIMIT, NEW_ORDER, REJECT, type Command } from './types.ts';

describe('the pools of a core', () => {
  it('tell what is used, what there was at most, and all of its memory', () => {
    const core = new MatchingCore({ mostOrders: 4, firstOrders: 2 });
    core.setInstrument(0, NO_LIMITS);
    const slots = new CommandSlots(new ArrayBuffer(2 * SLOT_BYTES));
    const submit = (command: Command): number => {
      encodeCommand(slots, 0, 1, command);
      return core.submit(slots, 0, NO_EVENTS);
    };
    const order = (priceTicks: number, more: object = {}): number =>
      submit({
        kind: NEW_ORDER,
        instrument: 0,
        account: 0,
        side: BUY,
        type: LIMIT,
        timeInForce: GTC,
        priceTicks,
        quantityLots: 1,
        ...more,
      });
    const pool = (name: string) => core.pools().find((one) => one.pool === name);

    expect(pool('orders')).toMatchObject({ used: 0, mostUsed: 0 });
    expect(pool('records')).toMatchObject({ used: 0, capacity: 4 });
    order(100);
    order(100);
    order(101, { account: 1, timeInForce: GTD, expiryMicros: 1000, clientIdLow: 1, clientIdHigh: 2 });
    expect(pool('orders')).toMatchObject({ used: 3, mostUsed: 3 });
    expect(pool('records')).toMatchObject({ used: 5 });
    expect(pool('levels')).toMatchObject({ used: 2 });
    expect(pool('order-ids')).toMatchObject({ used: 3 });
    expect(pool('order-extras')).toMatchObject({ used: 1, mostUsed: 1 });
    expect(pool('expiries')).toMatchObject({ used: 1 });
    expect(pool('holdings')).toMatchObject({ used: 2 });
    expect(pool('client-order-ids')).toMatchObject({ used: 1 });
    expect(pool('books')).toMatchObject({ used: 1 });
    for (const orderId of [1, 2, 3]) submit({ kind: CANCEL_ORDER, account: 0, orderId });
    expect(pool('orders')).toMatchObject({ used: 1, mostUsed: 3, leaked: 0 });
    expect(pool('levels')).toMatchObject({ used: 1 });
    expect(pool('holdings')).toMatchObject({ used: 2 });
    for (const priceTicks of [1, 2, 3]) order(priceTicks);
    expect(order(4)).toBe(REJECT.noRoom);
    expect(pool('orders')).toMatchObject({ used: 4, mostUsed: 4 });
    for (const { pool: name, used, capacity } of core.pools()) expect([name, used <= capacity]).toEqual([name, true]);
    expect(core.pools().reduce((sum, { bytes = 0 }) => sum + bytes, 0)).toBe(core.bytes);
  });
});
