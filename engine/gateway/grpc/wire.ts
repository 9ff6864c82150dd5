/**
 * Protobuf's wire format, for the one pair of messages that is hot. The general decoder makes three objects and two Longs of an order, and is some ten
 * times slower than reading it where it stands; a test compares the two.
 */

/** Bytes that are no message. */
export class WireFault extends Error {
  override readonly name = 'WireFault';
}

const TWO_32 = 2 ** 32;

/** Reads fields one after the other. A number that a double cannot hold comes rounded, and is never a safe integer then. */
export class WireReader {
  /** Of the field that {@link next} has found. */
  field = 0;
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;
  #end = 0;
  #type = 0;

  begin(bytes: Buffer): void {
    this.#bytes = bytes;
    this.#at = 0;
    this.#end = bytes.length;
  }

  /** Goes to the next field; false at the end. Its value must be read, or skipped. */
  next(): boolean {
    if (this.#at >= this.#end) return false;
    const key = this.#varint();
    this.field = Math.floor(key / 8);
    this.#type = key % 8;
    if (this.field === 0) throw new WireFault('a field has the number 0');
    return true;
  }

  /** The value, as an unsigned integer. */
  number(): number {
    if (this.#type !== 0) throw new WireFault(`field ${this.field} must be a number`);
    return this.#varint();
  }

  text(): string {
    const end = this.#length();
    const text = this.#bytes.toString('latin1', this.#at, end);
    this.#at = end;
    return text;
  }

  /** Goes into a message; gives what {@link leave} must be told. */
  enter(): number {
    const outer = this.#end;
    this.#end = this.#length();
    return outer;
  }

  leave(outer: number): void {
    this.#end = outer;
  }

  skip(): void {
    switch (this.#type) {
      case 0:
        this.#varint();
        return;
      case 1:
        this.#forward(8);
        return;
      case 2:
        this.#at = this.#length();
        return;
      case 5:
        this.#forward(4);
        return;
      default:
        throw new WireFault(`field ${this.field} is of no known type`);
    }
  }

  #forward(bytes: number): void {
    this.#at += bytes;
    if (this.#at > this.#end) throw new WireFault('cut short');
  }

  #length(): number {
    if (this.#type !== 2) throw new WireFault(`field ${this.field} must be a text or a message`);
    const length = this.#varint();
    if (length > this.#end - this.#at) throw new WireFault('cut short');
    return this.#at + length;
  }

  #varint(): number {
    const bytes = this.#bytes;
    let value = 0;
    let unit = 1;
    for (let count = 0; count < 10; count += 1) {
      if (this.#at >= this.#end) throw new WireFault('cut short');
      const byte = bytes[this.#at] as number;
      this.#at += 1;
      value += (byte & 0x7f) * unit;
      if (byte < 0x80) return value;
      unit *= 128;
    }
    throw new WireFault('a number is longer than ten bytes');
  }
}

/** Writes messages behind one another into a buffer that grows. */
export class WireWriter {
  #bytes = Buffer.allocUnsafe(16_384);
  #at = 0;

  get length(): number {
    return this.#at;
  }

  /** Room for so many bytes more. */
  reserve(bytes: number): void {
    if (this.#at + bytes <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(this.#bytes.length * 2);
    this.#bytes.copy(larger, 0, 0, this.#at);
    this.#bytes = larger;
  }

  /** A field that is a number, a safe integer from 0; nothing for 0, which is what a field that is not there means. */
  number(field: number, value: number): void {
    if (value === 0) return;
    this.#bytes[this.#at] = field << 3;
    this.#at += 1;
    this.#varint(value);
  }

  /** As {@link number}, for fields from 16, whose keys take two bytes. */
  farNumber(field: number, value: number): void {
    if (value === 0) return;
    this.#varint(field << 3);
    this.#varint(value);
  }

  /** Begins a message of less than 128 bytes; gives what {@link close} must be told. */
  open(field: number): number {
    this.#bytes[this.#at] = (field << 3) | 2;
    this.#at += 2;
    return this.#at;
  }

  close(start: number): void {
    this.#bytes[start - 1] = this.#at - start;
  }

  /** Everything that was written, as a copy; the writer begins anew. */
  take(): Buffer {
    const taken = Buffer.from(this.#bytes.subarray(0, this.#at));
    this.#at = 0;
    return taken;
  }

  #varint(value: number): void {
    const bytes = this.#bytes;
    let high = Math.floor(value / TWO_32);
    let low = value >>> 0;
    let at = this.#at;
    while (high !== 0 || low >= 0x80) {
      bytes[at] = (low & 0x7f) | 0x80;
      at += 1;
      low = ((low >>> 7) | (high << 25)) >>> 0;
      high >>>= 7;
    }
    bytes[at] = low;
    this.#at = at + 1;
  }
}
