/** The 64 bits that stand for the text of a client order id in the core and in the journal. */

/** Two 32-bit words, signed as slots hold them. Never both 0, which stands for no id. */
export interface ClientIdBits {
  low: number;
  high: number;
}

/** A text of this form is the 64 bits themselves: what binary protocols send as a number, others name so. */
const NUMBER_TEXT = /^[0-9a-f]{16}$/;

/**
 * Writes the bits of `text` into `into`: those that it names in 16 hex digits, else cyrb53's two multiplying lanes and its mix, kept whole. Journals
 * depend on it: it must not change. Two ids of one account with equal bits are told apart by their recorded text.
 */
export function hashClientOrderId(text: string, into: ClientIdBits): void {
  if (text.length === 16 && NUMBER_TEXT.test(text)) {
    into.high = parseInt(text.slice(0, 8), 16) | 0;
    into.low = parseInt(text.slice(8), 16) | 0;
    // All 0 stands for no id; a text that says so is one all the same.
    if ((into.low | into.high) !== 0) return;
  }
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

/** The text of a client order id that was sent as a number: its 16 hex digits. null for none (both words 0). */
export function clientOrderIdText(low: number, high: number): string | null {
  if ((low | high) === 0) return null;
  return (high >>> 0).toString(16).padStart(8, '0') + (low >>> 0).toString(16).padStart(8, '0');
}
