import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CoreV1Api } from '@kubernetes/client-node';
import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { loadClient } from './client.ts';
import { configMap, FakeApi, sendJson } from './fake-api.test-support.ts';
import { parseRetryAfterMs } from './errors.ts';
import { keyOf, pathOf, refOf, resources } from './resource.ts';

const ok = { kind: 'Status', status: 'Success' };

describe('KubeClient', () => {
  it('pools its own requests and those of the generated APIs', async () => {
    await using api = await FakeApi.start((_request, response) =>
      sendJson(response, 200, { kind: 'ConfigMapList', metadata: { resourceVersion: '1' }, items: [] }),
    );
    const client = api.client();
    for (let i = 0; i < 50; i++) await client.list(resources.configMaps);
    // Two, because undici asks for the next before it has put the last one back.
    expect(api.connectionsMade).toBeLessThanOrEqual(2);
    await Promise.all(Array.from({ length: 200 }, () => client.list(resources.configMaps)));
    const generated = client.config.makeApiClient(CoreV1Api);
    await Promise.all(Array.from({ length: 200 }, () => generated.listNamespacedConfigMap({ namespace: 'n' })));
    expect(api.requests).toHaveLength(450);
    expect(api.connectionsMade).toBeLessThanOrEqual(16);
    await client.close();
  });

  it('gives up on a server that does not answer, or stops in the middle', async () => {
    await using api = await FakeApi.start((request, response) => {
      if (request.path === '/half') response.writeHead(200, { 'content-type': 'application/json' }).write('{"half":');
    });
    const client = api.client({ requestTimeoutMs: 100 });
    await expect(client.request({ method: 'GET', path: '/never' })).rejects.toMatchObject({
      code: 'timeout',
      message: 'GET /never: no answer within 100 ms',
    });
    await expect(client.request({ method: 'GET', path: '/half', timeoutMs: 50 })).rejects.toMatchObject({ code: 'timeout' });
    const generated = client.config.makeApiClient(CoreV1Api);
    await expect(generated.listNamespacedConfigMap({ namespace: 'n' })).rejects.toThrow(/timeout|aborted/i);
    await client.close();
  });

  it('uses fresh connections after a hang, instead of waiting on hung ones in turn', async () => {
    await using api = await FakeApi.start((request, response) => {
      if (request.path !== '/hang') sendJson(response, 200, ok);
    });
    const client = api.client({ requestTimeoutMs: 1_000 });
    await Promise.all(Array.from({ length: 16 }, () => client.request({ method: 'GET', path: '/version' })));
    const hanging = Array.from({ length: 15 }, () => client.request({ method: 'GET', path: '/hang' }).catch((error: unknown) => error));
    await expect(client.request({ method: 'GET', path: '/hang', timeoutMs: 50 })).rejects.toMatchObject({ code: 'timeout' });
    const startedMs = performance.now();
    for (let i = 0; i < 5; i++) expect(await client.request({ method: 'GET', path: '/version', timeoutMs: 500 })).toEqual(ok);
    expect(performance.now() - startedMs).toBeLessThan(400);
    // A hang that is known for certain ends what waits on it.
    client.refreshConnections();
    const late = client.request({ method: 'GET', path: '/hang' }).catch((error: unknown) => error);
    await expect.poll(() => api.requests.filter(({ path }) => path === '/hang').length).toBe(17);
    client.refreshConnections();
    expect(await late).toMatchObject({ code: 'network' });
    for (const error of await Promise.all(hanging)) expect(error).toMatchObject({ code: 'timeout' });
    await client.close();
  });

  it('passes the caller’s abort through as it is', async () => {
    await using api = await FakeApi.start(() => undefined);
    const client = api.client();
    const abort = new AbortController();
    const reason = new Error('enough');
    const pending = client.request({ method: 'GET', path: '/never', signal: abort.signal });
    abort.abort(reason);
    await expect(pending).rejects.toBe(reason);
    await expect(client.request({ method: 'GET', path: '/never', signal: abort.signal })).rejects.toBe(reason);
    await client.close();
  });

  it.each([
    [404, { reason: 'NotFound', message: 'configmaps "x" not found' }, 'notFound'],
    [409, { reason: 'Conflict', message: 'changed' }, 'conflict'],
    [409, { reason: 'AlreadyExists', message: 'there' }, 'alreadyExists'],
    [403, { reason: 'Forbidden', message: 'no' }, 'forbidden'],
    [401, { reason: 'Unauthorized', message: 'who' }, 'unauthorized'],
    [410, { reason: 'Expired', message: 'old' }, 'gone'],
    [422, { reason: 'Invalid', message: 'bad', details: { causes: [{ field: 'spec.x', message: 'must be' }] } }, 'invalid'],
    [500, { reason: 'InternalError', message: 'oops' }, 'server'],
    [503, 'plain text', 'server'],
    [418, {}, 'badResponse'],
  ] as const)('types %i %j as %s', async (status, body, code) => {
    await using api = await FakeApi.start((_request, response) =>
      typeof body === 'string' ? response.writeHead(status).end(body) : sendJson(response, status, { kind: 'Status', ...body }),
    );
    const client = api.client();
    const message = typeof body === 'string' ? body : 'message' in body ? body.message : `HTTP ${status}`;
    await expect(client.get(resources.configMaps, { namespace: 'n', name: 'x' })).rejects.toMatchObject({
      code,
      statusCode: status,
      message: `GET /api/v1/namespaces/n/configmaps/x: ${message}`,
    });
    await client.close();
  });

  it('says how long a 429 asks to wait, by header or by Status', async () => {
    await using api = await FakeApi.start((request, response) => {
      if (request.path === '/header') sendJson(response, 429, {}, { 'retry-after': '7' });
      else sendJson(response, 429, { details: { retryAfterSeconds: 3 } });
    });
    const client = api.client();
    await expect(client.request({ method: 'GET', path: '/header' })).rejects.toMatchObject({
      code: 'tooManyRequests',
      retryAfterMs: 7_000,
    });
    await expect(client.request({ method: 'GET', path: '/status' })).rejects.toMatchObject({ retryAfterMs: 3_000 });
    await client.close();
    const now = new Date('2026-01-01T00:00:00Z');
    expect(parseRetryAfterMs('Thu, 01 Jan 2026 00:00:05 GMT', now)).toBe(5_000);
    expect(parseRetryAfterMs('soon', now)).toBeUndefined();
  });

  it('reads a rotated token at once after a 401', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'kube-client-'));
    try {
      const tokenFile = join(directory, 'token');
      await writeFile(tokenFile, 'old\n');
      let valid = 'old';
      await using api = await FakeApi.start((request, response) =>
        request.headers.authorization === `Bearer ${valid}`
          ? sendJson(response, 200, ok)
          : sendJson(response, 401, { reason: 'Unauthorized' }),
      );
      const client = api.client({}, { tokenFile });
      await client.request({ method: 'GET', path: '/version' });
      valid = 'new';
      await writeFile(tokenFile, 'new\n');
      expect(await client.request({ method: 'GET', path: '/version' })).toEqual(ok);
      expect(api.requests.map(({ headers }) => headers.authorization)).toEqual(['Bearer old', 'Bearer old', 'Bearer new']);
      valid = 'never';
      await expect(client.request({ method: 'GET', path: '/version' })).rejects.toMatchObject({ code: 'unauthorized' });
      await client.close();
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  it('starts a list over when the snapshot of its pages is gone', async () => {
    let gone = false;
    await using api = await FakeApi.start((request, response) => {
      const page = (names: string[], token?: string): object => ({
        metadata: { resourceVersion: '9', ...(token === undefined ? {} : { continue: token }) },
        items: names.map((name) => configMap(name, 1)),
      });
      if (!request.query.has('limit')) sendJson(response, 200, page(['a', 'b', 'c']));
      else if (!request.query.has('continue')) sendJson(response, 200, page(['a', 'b'], 't'));
      else {
        gone = true;
        sendJson(response, 410, { reason: 'Expired' });
      }
    });
    const client = api.client();
    const { items, resourceVersion } = await client.list(resources.configMaps);
    expect(gone).toBe(true);
    expect(items.map(({ metadata }) => metadata.name)).toEqual(['a', 'b', 'c']);
    expect(resourceVersion).toBe('9');
    await client.close();
  });

  it('refuses an answer that is not what was asked for', async () => {
    await using api = await FakeApi.start((request, response) =>
      request.path === '/text' ? response.end('hello') : sendJson(response, 200, {}),
    );
    const client = api.client();
    await expect(client.request({ method: 'GET', path: '/text' })).rejects.toMatchObject({ code: 'badResponse' });
    await expect(client.list(resources.configMaps)).rejects.toMatchObject({ code: 'badResponse' });
    await client.close();
  });

  it('sends preconditions with a deletion and calls an absent object absent', async () => {
    await using api = await FakeApi.start((request, response) => sendJson(response, request.path.endsWith('/x') ? 200 : 404, {}));
    const client = api.client();
    expect(await client.delete(resources.configMaps, { namespace: 'n', name: 'x' }, { uid: 'u', propagationPolicy: 'Foreground' })).toBe(
      'deleted',
    );
    expect(JSON.parse(api.requests[0]?.body ?? '')).toMatchObject({ preconditions: { uid: 'u' }, propagationPolicy: 'Foreground' });
    expect(await client.delete(resources.configMaps, { namespace: 'n', name: 'y' })).toBe('absent');
    await client.close();
  });

  it('counts requests by code, method and host', async () => {
    const registry = new Registry();
    await using api = await FakeApi.start((request, response) => {
      if (request.path === '/reset') response.destroy();
      else sendJson(response, request.path === '/bad' ? 500 : 200, {});
    });
    const client = api.client({ registry });
    await client.request({ method: 'GET', path: '/good' });
    await expect(client.request({ method: 'POST', path: '/bad', body: {} })).rejects.toThrow('HTTP 500');
    await expect(client.request({ method: 'GET', path: '/reset' })).rejects.toMatchObject({ code: 'network' });
    const host = new URL(api.url).host;
    const text = await registry.metrics();
    expect(text).toContain(`rest_client_requests_total{code="200",method="GET",host="${host}"} 1`);
    expect(text).toContain(`rest_client_requests_total{code="500",method="POST",host="${host}"} 1`);
    expect(text).toContain(`rest_client_requests_total{code="<error>",method="GET",host="${host}"} 1`);
    await client.close();
  });
});

describe('loadClient', () => {
  it('says what is missing', () => {
    expect(() => loadClient({ kubeconfigPath: '/does/not/exist' })).toThrow('/does/not/exist');
  });
});

describe('paths and keys', () => {
  it('builds the paths of core and grouped, namespaced and cluster-wide resources', () => {
    expect(pathOf(resources.pods, 'n', 'p', 'status')).toBe('/api/v1/namespaces/n/pods/p/status');
    expect(pathOf(resources.deployments)).toBe('/apis/apps/v1/deployments');
    expect(pathOf(resources.nodes, 'ignored', 'x')).toBe('/api/v1/nodes/x');
    expect(pathOf(resources.pods, '../x', 'a/b')).toBe('/api/v1/namespaces/..%2Fx/pods/a%2Fb');
  });

  it('turns references into keys and back', () => {
    for (const ref of [{ name: 'a' }, { namespace: 'n', name: 'a' }]) expect(refOf(keyOf(ref))).toEqual(ref);
  });
});
