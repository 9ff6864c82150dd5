/**
 * Commands as fixed little-endian records of 48 bytes: `u8 kind, u8 side, u8 type, u8 timeInForce, u32 instrument, u32 account, u32 zero,
 * u64 timestampMicros, u64 priceTicks (new) or orderId (cancel), u64 quantityLots, u64 sequence`. The u64 are safe integers.
 */
import { BUY, CANCEL_ORDER, FOK, GTC, IOC, LIMIT, MARKET, NEW_ORDER, SELL, type Command } from '../core/types.ts';
import { JournalError, type JournalEntry } from './types.ts';

export const RECORD_BYTES = 48;
const TWO_32 = 0x1_0000_0000;

function setSafe(view: DataView, offset: number, value: number): void {
  view.setUint32(offset, value >>> 0, true);
  view.setUint32(offset + 4, Math.floor(value / TWO_32), true);
}

function getSafe(view: DataView, offset: number): number {
  return view.getUint32(offset, true) + view.getUint32(offset + 4, true) * TWO_32;
}

export function encodeEntries(entries: readonly JournalEntry[]): Buffer {
  const buffer = Buffer.alloc(entries.length * RECORD_BYTES);
  const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.length);
  let offset = 0;
  for (const { sequence, timestampMicros, command } of entries) {
    view.setUint8(offset, command.kind);
    view.setUint32(offset + 4, command.instrument, true);
    setSafe(view, offset + 16, timestampMicros);
    setSafe(view, offset + 40, sequence);
    if (command.kind === NEW_ORDER) {
      view.setUint8(offset + 1, command.side);
      view.setUint8(offset + 2, command.type);
      view.setUint8(offset + 3, command.timeInForce);
      view.setUint32(offset + 8, command.account, true);
      setSafe(view, offset + 24, command.priceTicks);
      setSafe(view, offset + 32, command.quantityLots);
    } else {
      setSafe(view, offset + 24, command.orderId);
    }
    offset += RECORD_BYTES;
  }
  return buffer;
}

/** Throws JournalError when the bytes are no records. */
export function decodeEntries(buffer: Buffer): JournalEntry[] {
  if (buffer.length % RECORD_BYTES !== 0)
    throw new JournalError('HFT_JOURNAL_CORRUPT', `a batch of ${buffer.length} bytes is no whole number of records`);
  const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.length);
  const entries: JournalEntry[] = [];
  for (let offset = 0; offset < buffer.length; offset += RECORD_BYTES) {
    entries.push({ sequence: getSafe(view, offset + 40), timestampMicros: getSafe(view, offset + 16), command: commandAt(view, offset) });
  }
  return entries;
}

function commandAt(view: DataView, offset: number): Command {
  const kind = view.getUint8(offset);
  const instrument = view.getUint32(offset + 4, true);
  if (kind === CANCEL_ORDER) return { kind, instrument, orderId: getSafe(view, offset + 24) };
  const side = view.getUint8(offset + 1);
  const type = view.getUint8(offset + 2);
  const timeInForce = view.getUint8(offset + 3);
  const known =
    kind === NEW_ORDER &&
    (side === BUY || side === SELL) &&
    (type === LIMIT || type === MARKET) &&
    (timeInForce === GTC || timeInForce === IOC || timeInForce === FOK);
  if (!known)
    throw new JournalError(
      'HFT_JOURNAL_CORRUPT',
      `a record of kind ${kind}, side ${side}, type ${type}, time in force ${timeInForce} is not known`,
    );
  return {
    kind,
    instrument,
    account: view.getUint32(offset + 8, true),
    side,
    type,
    timeInForce,
    priceTicks: getSafe(view, offset + 24),
    quantityLots: getSafe(view, offset + 32),
  };
}
