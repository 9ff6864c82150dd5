/** Who gets in over HTTP: every route with every role, malformed tokens, accounts, keys that change, rates. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { configHash, type EngineConfig } from '../../../crds/engine-config.ts';
import { verifyAudit } from '../../access/audit-chain.ts';
import { localToken } from '../../access/local-token.ts';
import { malformedTokens, testKeys } from '../../access/malformed-tokens.test-support.ts';
import { ACTIONS, ROLES, type Action, type Role } from '../../access/roles.ts';
import { newKeyFile, signingKeyOf, signToken } from '../../access/sign.ts';
import { OrderClient, type NewOrder } from '../../client/orders.ts';
import { DEFAULT_CONFIG } from '../../config/config.ts';
import { startLocalEngine, TEST_TOKEN, type LocalEngine } from '../../testing/local-engine.ts';

const ORDER: NewOrder = { symbol: 'BTC-USD', account: 'alice', side: 'buy', type: 'limit', price: '100', quantity: '1' };
const CONFIG: EngineConfig = {
  ...DEFAULT_CONFIG,
  journal: { durability: 'memory' },
  observability: { dashboard: true, logLevel: 'fatal' },
};
const keys = testKeys();
let engine: LocalEngine;
beforeAll(async () => {
  engine = await startLocalEngine({ config: CONFIG });
});
afterAll(async () => {
  await engine[Symbol.asyncDispose]();
});

interface Call {
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
  /** The one that it is about: alice, or all. */
  readonly about?: 'alice' | 'all';
}
const call = (method: string, path: string, about?: Call['about'], body?: unknown): Call => ({
  method,
  path,
  ...(about !== undefined && { about }),
  ...(body !== undefined && { body }),
});

/** Every route that is not open, with the action that it asks for. */
const ORDERS_PORT: readonly [Action, Call][] = [
  ['market.read', call('GET', '/v1/book/BTC-USD')],
  ['market.read', call('GET', '/v1/book/BTC-USD/best')],
  ['market.read', call('GET', '/v1/book/BTC-USD/orders')],
  ['market.read', call('GET', '/v1/instruments')],
  ['market.read', call('GET', '/v1/fills')],
  ['market.read', call('GET', '/v1/trades/BTC-USD')],
  ['orders.read', call('GET', '/v1/orders?account=alice', 'alice')],
  ['orders.read', call('GET', '/v1/orders', 'all')],
  ['orders.read', call('GET', '/v1/orders/ID', 'alice')],
  ['orders.read', call('GET', '/v1/positions?account=alice', 'alice')],
  ['orders.read', call('GET', '/v1/positions', 'all')],
  ['orders.read', call('GET', '/v1/accounts/alice/limits', 'alice')],
  ['orders.write', call('POST', '/v1/orders', 'alice', ORDER)],
  ['orders.write', call('PATCH', '/v1/orders/ID', 'alice', { quantity: '0.5' })],
  ['orders.cancel', call('DELETE', '/v1/orders/ID', 'alice')],
  ['orders.cancel', call('DELETE', '/v1/orders?account=alice', 'alice')],
];
const OPERATIONS_PORT: readonly [Action, Call][] = [
  ['engine.read', call('GET', '/admin/status')],
  ['engine.read', call('GET', '/admin/stats')],
  ['engine.admin', call('POST', '/admin/config/check', 'all', {})],
  ['engine.admin', call('POST', '/admin/config', 'all', { config: CONFIG, expectedHash: configHash(CONFIG) })],
  ['audit.read', call('GET', '/admin/audit', 'all')],
  ['engine.admin', call('POST', '/admin/snapshot', 'all')],
  ['market.control', call('POST', '/admin/instruments/BTC-USD/state', 'all', { state: 'trading' })],
  ['risk.write', call('POST', '/admin/kill-switch', 'all', { on: false })],
  ['risk.write', call('POST', '/admin/kill-switch', 'alice', { account: 'alice', on: false })],
];
const ROUTES = [
  ...ORDERS_PORT.map(([action, one]) => ({ action, ...one, port: 'orders' })),
  ...OPERATIONS_PORT.map(([action, one]) => ({ action, ...one, port: 'operations' })),
];

async function send(url: string, { method, body }: Pick<Call, 'method' | 'body'>, token?: string): Promise<Response> {
  return await fetch(url, {
    method,
    headers: {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(10_000),
  });
}

describe.each(ROUTES)('$method $path on the port of $port', ({ action, port, path, about, ...request }) => {
  const urlOf = async (): Promise<string> => {
    // An order of its own for each call that is about one.
    const id = path.includes('ID') ? (await engine.orders.place(ORDER)).order.id : '';
    return `${port === 'orders' ? engine.baseUrl : engine.opsUrl}${path.replace('ID', id)}`;
  };

  it('wants a token', async () => {
    const answer = await send(await urlOf(), request);
    expect(answer.status).toBe(401);
    expect(await answer.json()).toMatchObject({ code: 'HFT_UNAUTHORIZED' });
    expect(answer.headers.get('www-authenticate')).toBe('Bearer realm="hft-engine"');
  });

  it.each(ROLES)('for %s is as the table says, with the right account, another and all', async (role) => {
    const allowed: readonly Role[] = ACTIONS[action].roles;
    for (const accounts of [['alice'], ['bob'], 'all'] as const) {
      const token = await localToken(engine.dataDirectory, 'local', { roles: [role], accounts, subject: `${role}-user` });
      const right =
        allowed.includes(role) && (!ACTIONS[action].ofAccount || accounts === 'all' || (about === 'alice' && accounts[0] === 'alice'));
      const answer = await send(await urlOf(), request, token);
      expect([accounts, answer.ok]).toEqual([accounts, right]);
      if (!right) expect(await answer.json()).toMatchObject({ status: 403, code: 'HFT_FORBIDDEN' });
    }
  });
});

it('every documented path is in the list above, and says that it wants a token', async () => {
  const document = (await (await send(`${engine.baseUrl}/docs/json`, { method: 'GET' })).json()) as {
    paths: Record<string, object>;
    security: object[];
    components: { securitySchemes: object };
  };
  const documented = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  const listed = new Set(
    ORDERS_PORT.map(
      ([, { method, path }]) =>
        `${method} ${path.replace('ID', '{id}').replace('BTC-USD', '{symbol}').replace('alice/', '{account}/').replace(/\?.*/, '')}`,
    ),
  );
  // What it may do is asked for each operation: its own test below.
  listed.add('POST /v1/orders/batch');
  expect(documented.filter((one) => !listed.has(one))).toEqual([]);
  expect(document).toMatchObject({ security: [{ bearer: [] }], components: { securitySchemes: { bearer: { type: 'http' } } } });
});

it('a batch may do what each of its operations may do alone', async () => {
  const { order } = await engine.orders.place(ORDER);
  const { order: other } = await engine.orders.place({ ...ORDER, account: 'bob' });
  const operations = [
    { op: 'place', order: ORDER },
    { op: 'place', order: { ...ORDER, account: 'bob' } },
    { op: 'replace', id: order.id, change: { quantity: '0.5' } },
    { op: 'replace', id: other.id, change: { quantity: '0.5' } },
    { op: 'cancel', id: order.id },
    { op: 'cancel', id: other.id },
    { op: 'cancel', id: order.id },
    { op: 'cancel', id: other.id },
  ];
  const statuses = async (roles: Role[], accounts: string[]): Promise<number[]> => {
    const token = await localToken(engine.dataDirectory, 'local', { roles, accounts });
    const answer = await send(`${engine.baseUrl}/v1/orders/batch`, { method: 'POST', body: { operations } }, token);
    if (!answer.ok) return [answer.status];
    return ((await answer.json()) as { results: { status: number }[] }).results.map(({ status }) => status);
  };
  expect(await statuses(['viewer', 'admin'], ['alice'])).toEqual([403]);
  expect(await statuses(['risk'], ['carol'])).toEqual([403, 403, 403, 403, 403, 403, 403, 403]);
  expect(await statuses(['trader'], ['alice'])).toEqual([201, 403, 200, 403, 200, 403, 409, 403]);
  expect(await statuses(['risk'], ['bob'])).toEqual([403, 403, 403, 403, 403, 200, 403, 409]);
});

it('an order that never was is found by nobody, and one of another account not even when it has ended', async () => {
  const token = await localToken(engine.dataDirectory, 'local', { roles: ['trader'], accounts: ['bob'] });
  const bob = new OrderClient({ baseUrl: engine.baseUrl, token });
  const { order } = await engine.orders.place(ORDER);
  await engine.orders.cancel(order.id);
  for (const attempt of [() => bob.get(order.id), () => bob.cancel(order.id), () => bob.replace(order.id, { quantity: '2' })])
    await expect(attempt()).rejects.toMatchObject({ code: 'HFT_FORBIDDEN', message: expect.not.stringContaining('alice') });
  await expect(bob.cancel('999999')).rejects.toMatchObject({ code: 'HFT_ORDER_NOT_FOUND' });
  await bob.close();
});

it('an order that is placed while a stranger asks for its id is not changed by it', async () => {
  const token = await localToken(engine.dataDirectory, 'local', { roles: ['trader'], accounts: ['bob'] });
  const bob = new OrderClient({ baseUrl: engine.baseUrl, token, connections: 32 });
  for (let round = 0; round < 5; round += 1) {
    const { order: last } = await engine.orders.place(ORDER);
    const ids = Array.from({ length: 40 }, (_, index) => String(Number(last.id) + 1 + index));
    const strange = Promise.allSettled(ids.flatMap((id) => [bob.cancel(id), bob.replace(id, { price: '1' })]));
    const placed = await Promise.all(ids.slice(0, 10).map(async () => (await engine.orders.place(ORDER)).order.id));
    expect((await strange).filter(({ status }) => status === 'fulfilled')).toEqual([]);
    for (const id of placed) expect(await engine.orders.get(id)).toMatchObject({ status: 'open', price: '100' });
  }
  await bob.close();
});

it('malformed tokens are refused on both ports, with nothing of them in the answer', async () => {
  const file = join(engine.dataDirectory, 'keys.json');
  const own = readFileSync(file, 'utf8');
  writeFileSync(file, JSON.stringify({ keys: [...Object.values(keys), ...(JSON.parse(own) as { keys: object[] }).keys] }));
  await expect.poll(() => metric('hft_keys'), { timeout: 10_000 }).toBe(4);
  const tokens = malformedTokens(keys, 'local').filter(({ token }) => /^[\x21-\x7e]{1,15000}$/.test(token));
  expect(tokens.length).toBeGreaterThan(400);
  for (const url of [`${engine.baseUrl}/v1/instruments`, `${engine.opsUrl}/admin/status`]) {
    const wrong: string[] = [];
    for (const { name, token } of tokens) {
      const answer = await send(url, { method: 'GET' }, token);
      const text = await answer.text();
      if (answer.status !== 401 || (token.length > 20 && text.includes(token.slice(0, 20)))) wrong.push(`${name}: ${answer.status}`);
    }
    expect(wrong).toEqual([]);
  }
  const good = await signToken(keys.es, { engine: 'local', subject: 's', roles: ['admin'], accounts: [], lifetimeMs: 60_000 });
  for (const url of [`${engine.baseUrl}/v1/instruments`, `${engine.opsUrl}/admin/status`])
    expect((await send(url, { method: 'GET' }, good)).status).toBe(200);
});

async function metric(name: string): Promise<number> {
  const text = await (await fetch(`${engine.opsUrl}/metrics`)).text();
  return Number(new RegExp(`^${name}(?:\\{[^}]*\\})? ([0-9]+)$`, 'm').exec(text)?.[1]);
}

it('keys are rotated under load: no request fails while old and new overlap, and the old key ends when it is taken out', async () => {
  const file = join(engine.dataDirectory, 'keys.json');
  const [first, second] = [newKeyFile(), newKeyFile()];
  const keysOf = (text: string): object[] => (JSON.parse(text) as { keys: object[] }).keys;
  const claims = { engine: 'local', subject: 'roller', roles: ['trader'], accounts: 'all', lifetimeMs: 60_000 } as const;
  const install = async (present: readonly object[]): Promise<void> => {
    writeFileSync(`${file}.new`, JSON.stringify({ keys: present }));
    renameSync(`${file}.new`, file);
    await expect.poll(() => metric('hft_keys'), { timeout: 10_000 }).toBe(present.length);
  };
  await install([...keysOf(first), { ...keys.hs }]);
  const [older, newer] = [await signToken(signingKeyOf(first, 'f'), claims), await signToken(signingKeyOf(second, 's'), claims)];
  const [oldClient, newClient] = [older, newer].map((token) => new OrderClient({ baseUrl: engine.baseUrl, token }));
  if (oldClient === undefined || newClient === undefined) throw new Error('two clients were made');
  await expect(newClient.instruments()).rejects.toMatchObject({ code: 'HFT_UNAUTHORIZED' });

  const current = { client: oldClient, sent: 0, over: false };
  const flow = (async () => {
    while (!current.over) {
      await current.client.place(ORDER);
      current.sent += 1;
    }
  })();
  await install([...keysOf(first), ...keysOf(second), { ...keys.hs }]);
  current.client = newClient;
  const { sent } = current;
  await expect.poll(() => current.sent).toBeGreaterThan(sent + 5);
  await install([...keysOf(second)]);
  await expect(oldClient.instruments()).rejects.toMatchObject({ code: 'HFT_UNAUTHORIZED' });
  current.over = true;
  await flow;
  await Promise.all([oldClient.close(), newClient.close()]);
});

it('a user that sends too much is told when to come back; others and the operator feel nothing', async () => {
  await using small = await startLocalEngine({
    config: { journal: { durability: 'memory' }, limits: { ...DEFAULT_CONFIG.limits, requestsPerSecond: 2, requestBurst: 3 } },
  });
  const tokenOf = async (subject: string): Promise<string> => await localToken(small.dataDirectory, 'local', { subject });
  const [greedy, other] = [await tokenOf('greedy'), await tokenOf('other')];
  const url = `${small.baseUrl}/v1/instruments`;
  const answers = [];
  for (let sent = 0; sent < 5; sent += 1) answers.push(await send(url, { method: 'GET' }, greedy));
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 429, 429]);
  expect(answers.map(({ headers }) => headers.get('ratelimit-remaining'))).toEqual(['2', '1', '0', '0', '0']);
  const [taken, , , refused] = answers;
  expect(taken?.headers.get('ratelimit-limit')).toBe('3');
  expect(Number(refused?.headers.get('ratelimit-reset'))).toBe(2);
  expect(refused?.headers.get('retry-after')).toBe('1');
  expect(await refused?.json()).toMatchObject({ code: 'HFT_USER_RATE_LIMIT' });
  expect((await send(url, { method: 'GET' }, other)).status).toBe(200);
  for (let sent = 0; sent < 6; sent += 1)
    expect((await send(`${small.opsUrl}/admin/status`, { method: 'GET' }, TEST_TOKEN)).status).toBe(200);
  await new Promise((resolve) => setTimeout(resolve, 1_100));
  expect((await send(url, { method: 'GET' }, greedy)).status).toBe(200);
});

it('web pages of allowed origins may call the order API, and no others; answers say what browsers need', async () => {
  await using open = await startLocalEngine({
    config: { journal: { durability: 'memory' }, auth: { allowedOrigins: ['https://desk.example'] } },
  });
  const preflight = async (origin: string): Promise<Headers> =>
    (
      await fetch(`${open.baseUrl}/v1/orders`, {
        method: 'OPTIONS',
        headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization,content-type' },
      })
    ).headers;
  expect((await preflight('https://desk.example')).get('access-control-allow-origin')).toBe('https://desk.example');
  expect((await preflight('https://evil.example')).get('access-control-allow-origin')).toBeNull();
  const refused = await fetch(`${open.baseUrl}/v1/orders`, { headers: { origin: 'https://desk.example' } });
  expect(refused.status).toBe(401);
  expect(refused.headers.get('access-control-allow-origin')).toBe('https://desk.example');
  // Without a list nothing is allowed.
  const closed = await fetch(`${engine.baseUrl}/v1/instruments`, { headers: { ...engine.authorization, origin: 'https://desk.example' } });
  expect(closed.headers.get('access-control-allow-origin')).toBeNull();
  for (const url of [`${engine.baseUrl}/v1/instruments`, `${engine.opsUrl}/health`]) {
    const { headers } = await fetch(url, { headers: engine.authorization });
    expect(headers.get('content-security-policy')).toBe("default-src 'none';frame-ancestors 'none'");
    expect(headers.get('x-frame-options')).toBe('DENY');
    expect(headers.get('x-content-type-options')).toBe('nosniff');
  }
  expect((await fetch(`${engine.baseUrl}/docs/`)).headers.get('content-security-policy')).toContain("script-src 'self'");
});

it('admin actions are recorded with who, what and result; what only asks, or was sent by nobody, is not', async () => {
  await using own = await startLocalEngine({ config: { journal: { durability: 'memory' } } });
  const viewer = await localToken(own.dataDirectory, 'local', { roles: ['viewer'], subject: 'carol' });
  const url = `${own.opsUrl}/admin/kill-switch`;
  await own.admin.killSwitch({ account: 'alice', on: true });
  expect((await send(url, { method: 'POST', body: { on: false } }, viewer)).status).toBe(403);
  expect((await send(url, { method: 'POST', body: { on: 1 } }, TEST_TOKEN)).status).toBe(400);
  expect((await send(url, { method: 'POST', body: { on: true } })).status).toBe(401);
  await own.admin.status();
  await own.admin.checkConfig(own.running.engine.config);
  const answer = await send(`${own.opsUrl}/admin/audit`, { method: 'GET' }, TEST_TOKEN);
  expect(answer.headers.get('content-type')).toMatch(/^application\/x-ndjson/);
  const text = await answer.text();
  expect(verifyAudit(text)).toMatchObject({ ok: true, head: { number: 3 } });
  const what = 'POST /admin/kill-switch';
  expect(
    text
      .trimEnd()
      .split('\n')
      .map((line): unknown => JSON.parse(line)),
  ).toMatchObject([
    { number: 1, who: 'operator', keyId: 'admin-token', action: 'risk.write', what, body: { account: 'alice', on: true }, status: 200 },
    { number: 2, who: 'carol', what, status: 403, code: 'HFT_FORBIDDEN' },
    { number: 3, who: 'operator', what, body: { on: 1 }, status: 400, code: 'HFT_INVALID_FIELD' },
  ]);
  // Whoever may do nothing cannot fill the disk either.
  for (let sent = 0; sent < 120; sent += 1) await send(url, { method: 'POST', body: { on: false } }, viewer);
  const after = await (await send(`${own.opsUrl}/admin/audit`, { method: 'GET' }, TEST_TOKEN)).text();
  const check = verifyAudit(after);
  expect(check.ok && check.head.number).toBeLessThanOrEqual(105);
  expect(text.includes(TEST_TOKEN) || text.includes(viewer.slice(0, 40))).toBe(false);
});
