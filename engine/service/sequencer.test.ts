import { rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CommandSlots, decodeCommand, encodeCommand, commandWords, PRINCIPAL_WORD } from '../core/command.ts';
import { MatchingCore } from '../core/core.ts';
import {
  ADVANCE_TIME,
  ANY_ACCOUNT,
  BUY,
  CANCEL_ORDER,
  CANCELLED,
  EXPIRED,
  GTC,
  GTD,
  KILL_SWITCH,
  LIMIT,
  NEW_ORDER,
  NO_EVENTS,
  REJECT,
  SELL,
  type Command,
  type NewOrder,
} from '../core/types.ts';
import { principalsIn } from '../journal/principals.ts';
import { SqliteJournal } from '../journal/sqlite-journal.ts';
import { ACCOUNT_NAME, CLIENT_ORDER_ID, JournalError, type JournalListener } from '../journal/types.ts';
import { temporaryDirectory } from '../testing/temporary-directory.ts';
import { Accounts } from './accounts.ts';
import { hashClientOrderId } from './client-order-id.ts';
import { FILL_EVENT, ORDER_EVENT } from './event-buffer.ts';
import { Actor, MOST_PRINCIPALS } from './principal-numbers.ts';
import { Sequencer, TIMED_EVERY, type CommandTexts } from './sequencer.ts';

const RULES = {
  tradable: true,
  maxOrderLots: 1000,
  maxNotional: 10n ** 12n,
  priceBandPercent: 0,
  maxPositionLots: Infinity,
  maxOpenNotional: Infinity,
};

let directory: string;
let durable: SqliteJournal;
let core: MatchingCore;
let accounts: Accounts;
let committed: [commands: number, fills: number][];
let timed: number;
let full: Error[];
let fatal: Error[];
let nowMicros: number;
let listener: JournalListener | undefined;
let sequencer: Sequencer;

function open(): void {
  durable = SqliteJournal.open(directory, 'commit');
  core = new MatchingCore();
  core.setInstrument(0, RULES);
  accounts = new Accounts([]);
  sequencer = new Sequencer({
    core,
    journal: {
      ring: durable.ring,
      get durableSequence() {
        return durable.durableSequence;
      },
      listen: (given) => {
        listener = given;
        durable.listen(given);
      },
      flush: () => durable.flush(),
    },
    accounts,
    observer: {
      matched: () => (timed += 1),
      committed: (commands, fills) => committed.push([commands, fills]),
    },
    nowMicros: () => nowMicros,
    onFull: (cause) => full.push(cause),
    onFatal: (cause) => fatal.push(cause),
  });
}

beforeEach(() => {
  directory = temporaryDirectory();
  committed = [];
  timed = 0;
  full = [];
  fatal = [];
  nowMicros = 1000;
  open();
  durable.addInstruments([{ id: 0, symbol: 'A', tickSize: '1', lotSize: '1' }]);
});
afterEach(() => {
  sequencer.close();
  durable.close();
  rmSync(directory, { recursive: true, force: true });
});

const order = (side: 0 | 1, quantityLots: number, more: Partial<NewOrder> = {}): NewOrder => ({
  kind: NEW_ORDER,
  instrument: 0,
  account: 0,
  side,
  type: LIMIT,
  timeInForce: GTC,
  priceTicks: 100,
  quantityLots,
  ...more,
});

/** Sends an order as the desk does. */
function place(account: string, command: NewOrder, clientOrderId: string | null = null): number {
  const bits = { low: 0, high: 0 };
  if (clientOrderId !== null) hashClientOrderId(clientOrderId, bits);
  const texts: CommandTexts = { account, clientOrderId };
  return sequencer.send({ ...command, account: accounts.idFor(account), clientIdLow: bits.low, clientIdHigh: bits.high }, texts);
}

function recorded(): { commands: Command[]; texts: [sequence: number, kind: number, text: string][] } {
  const batches = durable.read(1, 1000);
  const commands: Command[] = [];
  for (const { slots, words } of batches) {
    for (let at = 0; at < words; at += commandWords(slots, at)) commands.push(decodeCommand(slots, at));
  }
  return {
    commands,
    texts: batches.flatMap(({ texts }) => texts.map(({ sequence, kind, text }): [number, number, string] => [sequence, kind, text])),
  };
}

describe('commands', () => {
  it('of one tick share a commit, and are acknowledged in order of sequence', async () => {
    const told: string[] = [];
    sequencer.listen({ durable: (sequence) => told.push(`durable ${sequence}`), refused: () => told.push('refused') });
    const waits = [order(SELL, 5), order(BUY, 3), order(BUY, 1)].map((command, index) => {
      expect(sequencer.send(command)).toBe(REJECT.none);
      return sequencer.durable(index + 1).then(() => told.push(`${index + 1}`));
    });
    expect(sequencer.durableSequence).toBe(0);
    await Promise.all(waits);
    expect(told).toEqual(['durable 3', '1', '2', '3']);
    expect(committed).toEqual([[3, 2]]);
    expect(recorded().commands).toHaveLength(3);
    await sequencer.durable(2);
    await sequencer.settled();
  });

  it('leave their events to be read, and those of refused ones nothing', () => {
    sequencer.send(order(SELL, 5));
    sequencer.send(order(BUY, 3));
    const { events } = sequencer;
    expect([events.count, events.fills, events.kind(0), events.kind(1)]).toEqual([2, 1, FILL_EVENT, ORDER_EVENT]);
    expect([0, 1, 2, 3, 4, 5, 6].map((argument) => events.value(0, argument))).toEqual([0, 1, 2, 100, 3, 2, 0]);
    expect(sequencer.send(order(BUY, 1001))).toBe(REJECT.maxOrderQty);
    expect([events.count, core.sequence]).toEqual([0, 2]);
  });

  it('that are refused are not recorded', async () => {
    expect(sequencer.send(order(BUY, 1001))).toBe(REJECT.maxOrderQty);
    expect(sequencer.send({ kind: CANCEL_ORDER, orderId: 1, account: ANY_ACCOUNT })).toBe(REJECT.unknownOrder);
    await sequencer.settled();
    expect(sequencer.send(order(BUY, 1))).toBe(REJECT.none);
    await sequencer.settled();
    expect(recorded().commands).toHaveLength(1);
  });

  it('can be written into the ring by a gateway itself', async () => {
    for (let index = 0; index < 2 * TIMED_EVERY; index += 1) {
      const at = sequencer.begin();
      encodeCommand(sequencer.slots, at, 0, order(index % 2 === 0 ? SELL : BUY, 1));
      expect(sequencer.submit()).toBe(REJECT.none);
    }
    await sequencer.settled();
    expect(core.timestampMicros).toBe(1000);
    expect(timed).toBe(2);
    expect(committed.map(([commands]) => commands).reduce((sum, commands) => sum + commands, 0)).toBe(2 * TIMED_EVERY);
  });

  it('never see time run backwards', async () => {
    sequencer.send(order(BUY, 1));
    nowMicros = 10;
    sequencer.send(order(BUY, 1));
    expect(sequencer.timestampMicros).toBe(1000);
    await sequencer.settled();
    const [batch] = durable.read(1, 10);
    expect([batch?.slots.doubles[2], batch?.slots.doubles[10]]).toEqual([1000, 1000]);
  });

  it('are refused once the ring is full, and taken again when there is room', async () => {
    let taken = 0;
    while (sequencer.begin() >= 0) {
      sequencer.send(order(BUY, 1));
      taken += 1;
    }
    expect(() => sequencer.send(order(BUY, 1))).toThrow(
      expect.objectContaining({ code: 'HFT_JOURNAL_BUSY', status: 503, retryAfterMs: 1000 }),
    );
    expect(core.sequence).toBe(taken);
    await sequencer.settled();
    expect(sequencer.send(order(BUY, 1))).toBe(REJECT.none);
    await sequencer.settled();
    expect(committed.reduce((sum, [commands]) => sum + commands, 0)).toBe(taken + 1);
  });
});

describe('accounts', () => {
  it('are recorded with their first accepted command, and only then', async () => {
    expect(place('alice', order(BUY, 1001))).toBe(REJECT.maxOrderQty);
    expect(accounts.count).toBe(0);
    expect(place('bob', order(BUY, 1))).toBe(REJECT.none);
    expect(place('bob', order(BUY, 1))).toBe(REJECT.none);
    expect(place('alice', order(BUY, 1001))).toBe(REJECT.maxOrderQty);
    expect(sequencer.send({ kind: KILL_SWITCH, account: accounts.idFor('carol'), on: true }, { account: 'carol' })).toBe(REJECT.none);
    expect(place('alice', order(BUY, 1), 'x')).toBe(REJECT.none);
    await sequencer.settled();
    expect(['bob', 'carol', 'alice'].map((name) => accounts.find(name))).toEqual([0, 1, 2]);
    expect(recorded().texts).toEqual([
      [1, ACCOUNT_NAME, 'bob'],
      [3, ACCOUNT_NAME, 'carol'],
      [4, ACCOUNT_NAME, 'alice'],
      [4, CLIENT_ORDER_ID, 'x'],
    ]);
    expect(core.ownerOf(4)).toBe(2);
  });
});

describe('principals', () => {
  const off = { kind: KILL_SWITCH, account: ANY_ACCOUNT, on: false } as const;
  const sent = (): [number, string, number][] =>
    durable
      .read(1, 200_000)
      .flatMap((batch) => principalsIn(batch).map(([number, name, sequence]): [number, string, number] => [number, name, sequence]));
  const numbers = (): number[] =>
    durable.read(1, 1000).flatMap(({ slots, words }) => {
      const found: number[] = [];
      for (let at = 0; at < words; at += commandWords(slots, at)) found.push(slots.words[at + PRINCIPAL_WORD] ?? -1);
      return found;
    });

  it('stand in their commands as numbers, with their names once; the engine is 0, and a refused command leaves none', async () => {
    const alice = new Actor('alice');
    expect(sequencer.send(order(BUY, 1001), { actor: alice, account: 'a' })).toBe(REJECT.maxOrderQty);
    sequencer.send(off, { actor: new Actor('bob') });
    sequencer.send(off, { actor: alice });
    sequencer.send(off);
    sequencer.send({ ...order(BUY, 1), account: 0 }, { actor: alice, account: 'a' });
    sequencer.send(off, { actor: new Actor('bob') });
    await sequencer.settled();
    expect(numbers()).toEqual([1, 2, 0, 2, 1]);
    expect(sent()).toEqual([
      [1, 'bob', 1],
      [2, 'alice', 2],
    ]);
  });

  it('change nothing in the state', () => {
    sequencer.send({ ...order(BUY, 1), account: 0 }, { actor: new Actor('alice'), account: 'a' });
    const other = new MatchingCore();
    other.setInstrument(0, RULES);
    const slots = new CommandSlots(new ArrayBuffer(128));
    encodeCommand(slots, 0, sequencer.timestampMicros, { ...order(BUY, 1), account: 0 });
    other.replay(slots, 0, NO_EVENTS);
    expect(other.stateHash()).toBe(core.stateHash());
  });

  it('get their numbers anew when all are given', async () => {
    const first = new Actor('user-0');
    for (let user = 0; user <= MOST_PRINCIPALS; user += 1) {
      sequencer.send(off, { actor: user === 0 ? first : new Actor(`user-${user}`) });
      if (user % 10_000 === 0) await sequencer.settled();
    }
    sequencer.send(off, { actor: first });
    await sequencer.settled();
    const names = sent();
    expect(names[0]).toEqual([1, 'user-0', 1]);
    expect(names.slice(-2)).toEqual([
      [1, `user-${MOST_PRINCIPALS}`, MOST_PRINCIPALS + 1],
      [2, 'user-0', MOST_PRINCIPALS + 2],
    ]);
  });
});

describe('client order ids', () => {
  it('find the order that was sent first, of the same account', () => {
    place('alice', order(BUY, 1), 'one');
    place('bob', order(BUY, 1), 'two');
    expect(sequencer.firstOrderOf(0, 'one')).toBe(1);
    expect(sequencer.firstOrderOf(0, 'two')).toBe(0);
    expect(sequencer.firstOrderOf(1, 'two')).toBe(2);
    expect(place('alice', order(BUY, 7), 'one')).toBe(REJECT.duplicate);
    expect(core.sequence).toBe(2);
  });

  it('are found where nothing would be accepted any more', () => {
    place('alice', order(BUY, 1), 'one');
    sequencer.send({ kind: KILL_SWITCH, account: ANY_ACCOUNT, on: true });
    core.setInstrument(0, { ...RULES, tradable: false });
    expect(sequencer.firstOrderOf(0, 'one')).toBe(1);
  });
});

describe('time', () => {
  const expiring = (expiryMicros: number): NewOrder => order(BUY, 1, { timeInForce: GTD, expiryMicros });

  it('does what is due before the next command', async () => {
    sequencer.send(expiring(5000));
    nowMicros = 6000;
    sequencer.send(order(SELL, 1));
    await sequencer.settled();
    expect(recorded().commands.map(({ kind }) => kind)).toEqual([NEW_ORDER, ADVANCE_TIME, NEW_ORDER]);
    expect([core.find(1), core.find(3)]).toEqual([-1, 0]);
  });

  it('does what is due in a quiet market, by itself', async () => {
    nowMicros = Date.now() * 1000;
    sequencer.send(expiring(nowMicros + 20_000));
    nowMicros += 20_000;
    await expect.poll(() => core.openOrders, { interval: 5, timeout: 5000 }).toBe(0);
    const { events } = sequencer;
    expect([events.kind(0), ...[0, 1, 2, 3].map((argument) => events.value(0, argument))]).toEqual([ORDER_EVENT, 1, 1, CANCELLED, EXPIRED]);
    await sequencer.settled();
    expect(recorded().commands.map(({ kind }) => kind)).toEqual([NEW_ORDER, ADVANCE_TIME]);
  });
});

describe('a journal that fails', () => {
  it('without room has everything refused that is not durable, and every later command', async () => {
    const told: string[] = [];
    sequencer.listen({ durable: (sequence) => told.push(`durable ${sequence}`), refused: ({ code }) => told.push(code) });
    sequencer.send(order(SELL, 5));
    await sequencer.settled();
    sequencer.send(order(BUY, 1));
    const waits = [2, 2].map(async (sequence) => await sequencer.durable(sequence));
    const cause = new JournalError('HFT_JOURNAL_FULL', 'no room');
    listener?.failed(cause);
    expect((await Promise.allSettled(waits)).map((wait) => (wait.status === 'rejected' ? wait.reason.code : 'durable'))).toEqual([
      'HFT_JOURNAL_FULL',
      'HFT_JOURNAL_FULL',
    ]);
    expect({ full, fatal, told }).toEqual({ full: [cause], fatal: [], told: ['durable 1', 'HFT_JOURNAL_FULL'] });
    expect(sequencer.begin()).toBe(-1);
    expect(() => sequencer.send(order(BUY, 1))).toThrow(expect.objectContaining({ code: 'HFT_JOURNAL_FULL', status: 503 }));
    await sequencer.durable(1);
    await expect(sequencer.settled()).rejects.toMatchObject({ code: 'HFT_JOURNAL_FULL' });
    // What had been told is what there is: the fill was not.
    expect(committed).toEqual([[1, 0]]);
  });

  it.each(['HFT_JOURNAL_FAILED', 'HFT_JOURNAL_FENCED', 'HFT_JOURNAL_DIVERGED'] as const)(
    'in a way whose outcome is not known has nothing acknowledged and nothing refused: %s',
    async (code) => {
      const told: string[] = [];
      sequencer.listen({ durable: () => told.push('durable'), refused: () => told.push('refused') });
      sequencer.send(order(BUY, 1));
      void sequencer.durable(1).then(
        () => told.push('durable'),
        () => told.push('refused'),
      );
      const cause = new JournalError(code, 'who knows');
      listener?.failed(cause);
      await Promise.resolve();
      expect({ full, fatal, told }).toEqual({ full: [], fatal: [cause], told: [] });
      // What comes later was never matched: that is known.
      expect(() => sequencer.send(order(BUY, 1))).toThrow(expect.objectContaining({ code: 'HFT_JOURNAL_FAILED', status: 503 }));
    },
  );
});
