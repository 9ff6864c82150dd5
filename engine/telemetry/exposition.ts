/** Prometheus' text format, for figures that are kept as plain numbers: prom-client's own metrics would cost whoever counts a map look-up each time. */

export type Labels = Readonly<Record<string, string>>;

/** A histogram as it is counted: not cumulative, `counts` one longer than `bounds`. */
export interface Histogram {
  readonly bounds: readonly number[];
  readonly counts: Iterable<number>;
  readonly sum: number;
  readonly count: number;
}

export interface HistogramSeries {
  readonly labels: Labels;
  readonly histogram: Histogram;
}

export interface Series {
  readonly labels: Labels;
  readonly value: number;
}

export function histogramText(name: string, help: string, histograms: readonly HistogramSeries[]): string {
  const lines = head(name, help, 'histogram');
  for (const { labels, histogram } of histograms) {
    const { bounds, counts, sum, count } = histogram;
    let below = 0;
    let index = 0;
    for (const one of counts) {
      below += one;
      lines.push(line(`${name}_bucket`, { le: String(bounds[index] ?? '+Inf'), ...labels }, below));
      index += 1;
    }
    lines.push(line(`${name}_sum`, labels, sum), line(`${name}_count`, labels, count));
  }
  return `${lines.join('\n')}\n`;
}

export function seriesText(type: 'gauge' | 'counter', name: string, help: string, series: readonly Series[]): string {
  return `${[...head(name, help, type), ...series.map(({ labels, value }) => line(name, labels, value))].join('\n')}\n`;
}

function head(name: string, help: string, type: string): string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`];
}

function line(name: string, labels: Labels, value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${text.replace(/[\\"\n]/g, escape)}"`);
  return `${name}{${pairs.join(',')}} ${value === Infinity ? '+Inf' : value}`;
}

function escape(character: string): string {
  return character === '\n' ? '\\n' : `\\${character}`;
}
