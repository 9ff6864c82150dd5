import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { findCondition, setCondition, setConditions } from './conditions.ts';
import { HealthServer } from './health.ts';
import type { HealthCheck } from './health.ts';

async function serve(
  setUp: (server: HealthServer) => void,
): Promise<{ get: (path: string, method?: string) => Promise<[number, string]>; server: HealthServer }> {
  const registry = new Registry();
  const server = new HealthServer({ registry });
  setUp(server);
  const { port } = await server.listen(0, '127.0.0.1');
  return {
    server,
    get: async (path, method = 'GET') => {
      const response = await fetch(`http://127.0.0.1:${port}${path}`, { method, signal: AbortSignal.timeout(5_000) });
      return [response.status, await response.text()];
    },
  };
}

const good: HealthCheck = () => ({ ok: true });

describe('HealthServer', () => {
  it('is bad while one check is, says which and why, and good again afterwards', async () => {
    let reason: string | undefined;
    const { get, server } = await serve((s) => {
      s.addHealthz('pods', good);
      s.addHealthz('engines', () => (reason === undefined ? { ok: true } : { ok: false, reason }));
      s.addReadyz('leader', good);
    });
    expect(await get('/healthz')).toEqual([200, 'ok\n']);
    reason = 'deaf for 3.1 s';
    expect(await get('/healthz')).toEqual([503, '[-] engines failed: deaf for 3.1 s\ncheck failed\n']);
    expect(await get('/healthz?verbose')).toEqual([503, '[+] pods ok\n[-] engines failed: deaf for 3.1 s\ncheck failed\n']);
    expect(await get('/readyz?verbose')).toEqual([200, '[+] leader ok\ncheck passed\n']);
    expect(await get('/livez')).toEqual([200, 'ok\n']);
    reason = undefined;
    expect(await get('/healthz')).toEqual([200, 'ok\n']);
    await server.close();
  });

  it('counts a check that throws or does not answer as failed', async () => {
    const { get, server } = await serve((s) => {
      s.addHealthz('throws', () => {
        throw new Error('boom');
      });
      s.addReadyz('hangs', () => new Promise(() => undefined));
    });
    expect(await get('/healthz')).toEqual([503, '[-] throws failed: boom\ncheck failed\n']);
    expect(await get('/readyz')).toEqual([503, '[-] hangs failed: the check did not answer within 1000 ms\ncheck failed\n']);
    await server.close();
  });

  it('serves metrics, refuses other paths and methods, and a taken port', async () => {
    const { get, server } = await serve(() => undefined);
    expect((await get('/metrics'))[0]).toBe(200);
    expect((await get('/nothing'))[0]).toBe(404);
    expect((await get('/healthz', 'POST'))[0]).toBe(405);
    const other = new HealthServer({ registry: new Registry() });
    const { port } = await other.listen(0, '127.0.0.1');
    const third = new HealthServer({ registry: new Registry() });
    await expect(third.listen(port, '127.0.0.1')).rejects.toThrow('EADDRINUSE');
    await Promise.all([server.close(), other.close(), third.close()]);
  });
});

describe('conditions', () => {
  const at = (second: number): Date => new Date(Date.UTC(2026, 0, 1, 0, 0, second));
  const ready = { type: 'Ready', status: 'True', reason: 'Serving', message: 'ok', observedGeneration: 1 } as const;

  it('moves the transition time only when the status changes', () => {
    const first = setCondition(undefined, ready, at(1));
    expect(first).toEqual([{ ...ready, lastTransitionTime: '2026-01-01T00:00:01Z' }]);
    const reworded = setCondition(first, { ...ready, reason: 'Still', message: 'fine', observedGeneration: 2 }, at(2));
    expect(reworded[0]).toMatchObject({ reason: 'Still', observedGeneration: 2, lastTransitionTime: '2026-01-01T00:00:01Z' });
    const flipped = setCondition(reworded, { ...ready, status: 'False' }, at(3));
    expect(flipped[0]?.lastTransitionTime).toBe('2026-01-01T00:00:03Z');
    expect(first[0]?.reason).toBe('Serving');
  });

  it('keeps places and other conditions', () => {
    const all = setConditions(
      undefined,
      [ready, { ...ready, type: 'Progressing' }, { ...ready, type: 'Degraded', status: 'False' }],
      at(1),
    );
    const changed = setCondition(all, { ...ready, type: 'Progressing', status: 'False' }, at(2));
    expect(changed.map(({ type }) => type)).toEqual(['Ready', 'Progressing', 'Degraded']);
    expect(changed[0]).toBe(all[0]);
    expect(findCondition(changed, 'Ready')?.status).toBe('True');
    expect(findCondition(changed, 'Progressing')?.status).toBe('False');
    expect(findCondition(undefined, 'Ready')).toBeUndefined();
  });
});
