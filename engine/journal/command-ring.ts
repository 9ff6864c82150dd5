/**
 * The command ring in shared memory: one thread pushes, one (the same or another) takes and releases. Counters are 32-bit and wrap; sizes are powers
 * of two, so that differences and places stay right when they do.
 */
import { CommandSlots, SLOT_BYTES, SLOT_WORDS, commandWords } from '../core/command.ts';
import { MOST_TEXT_BYTES, type CommandRing, type TextKind } from './types.ts';

/** What two threads need to use the same ring. */
export interface RingMemory {
  readonly slots: SharedArrayBuffer;
  readonly texts: SharedArrayBuffer;
  readonly counters: SharedArrayBuffer;
}

const SLOTS = 65_536;
const TEXT_BYTES = 4 * 1024 * 1024;
/** A text in the ring: word 0 the number of its command, word 1 kind | bytes << 8, then the bytes, up to a multiple of this. */
const TEXT_HEAD_BYTES = 8;
/** A text in a batch: u32 position of its command, u8 kind, u8 bytes, the bytes. */
export const PACKED_TEXT_HEAD_BYTES = 6;

/** Counters: slots pushed and released, bytes of texts pushed and released, commands pushed and released. */
const SLOTS_PUSHED = 0;
const SLOTS_RELEASED = 1;
const TEXT_PUSHED = 2;
const TEXT_RELEASED = 3;
const COMMANDS_PUSHED = 4;
const COMMANDS_RELEASED = 5;
const COUNTERS = 6;

/** Room for what is taken at once. Used again for every batch. */
export class TakenCommands {
  readonly mostCommands: number;
  readonly words: Int32Array;
  readonly texts: Uint8Array;
  commands = 0;
  wordCount = 0;
  textBytes = 0;

  constructor(mostCommands: number) {
    this.mostCommands = mostCommands;
    this.words = new Int32Array(mostCommands * 2 * SLOT_WORDS);
    // Three kinds of text, at most one of a kind for each command.
    this.texts = new Uint8Array(mostCommands * 3 * (PACKED_TEXT_HEAD_BYTES + MOST_TEXT_BYTES));
  }
}

/** Makes the memory of a ring. Both sizes must be powers of two. */
export function ringMemory(slots = SLOTS, textBytes = TEXT_BYTES): RingMemory {
  return {
    slots: new SharedArrayBuffer(slots * SLOT_BYTES),
    texts: new SharedArrayBuffer(textBytes),
    counters: new SharedArrayBuffer(COUNTERS * 4),
  };
}

export class SharedCommandRing implements CommandRing {
  readonly slots: CommandSlots;
  readonly #counters: Int32Array;
  readonly #textBytes: Uint8Array;
  readonly #textWords: Int32Array;
  readonly #slotCount: number;
  readonly #encoder = new TextEncoder();
  readonly #scratch = new Uint8Array(MOST_TEXT_BYTES);
  /** Where the next text goes: ahead of TEXT_PUSHED by the texts of a command that is not pushed yet. */
  #textNext: number;
  #slotsTaken: number;
  #textTaken: number;
  #commandsTaken: number;

  constructor(memory: RingMemory = ringMemory()) {
    this.slots = new CommandSlots(memory.slots);
    this.#counters = new Int32Array(memory.counters);
    this.#textBytes = new Uint8Array(memory.texts);
    this.#textWords = new Int32Array(memory.texts);
    this.#slotCount = memory.slots.byteLength / SLOT_BYTES;
    this.#textNext = this.#counter(TEXT_PUSHED);
    this.#slotsTaken = this.#counter(SLOTS_RELEASED);
    this.#textTaken = this.#counter(TEXT_RELEASED);
    this.#commandsTaken = this.#counter(COMMANDS_RELEASED);
  }

  /** Commands released so far, a 32-bit number that wraps. */
  get released(): number {
    return this.#counter(COMMANDS_RELEASED);
  }

  get waiting(): number {
    return (this.#counter(COMMANDS_PUSHED) - this.#counter(COMMANDS_RELEASED)) | 0;
  }

  at(): number {
    const pushed = this.#counter(SLOTS_PUSHED);
    const used = (pushed - this.#counter(SLOTS_RELEASED)) | 0;
    // The third is for the filler that may have to follow.
    return used + 3 > this.#slotCount ? -1 : (pushed & (this.#slotCount - 1)) * SLOT_WORDS;
  }

  /** Throws RangeError when the text is longer than MOST_TEXT_BYTES: whoever accepts texts must have seen to it. */
  text(kind: TextKind, text: string): boolean {
    const length = this.#encode(text);
    const size = TEXT_HEAD_BYTES + ((length + 7) & ~7);
    const used = (this.#textNext - this.#counter(TEXT_RELEASED)) | 0;
    if (used + size > this.#textBytes.length) return false;
    const mask = this.#textBytes.length - 1;
    const head = (this.#textNext & mask) >> 2;
    this.#textWords[head] = this.#counter(COMMANDS_PUSHED);
    this.#textWords[head + 1] = kind | (length << 8);
    for (let index = 0; index < length; index += 1)
      this.#textBytes[(this.#textNext + TEXT_HEAD_BYTES + index) & mask] = this.#scratch[index] as number;
    this.#textNext = (this.#textNext + size) | 0;
    return true;
  }

  push(): void {
    const pushed = this.#counter(SLOTS_PUSHED);
    const mask = this.#slotCount - 1;
    let next = (pushed + commandWords(this.slots, (pushed & mask) * SLOT_WORDS) / SLOT_WORDS) | 0;
    if ((next & mask) === mask) {
      this.slots.words.fill(0, mask * SLOT_WORDS, (mask + 1) * SLOT_WORDS);
      next = (next + 1) | 0;
    }
    Atomics.store(this.#counters, TEXT_PUSHED, this.#textNext);
    Atomics.store(this.#counters, SLOTS_PUSHED, next);
    // Last: whoever takes goes by this one.
    Atomics.store(this.#counters, COMMANDS_PUSHED, (this.#counter(COMMANDS_PUSHED) + 1) | 0);
  }

  dropTexts(): void {
    this.#textNext = this.#counter(TEXT_PUSHED);
  }

  /** Copies the oldest commands that were not taken yet, without fillers, and their texts. Gives how many. They keep their places until {@link release}. */
  take(into: TakenCommands): number {
    const commands = Math.min((this.#counter(COMMANDS_PUSHED) - this.#commandsTaken) | 0, into.mostCommands);
    const mask = this.#slotCount - 1;
    const { words } = this.slots;
    let count = 0;
    for (let left = commands; left > 0;) {
      const from = (this.#slotsTaken & mask) * SLOT_WORDS;
      let to = from;
      while (left > 0 && to < words.length && words[to] !== 0) {
        to += commandWords(this.slots, to);
        left -= 1;
      }
      into.words.set(words.subarray(from, to), count);
      count += to - from;
      // With the filler at the end, which follows wherever a run has stopped before it.
      const filler = to === mask * SLOT_WORDS ? 1 : 0;
      this.#slotsTaken = (this.#slotsTaken + (to - from) / SLOT_WORDS + filler) | 0;
    }
    into.commands = commands;
    into.wordCount = count;
    into.textBytes = this.#takeTexts(into.texts, commands);
    this.#commandsTaken = (this.#commandsTaken + commands) | 0;
    return commands;
  }

  /** Gives back the places of everything taken: it is durable. */
  release(): void {
    Atomics.store(this.#counters, TEXT_RELEASED, this.#textTaken);
    Atomics.store(this.#counters, SLOTS_RELEASED, this.#slotsTaken);
    Atomics.store(this.#counters, COMMANDS_RELEASED, this.#commandsTaken);
  }

  #takeTexts(into: Uint8Array, commands: number): number {
    const mask = this.#textBytes.length - 1;
    const pushed = this.#counter(TEXT_PUSHED);
    let at = 0;
    while (this.#textTaken !== pushed) {
      const head = (this.#textTaken & mask) >> 2;
      const position = ((this.#textWords[head] as number) - this.#commandsTaken) | 0;
      if (position >= commands) break;
      const kindAndLength = this.#textWords[head + 1] as number;
      const length = kindAndLength >> 8;
      for (let shift = 0; shift < 32; shift += 8) into[at++] = (position >>> shift) & 0xff;
      into[at++] = kindAndLength & 0xff;
      into[at++] = length;
      const from = this.#textTaken + TEXT_HEAD_BYTES;
      for (let index = 0; index < length; index += 1) into[at++] = this.#textBytes[(from + index) & mask] as number;
      this.#textTaken = (this.#textTaken + TEXT_HEAD_BYTES + ((length + 7) & ~7)) | 0;
    }
    return at;
  }

  /** Into the scratch; gives the bytes. ASCII does without the encoder, which allocates. */
  #encode(text: string): number {
    const { length } = text;
    if (length > MOST_TEXT_BYTES) throw new RangeError(`a text of ${length} characters is longer than ${MOST_TEXT_BYTES} bytes`);
    for (let index = 0; index < length; index += 1) {
      const code = text.charCodeAt(index);
      if (code > 0x7f) {
        const { read, written } = this.#encoder.encodeInto(text, this.#scratch);
        if (read < length) throw new RangeError(`a text is longer than ${MOST_TEXT_BYTES} bytes`);
        return written;
      }
      this.#scratch[index] = code;
    }
    return length;
  }

  #counter(which: number): number {
    return Atomics.load(this.#counters, which);
  }
}
