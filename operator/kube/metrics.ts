/**
 * Metrics under the names that client-go and controller-runtime use, so that existing dashboards and alerts fit. Several parts share one registry, so a
 * metric is made once and found again.
 */
import { Counter, Gauge, Histogram } from 'prom-client';
import type { Registry } from 'prom-client';

/** 1 ms to 60 s: API calls and reconciles. */
export const SECONDS_BUCKETS = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

export function counter<L extends string>(
  registry: Registry | undefined,
  name: string,
  help: string,
  labelNames: readonly L[],
): Counter<L> {
  const found = registry?.getSingleMetric(name);
  if (found instanceof Counter) return found;
  return new Counter({ name, help, labelNames, registers: registry ? [registry] : [] });
}

export function gauge<L extends string>(registry: Registry | undefined, name: string, help: string, labelNames: readonly L[]): Gauge<L> {
  const found = registry?.getSingleMetric(name);
  if (found instanceof Gauge) return found;
  return new Gauge({ name, help, labelNames, registers: registry ? [registry] : [] });
}

export function histogram<L extends string>(
  registry: Registry | undefined,
  name: string,
  help: string,
  labelNames: readonly L[],
  buckets: number[] = SECONDS_BUCKETS,
): Histogram<L> {
  const found = registry?.getSingleMetric(name);
  if (found instanceof Histogram) return found;
  return new Histogram({ name, help, labelNames, buckets, registers: registry ? [registry] : [] });
}

type Samples = Map<string, () => number>;
const samplesOf = new WeakMap<Gauge, Samples>();

/** A gauge whose value is asked for at each scrape; one sampler per label value. The returned function removes the series. */
export function sampledGauge(
  registry: Registry | undefined,
  name: string,
  help: string,
  labelName: string,
  labelValue: string,
  sample: () => number,
): () => void {
  if (!registry) return () => undefined;
  const found = registry.getSingleMetric(name);
  let gaugeFound = found instanceof Gauge ? found : undefined;
  if (!gaugeFound) {
    const samples: Samples = new Map();
    gaugeFound = new Gauge({
      name,
      help,
      labelNames: [labelName],
      registers: [registry],
      collect() {
        for (const [value, read] of samples) this.set({ [labelName]: value }, read());
      },
    });
    samplesOf.set(gaugeFound, samples);
  }
  const made = gaugeFound;
  samplesOf.get(made)?.set(labelValue, sample);
  return () => {
    if (samplesOf.get(made)?.get(labelValue) !== sample) return;
    samplesOf.get(made)?.delete(labelValue);
    made.remove({ [labelName]: labelValue });
  };
}
