/** Snapshots: the whole state at a sequence, with its hash, as a file of its own (`snapshots/SEQUENCE.snapshot` in the data directory). */

/** What a snapshot holds. */
export interface Snapshot {
  readonly sequence: number;
  readonly timestampMicros: number;
  /** Of the core, over `words`. */
  readonly stateHash: string;
  /** `eachStateWord` of the core. */
  readonly words: Float64Array;
  /** Names of all accounts, by id. */
  readonly accounts: readonly string[];
}
