import { expect, it } from 'vitest';
import { histogramText, seriesText } from './exposition.ts';

it('writes histograms cumulatively, with the bucket of all', () => {
  const histogram = { bounds: [0.001, 1], counts: new Float64Array([2, 0, 3]), sum: 4.5, count: 5 };
  expect(histogramText('x_seconds', 'Time.', [{ labels: { kind: 'a' }, histogram }])).toBe(
    `# HELP x_seconds Time.
# TYPE x_seconds histogram
x_seconds_bucket{le="0.001",kind="a"} 2
x_seconds_bucket{le="1",kind="a"} 2
x_seconds_bucket{le="+Inf",kind="a"} 5
x_seconds_sum{kind="a"} 4.5
x_seconds_count{kind="a"} 5
`,
  );
});

it('escapes what a label may not hold as it is, and writes infinity as Prometheus reads it', () => {
  const text = seriesText('gauge', 'x', 'X.', [
    { labels: { path: 'C:\\"a"\nb' }, value: 1 },
    { labels: { path: '' }, value: Infinity },
  ]);
  expect(text).toBe('# HELP x X.\n# TYPE x gauge\nx{path="C:\\\\\\"a\\"\\nb"} 1\nx{path=""} +Inf\n');
});
