/** Client of the engine's operations port: what the operator asks an engine, and nothing else. */
import { z } from 'zod';
import type { EngineConfig } from '../../crds/engine-config.ts';
import { HttpCaller } from './http.ts';
import { massCancelAnswerSchema, snapshotAnswerSchema, type MassCancelAnswer, type TRADING_STATES } from './schemas.ts';
import type { ClientTls } from './tls.ts';

export const ENGINE_PHASES = ['recovering', 'warming', 'serving', 'draining'] as const;

/** What `GET /admin/status` answers. Unknown further fields are dropped, so that a newer engine still answers an older operator. */
export const engineStatusSchema = z.object({
  name: z.string().describe('`engine` of the configuration.'),
  version: z.string().describe('Version of the engine program.'),
  phase: z.enum(ENGINE_PHASES),
  configHash: z.string().describe('Hash of the configuration in force, as `configHash` of crds/engine-config.ts computes it.'),
  startConfigHash: z.string().optional().describe('Hash of the configuration that it was started with; hot changes since then leave it.'),
  configFailure: z
    .string()
    .optional()
    .describe('Why the last change of the configuration was refused: the one before is in force. Absent when it was not.'),
  tls: z
    .object({
      expiresAt: z.iso.datetime().describe('When the certificate in service ends.'),
      failure: z.string().optional().describe('Why the certificate files are not in service as they are. Absent when nothing is wrong.'),
    })
    .optional()
    .describe('Absent without TLS.'),
  heapFlags: z.array(z.string()).describe('The V8 flags that the process runs with (`process.execArgv`).'),
  sequence: z.int().min(0).describe('Last sequence that is durable.'),
  stateHash: z
    .string()
    .regex(/^[0-9a-f]{16}$/)
    .describe('Hash of the whole matching state at the last applied sequence.'),
  recovery: z.object({
    sequence: z.int().min(0).describe('Sequence that recovery reached.'),
    stateHash: z.string().describe('State hash at that sequence; empty while recovering.'),
    commands: z.int().min(0).describe('Commands that were replayed.'),
    durationMs: z.number().min(0),
    snapshotSequence: z.int().min(0).optional().describe('Sequence of the snapshot that it began from; 0 without one.'),
    warnings: z.array(z.string()).optional().describe('What recovery cut off or passed over; empty when there was nothing.'),
  }),
  warmup: z
    .object({ orders: z.int().min(0), p99Micros: z.number().min(0).describe('99th percentile of matching one synthetic order.') })
    .nullable(),
  openOrders: z.int().min(0),
  ordersAccepted: z.int().min(0).describe('Since this process started.'),
  ordersRejected: z.int().min(0).describe('Since this process started.'),
  fills: z.int().min(0).describe('Since this process started.'),
  ordersPerSecond: z.number().min(0),
  startedAt: z.iso.datetime(),
  pid: z.int().min(1),
});
export type EngineStatus = z.output<typeof engineStatusSchema>;

/** What `POST /admin/config/check` answers. */
export const configCheckSchema = z.discriminatedUnion('accepted', [
  z.object({ accepted: z.literal(true) }),
  z.object({ accepted: z.literal(false), code: z.string(), message: z.string() }),
]);
export type ConfigCheck = z.output<typeof configCheckSchema>;

/** What `POST /admin/config` takes and answers. */
export const applyConfigBody = z.strictObject({
  config: z.unknown().describe('A whole engine configuration.'),
  expectedHash: z.string().describe('configHash of the configuration that it was made from.'),
});
export const appliedConfigSchema = z.object({
  configHash: z.string(),
  changed: z.array(z.string()).describe('The keys that are different now.'),
});
export type AppliedConfig = z.output<typeof appliedConfigSchema>;

export interface AdminClientOptions {
  /** Address of the operations port, for example `http://demo-ops.trading:9090`. */
  baseUrl: string;
  /** The admin token (key `admin-token` of the Secret), or a user's token with the right role. Never logged. */
  token: string;
  /** Bound on each call, connecting included. Default 5000. */
  timeoutMs?: number;
  /** For an address that begins with https. */
  tls?: ClientTls;
}

/** Calls the admin endpoints of one engine. Every method throws EngineError (http.ts); none retries. */
export class AdminClient {
  readonly #http: HttpCaller;

  constructor(options: AdminClientOptions) {
    this.#http = new HttpCaller({
      baseUrl: options.baseUrl,
      timeoutMs: options.timeoutMs ?? 5000,
      token: options.token,
      tls: options.tls,
      connections: 2,
    });
  }

  /** What the engine says of itself; answers in every phase. */
  async status(signal?: AbortSignal): Promise<EngineStatus> {
    return await this.#http.json({ method: 'GET', path: '/admin/status', schema: engineStatusSchema, signal });
  }

  /**
   * Whether the running state could be recovered under `config`: the same check that an engine makes when it starts.
   * While the engine is still recovering it cannot tell, and this throws an EngineError with status 503.
   */
  async checkConfig(config: EngineConfig, signal?: AbortSignal): Promise<ConfigCheck> {
    return await this.#http.json({ method: 'POST', path: '/admin/config/check', body: config, schema: configCheckSchema, signal });
  }

  /**
   * Brings `config` into force without a restart, if `expectedHash` still is. Throws EngineError: `HFT_CONFIG_INVALID`, `HFT_CONFIG_CONFLICT`, or
   * `HFT_CONFIG_NEEDS_RESTART` naming the keys; nothing has changed then.
   */
  async applyConfig(config: EngineConfig, expectedHash: string, signal?: AbortSignal): Promise<AppliedConfig> {
    const body = { config, expectedHash };
    return await this.#http.json({ method: 'POST', path: '/admin/config', body, schema: appliedConfigSchema, signal });
  }

  /** Moves an instrument to a trading state; gives the orders that this cancelled (DAY orders, at the close). */
  async setState(symbol: string, state: (typeof TRADING_STATES)[number], signal?: AbortSignal): Promise<MassCancelAnswer> {
    const path = `/admin/instruments/${encodeURIComponent(symbol)}/state`;
    return await this.#http.json({ method: 'POST', path, body: { state }, schema: massCancelAnswerSchema, signal });
  }

  /** Turns the kill switch of an account, or of all when none is named; gives the orders that this cancelled. */
  async killSwitch(change: { account?: string; on: boolean }, signal?: AbortSignal): Promise<MassCancelAnswer> {
    return await this.#http.json({ method: 'POST', path: '/admin/kill-switch', body: change, schema: massCancelAnswerSchema, signal });
  }

  /** Takes a snapshot now; resolves when it is on the disk. */
  async snapshot(signal?: AbortSignal): Promise<z.output<typeof snapshotAnswerSchema>> {
    return await this.#http.json({ method: 'POST', path: '/admin/snapshot', schema: snapshotAnswerSchema, signal });
  }

  /** Closes the connections. Calls in flight fail. */
  async close(): Promise<void> {
    await this.#http.close();
  }
}
