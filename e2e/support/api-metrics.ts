/** What an API server counts of itself. */
import { fetch } from 'undici';
import type { KubeClient } from '../../operator/kube/client.ts';

/** Reviews are how the server asks itself who may do what; the Lease is renewed by design. */
const NOT_WRITES = /resource="(leases|tokenreviews|subjectaccessreviews|selfsubjectreviews)"/;

/** Requests that change something, as `apiserver_request_total` counts them. */
export async function countWrites(client: KubeClient): Promise<number> {
  const { endpoint, dispatcher } = await client.config.shared.open();
  const response = await fetch(`${endpoint.origin}/metrics`, {
    dispatcher,
    headers: endpoint.headers,
    signal: AbortSignal.timeout(10_000),
  });
  const text = await response.text();
  if (!text.includes('apiserver_request_total{')) throw new Error(`the API server gave no metrics (${response.status})`);
  let total = 0;
  for (const [, labels = '', count] of text.matchAll(/^apiserver_request_total\{(.*)\} ([0-9.e+]+)$/gm)) {
    if (/verb="(POST|PUT|PATCH|APPLY|DELETE)"/.test(labels) && !NOT_WRITES.test(labels)) total += Number(count);
  }
  return total;
}
