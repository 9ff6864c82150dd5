/** What the thread counts, in memory that the metrics read. */

/** Names and meanings, in the order in which they lie in memory. */
const FIGURES = [
  'connections',
  'subscriptions',
  'updates',
  'sends',
  'sentBytes',
  'trades',
  'conflations',
  'gaps',
  'slowClosed',
  'sequence',
  'following',
  'turnMicros',
] as const;
export type FigureName = (typeof FIGURES)[number];

export class MarketDataFigures {
  readonly buffer: SharedArrayBuffer;
  readonly #values: Float64Array;

  constructor(buffer = new SharedArrayBuffer(FIGURES.length * Float64Array.BYTES_PER_ELEMENT)) {
    this.buffer = buffer;
    this.#values = new Float64Array(buffer);
  }

  get(name: FigureName): number {
    return this.#values[FIGURES.indexOf(name)] as number;
  }

  set(name: FigureName, value: number): void {
    this.#values[FIGURES.indexOf(name)] = value;
  }

  add(name: FigureName, value = 1): void {
    this.set(name, this.get(name) + value);
  }
}
