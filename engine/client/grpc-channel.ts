/** One channel of a pool: an HTTP/2 connection of its own, and what its health check says. */
import { Client, type ChannelCredentials, type ServiceError } from '@grpc/grpc-js';
import { HEALTH_CHECK } from './grpc-contract.ts';
import type { ClientTls } from './tls.ts';

export interface ChannelEvents {
  /** Its health is another. */
  changed(): void;
  /** A check said that it is not healthy, or said nothing. */
  failed(): void;
}

interface ChannelSettings {
  readonly address: string;
  readonly credentials: ChannelCredentials;
  readonly tls: ClientTls;
  readonly healthIntervalMs: number;
  readonly timeoutMs: number;
  readonly mostMessageBytes: number;
}

/** A channel that is not healthy is looked at this often: an engine that restarts is back within seconds. */
const UNHEALTHY_INTERVAL_MS = 100;

export class PoolChannel {
  readonly client: Client;
  readonly firstCheck: Promise<void>;
  healthy = false;
  inFlight = 0;
  openedAtMs = Date.now();
  usedAtMs = Date.now();
  readonly #settings: ChannelSettings;
  readonly #events: ChannelEvents;
  #timer: NodeJS.Timeout | undefined;
  #retired = false;

  constructor(settings: ChannelSettings, events: ChannelEvents) {
    this.#settings = settings;
    this.#events = events;
    this.client = new Client(settings.address, settings.credentials, {
      // Without it channels to one address share a connection.
      'grpc.use_local_subchannel_pool': 1,
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': 2000,
      'grpc.keepalive_time_ms': 30_000,
      'grpc.keepalive_timeout_ms': 10_000,
      'grpc.max_receive_message_length': settings.mostMessageBytes,
      // Tries again without knowing what is idempotent.
      'grpc.enable_retries': 0,
      'grpc.enable_channelz': 0,
      'grpc.service_config_disable_resolution': 1,
      ...(settings.tls.serverName !== undefined && { 'grpc.ssl_target_name_override': settings.tls.serverName }),
    });
    this.firstCheck = this.#check();
  }

  begin(): void {
    this.inFlight += 1;
  }

  end(): void {
    this.inFlight -= 1;
    this.usedAtMs = Date.now();
    if (this.#retired && this.inFlight === 0) this.client.close();
  }

  /** Is used no more, and closes when its calls have ended. */
  retire(): void {
    if (this.#retired) return;
    this.#retired = true;
    this.healthy = false;
    clearTimeout(this.#timer);
    if (this.inFlight === 0) this.client.close();
  }

  async #check(): Promise<void> {
    const { path, requestSerialize, responseDeserialize } = HEALTH_CHECK;
    const { healthIntervalMs, timeoutMs } = this.#settings;
    const deadline = Date.now() + Math.min(timeoutMs, Math.max(1000, healthIntervalMs));
    const healthy = await new Promise<boolean>((resolve) => {
      this.client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        { service: '' },
        { deadline },
        (_error: ServiceError | null, answer?: { status: string }) => resolve(answer?.status === 'SERVING'),
      );
    });
    if (this.#retired) return;
    if (!healthy) this.#events.failed();
    const changed = healthy !== this.healthy;
    this.healthy = healthy;
    if (changed) this.#events.changed();
    const waitMs = healthy ? healthIntervalMs : Math.min(healthIntervalMs, UNHEALTHY_INTERVAL_MS);
    this.#timer = setTimeout(() => void this.#check(), waitMs);
    this.#timer.unref();
  }
}
