/** What one command has done to one order, read from its events into fields: for the fast way in, which allocates nothing for it. */
import { FILLED, NO_REASON, OPEN, PENDING } from '../core/types.ts';
import { FILL_EVENT, ORDER_EVENT, REPLACED_EVENT, TRIGGERED_EVENT, type EventBuffer } from './event-buffer.ts';

export class OrderOutcome {
  filledLots = 0;
  /** After the command; of a cancelled order, what was left of it. */
  remainingLots = 0;
  /** OrderStatus and Reason. */
  status = 0;
  reason = 0;
  /** Fills that the order had part in. */
  fills = 0;

  /** Reads what has become of order `id`, of which `lots` were there before. */
  read(events: EventBuffer, id: number, lots: number): void {
    this.filledLots = 0;
    this.remainingLots = lots;
    this.status = OPEN;
    this.reason = NO_REASON;
    this.fills = 0;
    const { count } = events;
    for (let index = 0; index < count; index += 1) {
      switch (events.kind(index)) {
        case FILL_EVENT: {
          const maker = events.value(index, 1) === id;
          if (maker || events.value(index, 2) === id) this.#fill(events.value(index, 4), events.value(index, maker ? 5 : 6));
          break;
        }
        case ORDER_EVENT:
          if (events.value(index, 0) !== id) break;
          this.remainingLots = events.value(index, 1);
          this.status = events.value(index, 2);
          this.reason = events.value(index, 3);
          break;
        case REPLACED_EVENT:
          if (events.value(index, 0) !== id) break;
          this.remainingLots = events.value(index, 2);
          this.status = events.value(index, 3) === 0 ? OPEN : PENDING;
          break;
        case TRIGGERED_EVENT:
          if (events.value(index, 0) === id && this.status === PENDING) this.status = OPEN;
          break;
        default:
      }
    }
  }

  #fill(lots: number, remainingLots: number): void {
    this.fills += 1;
    this.filledLots += lots;
    this.remainingLots = remainingLots;
    if (remainingLots !== 0) return;
    this.status = FILLED;
    this.reason = NO_REASON;
  }
}
