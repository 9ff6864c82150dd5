/** The 64 bits that stand for the text of a client order id in the core and in the journal. */

/** Two 32-bit words, signed as slots hold them. Never both 0, which stands for no id. */
export interface ClientIdBits {
  low: number;
  high: number;
}

/**
 * Writes the bits of `text` into `into`: cyrb53's two multiplying lanes and its mix, kept whole. Journals depend on it: it must not change. Two ids of one account
 * with equal bits are told apart by their recorded text.
 */
export function hashClientOrderId(text: string, into: ClientIdBits): void {
  let low = 0xdeadbeef | 0;
  let high = 0x41c6ce57 | 0;
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    low = Math.imul(low ^ unit, 0x9e3779b1);
    high = Math.imul(high ^ unit, 0x5f356495);
  }
  low = Math.imul(low ^ (low >>> 16), 0x85ebca6b) ^ Math.imul(high ^ (high >>> 13), 0xc2b2ae35);
  high = Math.imul(high ^ (high >>> 16), 0x85ebca6b) ^ Math.imul(low ^ (low >>> 13), 0xc2b2ae35);
  into.low = low === 0 && high === 0 ? 1 : low;
  into.high = high;
}
