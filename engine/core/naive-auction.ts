/** The naive model's auction: every price of an open order is tried. */
import type { NaiveInstrument, NaiveOrder } from './naive-state.ts';
import type { Indication } from './types.ts';

const lotsOf = (orders: readonly NaiveOrder[]): bigint => orders.reduce((total, { lots }) => total + BigInt(lots), 0n);

const magnitude = (value: bigint): bigint => (value < 0n ? -value : value);

/** What an auction would do at one price. */
function at(instrument: NaiveInstrument, priceTicks: number): Indication {
  const buying = lotsOf(instrument.bids.filter((order) => order.priceTicks >= priceTicks));
  const selling = lotsOf(instrument.asks.filter((order) => order.priceTicks <= priceTicks));
  return { priceTicks, quantityLots: buying < selling ? buying : selling, imbalanceLots: buying - selling };
}

/** What an auction would do now: all zeros when nothing would trade. */
export function auctionOf(instrument: NaiveInstrument): Indication {
  const { bids, asks, lastTradeTicks } = instrument;
  const nothing: Indication = { priceTicks: 0, quantityLots: 0n, imbalanceLots: 0n };
  // No buyer reaches any seller.
  if (bids[0] === undefined || asks[0] === undefined || bids[0].priceTicks < asks[0].priceTicks) return nothing;
  const prices = new Set([...bids, ...asks].map(({ priceTicks }) => priceTicks));
  const [best] = [...prices]
    .map((priceTicks) => at(instrument, priceTicks))
    .toSorted(
      (one, other) =>
        Number(other.quantityLots - one.quantityLots) ||
        Number(magnitude(one.imbalanceLots) - magnitude(other.imbalanceLots)) ||
        Math.abs(one.priceTicks - lastTradeTicks) - Math.abs(other.priceTicks - lastTradeTicks) ||
        one.priceTicks - other.priceTicks,
    );
  return best === undefined || best.quantityLots === 0n ? nothing : best;
}
