/**
 * Workload files: sequences of 16-byte little-endian records in which book benchmarks and differential checks exchange commands.
 *
 *     u8 type (0 GTC limit, 1 IOC limit, 2 cancel) | u8 side (0 buy, 1 sell) | u16 account | i32 price (ticks) | u32 quantity (lots) | u32 id
 *
 * A cancel carries the id and account of the order that it cancels.
 */
import { readFileSync, writeFileSync } from 'node:fs';

export const RECORD_BYTES = 16;
export const GTC_RECORD = 0;
export const IOC_RECORD = 1;
export const CANCEL_RECORD = 2;

/** One record, taken apart. */
export interface WorkloadRecord {
  readonly type: number;
  readonly side: number;
  readonly account: number;
  readonly priceTicks: number;
  readonly quantityLots: number;
  readonly id: number;
}

/** A whole file in memory, readable without allocation. */
export class Workload {
  readonly commands: number;
  readonly #bytes: Uint8Array;
  readonly #shorts: Uint16Array;
  readonly #ints: Int32Array;
  readonly #words: Uint32Array;

  /** `bytes` must be whole records and start on a multiple of four. Throws RangeError when they are not or hold an unknown type or side. */
  constructor(bytes: Uint8Array<ArrayBuffer>) {
    if (bytes.length % RECORD_BYTES !== 0)
      throw new RangeError(`${bytes.length} bytes are no whole number of ${RECORD_BYTES}-byte records`);
    this.commands = bytes.length / RECORD_BYTES;
    this.#bytes = bytes;
    this.#shorts = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2);
    this.#ints = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    this.#words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    for (let index = 0; index < this.commands; index += 1) {
      if (this.type(index) > CANCEL_RECORD || this.side(index) > 1)
        throw new RangeError(
          `record ${index} has type ${this.type(index)} and side ${this.side(index)}: neither may be larger than 2 and 1`,
        );
    }
  }

  /** The file as it was read. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /** The first word of a record: type | side << 8 | account << 16. With the next two it is read as one array, which costs a reader least. */
  head(index: number): number {
    return this.#ints[index * 4] as number;
  }
  type(index: number): number {
    return this.#bytes[index * RECORD_BYTES] as number;
  }
  side(index: number): number {
    return this.#bytes[index * RECORD_BYTES + 1] as number;
  }
  account(index: number): number {
    return this.#shorts[index * 8 + 1] as number;
  }
  priceTicks(index: number): number {
    return this.#ints[index * 4 + 1] as number;
  }
  quantityLots(index: number): number {
    return (this.#ints[index * 4 + 2] as number) >>> 0;
  }
  id(index: number): number {
    return this.#words[index * 4 + 3] as number;
  }
}

/** Reads a workload file. Throws what `fs` throws, and RangeError when it is no workload. */
export function readWorkload(path: string): Workload {
  const file = readFileSync(path);
  const bytes = new Uint8Array(file.length);
  bytes.set(file);
  return new Workload(bytes);
}

/** The bytes of `records`. */
export function encodeWorkload(records: readonly WorkloadRecord[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(records.length * RECORD_BYTES);
  const view = new DataView(bytes.buffer);
  records.forEach(({ type, side, account, priceTicks, quantityLots, id }, index) => {
    const at = index * RECORD_BYTES;
    view.setUint8(at, type);
    view.setUint8(at + 1, side);
    view.setUint16(at + 2, account, true);
    view.setInt32(at + 4, priceTicks, true);
    view.setUint32(at + 8, quantityLots, true);
    view.setUint32(at + 12, id, true);
  });
  return bytes;
}

export function writeWorkload(path: string, records: readonly WorkloadRecord[]): void {
  writeFileSync(path, encodeWorkload(records));
}
