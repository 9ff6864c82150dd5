/** What a reflector counts. */
import type { Counter, Registry } from 'prom-client';
import { counter, sampledGauge } from './metrics.ts';

export class ReflectorMetrics {
  readonly #name: string;
  readonly #lists: Counter<'name'>;
  readonly #watches: Counter<'name'>;
  readonly #failures: Counter<'name' | 'reason'>;
  readonly #stopSampling: (() => void)[];

  constructor(registry: Registry | undefined, name: string, sample: { deaf: () => boolean; objects: () => number }) {
    this.#name = name;
    this.#lists = counter(registry, 'reflector_lists_total', 'Total number of API lists done by the reflectors', ['name']);
    this.#watches = counter(registry, 'reflector_watches_total', 'Total number of API watches done by the reflectors', ['name']);
    this.#failures = counter(registry, 'reflector_failures_total', 'Lists, watches and handlers that failed, by reason', [
      'name',
      'reason',
    ]);
    this.#lists.inc({ name }, 0);
    this.#watches.inc({ name }, 0);
    this.#stopSampling = [
      sampledGauge(registry, 'reflector_deaf', 'Whether changes may be going unnoticed (1) or not (0)', 'name', name, () =>
        sample.deaf() ? 1 : 0,
      ),
      sampledGauge(registry, 'reflector_objects', 'Objects in the local copy', 'name', name, sample.objects),
    ];
  }

  listed(): void {
    this.#lists.inc({ name: this.#name });
  }
  watched(): void {
    this.#watches.inc({ name: this.#name });
  }
  failed(reason: string): void {
    this.#failures.inc({ name: this.#name, reason });
  }
  close(): void {
    for (const stop of this.#stopSampling) stop();
  }
}
