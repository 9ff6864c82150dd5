/** grpc.health.v1: serving while the engine takes orders. Open to everybody, as /health is. */
import { status, type sendUnaryData, type Server, type ServerUnaryCall, type ServerWritableStream } from '@grpc/grpc-js';
import { service } from 'grpc-health-check';
import type { Engine } from '../../service/engine.ts';

interface HealthRequest {
  readonly service: string;
}
interface HealthAnswer {
  readonly status: 'SERVING' | 'NOT_SERVING' | 'SERVICE_UNKNOWN';
}
type Watcher = ServerWritableStream<HealthRequest, HealthAnswer>;

/** An engine does not tell when it begins or ceases to serve; a look costs nothing. */
const LOOK_INTERVAL_MS = 50;

/** The service of the package, with what its own implementation lacks: it looks when it is asked, and lets go of those who watch when it ends. */
export class EngineHealth {
  readonly #engine: Pick<Engine, 'serving'>;
  readonly #services: readonly string[];
  readonly #watchers = new Set<Watcher>();
  readonly #timer: NodeJS.Timeout;
  #told: HealthAnswer['status'];

  /** `services` besides "", which stands for the whole server. */
  constructor(engine: Pick<Engine, 'serving'>, services: readonly string[]) {
    this.#engine = engine;
    this.#services = ['', ...services];
    this.#told = this.#status();
    this.#timer = setInterval(() => this.#look(), LOOK_INTERVAL_MS).unref();
  }

  addToServer(server: Server): void {
    server.addService(service, {
      check: (call: ServerUnaryCall<HealthRequest, HealthAnswer>, callback: sendUnaryData<HealthAnswer>) => {
        if (this.#services.includes(call.request.service)) callback(null, { status: this.#status() });
        else callback({ code: status.NOT_FOUND, details: 'there is no such service here' });
      },
      watch: (call: Watcher) => this.#watch(call),
      list: (_call: unknown, callback: sendUnaryData<{ statuses: Record<string, HealthAnswer> }>) => {
        callback(null, { statuses: Object.fromEntries(this.#services.map((name) => [name, { status: this.#status() }])) });
      },
    });
  }

  /** Says for the last time how it is, and ends. */
  stop(): void {
    clearInterval(this.#timer);
    this.#look();
    for (const watcher of this.#watchers) watcher.end();
    this.#watchers.clear();
  }

  #watch(call: Watcher): void {
    if (!this.#services.includes(call.request.service)) {
      // By the protocol the stream stays open: the service may come. Here none ever does.
      call.write({ status: 'SERVICE_UNKNOWN' });
      call.end();
      return;
    }
    this.#look();
    this.#watchers.add(call);
    call.on('cancelled', () => this.#watchers.delete(call));
    call.write({ status: this.#told });
  }

  #status(): 'SERVING' | 'NOT_SERVING' {
    return this.#engine.serving ? 'SERVING' : 'NOT_SERVING';
  }

  /** Tells those who watch when it has changed. */
  #look(): void {
    const now = this.#status();
    if (now === this.#told) return;
    this.#told = now;
    for (const watcher of this.#watchers) watcher.write({ status: now });
  }
}
