/** What benchmarks say: one line of JSON a comparison, or a table. */

export interface Comparison {
  readonly name: string;
  /** Median of the runs. */
  readonly value: number;
  readonly unit: string;
  /** What it is compared with, measured in the same runs. */
  readonly versus: string;
  /** The other's median, in the same unit. */
  readonly peer: number;
  /** value / peer, the median of each run's own ratio. */
  readonly ratio: number;
  readonly runs: number;
  /** (largest - smallest) / median of the values. */
  readonly spread: number;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[middle] ?? NaN) : ((sorted[middle - 1] ?? NaN) + (sorted[middle] ?? NaN)) / 2;
}

/** Compares pairs of figures that were measured one after the other. Throws RangeError when there is none. */
export function compare(name: string, unit: string, versus: string, pairs: readonly { value: number; peer: number }[]): Comparison {
  if (pairs.length === 0) throw new RangeError(`${name} was not measured`);
  const values = pairs.map(({ value }) => value);
  const middle = median(values);
  return {
    name,
    value: round(middle),
    unit,
    versus,
    peer: round(median(pairs.map(({ peer }) => peer))),
    ratio: round(median(pairs.map(({ value, peer }) => value / peer))),
    runs: pairs.length,
    spread: round((Math.max(...values) - Math.min(...values)) / middle),
  };
}

/** Three digits, or all before the point. */
function round(value: number): number {
  return Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3));
}

export function table(comparisons: readonly Comparison[]): string {
  const rows = comparisons.map(({ name, value, unit, versus, peer, ratio, runs, spread }) => [
    name,
    `${value.toLocaleString('en')} ${unit}`,
    versus,
    peer.toLocaleString('en'),
    String(ratio),
    String(runs),
    `${Math.round(spread * 100)} %`,
  ]);
  const all = [['name', 'value', 'versus', 'peer', 'ratio', 'runs', 'spread'], ...rows];
  const widths = all[0]?.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0))) ?? [];
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
