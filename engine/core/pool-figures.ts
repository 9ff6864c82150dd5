/** What a pool holds: for figures, never on a hot path. */
export interface PoolFigures {
  readonly pool: string;
  /** Taken and not given back. */
  readonly used: number;
  /** How many there is memory for now. */
  readonly capacity: number;
  /** Most that were ever used at once. */
  readonly mostUsed?: number;
  /** Bytes taken for all of them, used or not. */
  readonly bytes?: number;
  /** Served from what was there, and by making a new one. */
  readonly hits?: number;
  readonly misses?: number;
  /** Not served at all. */
  readonly refused?: number;
  /** Lost without having been given back, as far as that can be told. */
  readonly leaked?: number;
}
