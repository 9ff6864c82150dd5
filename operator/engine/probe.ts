/** Asking an engine. Every failure is an answer: an engine that cannot be reached is a fact to plan with, not an error of the reconcile. */
import { AdminClient, type ConfigCheck } from '../../engine/client/admin.ts';
import { EngineError } from '../../engine/client/engine-error.ts';
import { OPERATIONS_PORT } from '../../charts/names.ts';
import type { EngineConfig } from '../../crds/engine-config.ts';
import type { EngineAnswer } from './observed.ts';
import type { Pod } from './resource.ts';

/** How the operator reaches engines; replaced in tests that have no pods. */
export interface EngineProbe {
  status(pod: Pod, adminToken: string, signal: AbortSignal): Promise<EngineAnswer>;
  /** What the running engine says to a configuration; undefined when it is of a version that cannot be asked. */
  check(pod: Pod, adminToken: string, config: EngineConfig, signal: AbortSignal): Promise<ConfigCheck | 'unanswered' | undefined>;
}

const PROBE_TIMEOUT_MS = 1_500;

async function withClient<T>(pod: Pod, token: string, call: (client: AdminClient) => Promise<T>): Promise<T> {
  const address = pod.status?.podIP ?? '';
  const host = address.includes(':') ? `[${address}]` : address;
  const client = new AdminClient({ baseUrl: `http://${host}:${OPERATIONS_PORT}`, token, timeoutMs: PROBE_TIMEOUT_MS });
  try {
    return await call(client);
  } finally {
    await client.close();
  }
}

/** Asks engines over HTTP at their pod address. */
export const httpProbe: EngineProbe = {
  async status(pod, adminToken, signal) {
    try {
      return { reachable: true, status: await withClient(pod, adminToken, (client) => client.status(signal)) };
    } catch (error) {
      return {
        reachable: false,
        reason: `the engine in pod ${pod.metadata.name} does not answer: ${error instanceof Error ? error.message : String(error)}`,
      };
    }
  },
  async check(pod, adminToken, config, signal) {
    try {
      return await withClient(pod, adminToken, (client) => client.checkConfig(config, signal));
    } catch (error) {
      return error instanceof EngineError && (error.status === 404 || error.status === 405) ? undefined : 'unanswered';
    }
  },
};
