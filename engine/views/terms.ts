/** The terms of an order that never change, and its status with its reason, as one number each: a column less is a tenth of a microsecond less. */
import { POST_ONLY, SELF_TRADE_MASK, SELF_TRADE_SHIFT } from '../core/command.ts';
import type { OrderStatus, OrderType, Reason, SelfTrade, Side, TimeInForce } from '../core/types.ts';

export interface Terms {
  readonly side: Side;
  readonly type: OrderType;
  readonly timeInForce: TimeInForce;
  readonly postOnly: 0 | 1;
  readonly selfTrade: SelfTrade;
}

/** side | type << 1 | timeInForce << 3 | postOnly << 6 | selfTrade << 7. */
export function packTerms({ side, type, timeInForce, postOnly, selfTrade }: Terms): number {
  return side | (type << 1) | (timeInForce << 3) | (postOnly << 6) | (selfTrade << 7);
}

/** The packed terms of a NEW_ORDER from the first two words of its slot. */
export function termsOfSlot(head: number, flags: number): number {
  return (
    ((head >>> 8) & 1) |
    (((head >>> 16) & 3) << 1) |
    (((head >>> 24) & 7) << 3) |
    ((flags & POST_ONLY) << 6) |
    (((flags >>> SELF_TRADE_SHIFT) & SELF_TRADE_MASK) << 7)
  );
}

export function unpackTerms(packed: number): Terms {
  return {
    side: (packed & 1) as Side,
    type: ((packed >>> 1) & 3) as OrderType,
    timeInForce: ((packed >>> 3) & 7) as TimeInForce,
    postOnly: ((packed >>> 6) & 1) as 0 | 1,
    selfTrade: (packed >>> 7) as SelfTrade,
  };
}

export function sideOf(packedTerms: number): Side {
  return (packedTerms & 1) as Side;
}

/** status | reason << 2. */
export function packState(status: number, reason: number): number {
  return status | (reason << 2);
}

export function unpackState(packed: number): { status: OrderStatus; reason: Reason } {
  return { status: (packed & 3) as OrderStatus, reason: (packed >>> 2) as Reason };
}
