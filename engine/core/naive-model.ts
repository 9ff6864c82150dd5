/** A matching engine that is slow and obviously right: one array of resting orders an instrument, searched from end to end for every fill. */
import { BUY, CANCELLED, CANCEL_ORDER, FILLED, GTC, LIMIT, OPEN, type Command, type EventSink, type Side } from './types.ts';

export interface NaiveOrder {
  id: number;
  account: number;
  side: Side;
  priceTicks: number;
  remainingLots: number;
}

export class NaiveExchange {
  readonly resting: NaiveOrder[][] = [];

  /** Resting orders of one side, best price first, then oldest first. */
  side(instrument: number, side: Side): NaiveOrder[] {
    const better = side === BUY ? -1 : 1;
    return (this.resting[instrument] ?? [])
      .filter((order) => order.side === side)
      .sort((a, b) => (a.priceTicks - b.priceTicks) * better || a.id - b.id);
  }

  apply(sequence: number, command: Command, sink: EventSink): void {
    const orders = (this.resting[command.instrument] ??= []);
    if (command.kind === CANCEL_ORDER) {
      const found = orders.find(({ id }) => id === command.orderId);
      if (found === undefined) return;
      this.resting[command.instrument] = orders.filter((order) => order !== found);
      sink.order(found.id, found.remainingLots, CANCELLED);
      return;
    }
    let remaining = command.quantityLots;
    for (const maker of this.side(command.instrument, command.side === BUY ? 1 : 0)) {
      const crosses =
        command.type !== LIMIT || (command.side === BUY ? maker.priceTicks <= command.priceTicks : maker.priceTicks >= command.priceTicks);
      if (!crosses || remaining === 0) break;
      const lots = Math.min(remaining, maker.remainingLots);
      remaining -= lots;
      maker.remainingLots -= lots;
      sink.fill(maker.id, sequence, maker.priceTicks, lots, maker.remainingLots);
    }
    const left = orders.filter(({ remainingLots }) => remainingLots > 0);
    const rests = remaining > 0 && command.type === LIMIT && command.timeInForce === GTC;
    if (rests)
      left.push({ id: sequence, account: command.account, side: command.side, priceTicks: command.priceTicks, remainingLots: remaining });
    this.resting[command.instrument] = left;
    sink.order(sequence, remaining, remaining === 0 ? FILLED : rests ? OPEN : CANCELLED);
  }
}
