/** The memory that commands are in; `command.ts` says what stands where. */

export const SLOT_BYTES = 64;
export const SLOT_WORDS = 16;

/** Slots in one buffer, through both views. `at` is always the index of a slot's first word. */
export class CommandSlots {
  readonly words: Int32Array;
  readonly doubles: Float64Array;

  /** The buffer's length must be a multiple of SLOT_BYTES. */
  constructor(buffer: ArrayBuffer | SharedArrayBuffer) {
    this.words = new Int32Array(buffer);
    this.doubles = new Float64Array(buffer);
  }
}
