import { rmSync } from 'node:fs';
import { expect, it } from 'vitest';
import { DEFAULT_CONFIG } from '../config/config.ts';
import { MatchingCore } from '../core/core.ts';
import { NO_LIMITS } from '../core/random-commands.ts';
import { BUY, GTC, LIMIT, NEW_ORDER, REJECT } from '../core/types.ts';
import { SqliteJournal } from '../journal/sqlite-journal.ts';
import { NameTable } from '../pools/name-table.ts';
import { temporaryDirectory } from '../testing/temporary-directory.ts';
import { Accounts } from './accounts.ts';
import { instrumentOf } from './instruments.ts';
import { poolsOf } from './pools.ts';
import { Sequencer } from './sequencer.ts';

it('pools tell what waits, what was looked up, and what was refused for want of room', async () => {
  const directory = temporaryDirectory();
  const journal = SqliteJournal.open(directory, 'commit');
  try {
    const core = new MatchingCore({ mostOrders: 1, firstOrders: 1 });
    core.setInstrument(0, NO_LIMITS);
    const accounts = new Accounts([]);
    const sequencer = new Sequencer({
      core,
      journal,
      accounts,
      observer: { matched: () => undefined, committed: () => undefined },
      nowMicros: () => 1,
      onFull: (cause) => expect.unreachable(cause.message),
      onFatal: (cause) => expect.unreachable(cause.message),
    });
    const instrument = instrumentOf({ id: 0, symbol: 'BTC-USD', tickSize: '0.01', lotSize: '0.0001' }, DEFAULT_CONFIG);
    const bySymbol = new NameTable([['BTC-USD', instrument]]);
    bySymbol.get('ETH-USD');
    const pool = (name: string) => poolsOf({ core, sequencer, accounts, bySymbol }, journal, refused).find((one) => one.pool === name);
    const refused = new Map([
      ['HFT_BOOK_FULL', 3],
      ['HFT_JOURNAL_BUSY', 2],
      ['HFT_TOO_MANY_ACCOUNTS', 1],
      ['HFT_BAD_JSON', 9],
    ]);
    const order = { kind: NEW_ORDER, instrument: 0, account: 0, side: BUY, type: LIMIT, timeInForce: GTC, priceTicks: 1 } as const;
    expect(sequencer.send({ ...order, quantityLots: 1 }, { account: 'alice' })).toBe(REJECT.none);
    const durable = sequencer.durable(1);
    expect(pool('orders')).toMatchObject({ used: 1, mostUsed: 1, leaked: 0, refused: 3 });
    expect(pool('commands')).toMatchObject({ used: 1, refused: 2 });
    expect(pool('waiters')).toMatchObject({ used: 1 });
    expect(pool('events')).toMatchObject({ used: 1 });
    expect(pool('accounts')).toMatchObject({ used: 1, misses: 1, refused: 1 });
    expect(pool('symbols')).toMatchObject({ used: 1, hits: 0, misses: 1 });
    expect(pool('levels')).not.toHaveProperty('refused');
    await durable;
    expect(pool('commands')).toMatchObject({ used: 0 });
    expect(pool('waiters')).toMatchObject({ used: 0 });
    expect(pool('buffers-256')).toMatchObject({ used: 0, misses: 1, mostUsed: 1 });
    sequencer.close();
  } finally {
    journal.close();
    rmSync(directory, { recursive: true, force: true });
  }
});
