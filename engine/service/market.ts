/** What recovery leaves, and everything that works on it: replaced whole when the books must be rebuilt. */
import type { EngineConfig } from '../../crds/engine-config.ts';
import type { BookView, Core } from '../core/types.ts';
import type { Views } from '../views/types.ts';
import { NameTable } from '../pools/name-table.ts';
import { Accounts } from './accounts.ts';
import type { Instrument } from './instruments.ts';
import { OrderDesk } from './order-desk.ts';
import { Sequencer, type SequencerParts } from './sequencer.ts';

export interface Market {
  readonly core: Core;
  readonly sequencer: Sequencer;
  /** Orders one by one, for gateways that answer one request at a time. */
  readonly desk: OrderDesk;
  readonly views: Views;
  readonly accounts: Accounts;
  /** By id, the delisted ones included. */
  readonly instruments: readonly Instrument[];
  /** Those that are traded. */
  readonly bySymbol: NameTable<Instrument>;
}

/** Puts a market around a recovered core. */
export function openMarket(parts: {
  core: Core;
  accountNames: readonly string[];
  instruments: readonly Instrument[];
  views: Views;
  risk: EngineConfig['risk'];
  onOrder: () => void;
  sequencing: Omit<SequencerParts, 'core' | 'accounts'>;
}): Market {
  const { core, instruments, views, risk, onOrder } = parts;
  const accounts = new Accounts(parts.accountNames);
  const sequencer = new Sequencer({ ...parts.sequencing, core, accounts });
  const desk = new OrderDesk({ core, sequencer, views, accounts, instruments, risk, onOrder });
  const bySymbol = new NameTable(instruments.filter(({ listed }) => listed).map((instrument) => [instrument.symbol, instrument]));
  return { core, sequencer, desk, views, accounts, instruments, bySymbol };
}

/**
 * Name of the account of an order that is open or recorded; undefined for an order that is neither. Its id may be given to somebody a moment later: nothing
 * may be done then that was not judged.
 */
export async function accountOfOrder({ core, sequencer, views, accounts }: Market, id: number): Promise<string | undefined> {
  const owner = core.ownerOf(id);
  if (owner >= 0) return accounts.name(owner);
  // It may have ended by what is not durable yet, and would be unknown to the views if it had come by that as well.
  await sequencer.settled();
  const order = await views.order(id, sequencer.durableSequence);
  return order === undefined ? undefined : accounts.name(order.account);
}

/** The books of a market as they are this moment, durable or not: for figures. */
export function booksOf(market: Market | undefined): { symbol: string; instrument: Instrument; book: BookView }[] {
  if (market === undefined) return [];
  return [...market.bySymbol.values()].map((instrument) => ({
    symbol: instrument.symbol,
    instrument,
    book: market.core.book(instrument.id),
  }));
}
