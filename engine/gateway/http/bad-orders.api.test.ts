import { request as rawRequest } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Problem, type ProblemCode } from '../../service/problem.ts';
import { startLocalEngine, type LocalEngine } from '../../testing/local-engine.ts';

const GOOD = { symbol: 'BTC-USD', account: 'alice', side: 'buy', type: 'limit', price: '100.25', quantity: '1.5' };
const json = (change: object): string => JSON.stringify({ ...GOOD, ...change });
const without = (key: keyof typeof GOOD): string => JSON.stringify({ ...GOOD, [key]: undefined });
const replaced = (from: string, to: string): string => JSON.stringify(GOOD).replace(from, to);

interface Case {
  body: string | Buffer;
  contentType?: string;
  status: number;
  code: ProblemCode;
  field?: string;
}

const CASES: Record<string, Case> = {
  'negative price': { body: json({ price: '-1' }), status: 400, code: 'HFT_NOT_POSITIVE', field: 'price' },
  'negative quantity': { body: json({ quantity: '-0.5' }), status: 400, code: 'HFT_NOT_POSITIVE', field: 'quantity' },
  'zero price': { body: json({ price: '0' }), status: 400, code: 'HFT_NOT_POSITIVE', field: 'price' },
  'zero quantity': { body: json({ quantity: '0.0000' }), status: 400, code: 'HFT_NOT_POSITIVE', field: 'quantity' },
  'NaN in a string': { body: json({ price: 'NaN' }), status: 400, code: 'HFT_INVALID_FIELD', field: 'price' },
  'NaN as a literal': { body: replaced('"100.25"', 'NaN'), status: 400, code: 'HFT_BAD_JSON', field: 'price' },
  'Infinity as a literal': { body: replaced('"1.5"', '-Infinity'), status: 400, code: 'HFT_BAD_JSON', field: 'quantity' },
  '1e400 as a number': { body: replaced('"100.25"', '1e400'), status: 400, code: 'HFT_INVALID_FIELD', field: 'price' },
  '1e400 in a string': { body: json({ quantity: '1e400' }), status: 400, code: 'HFT_INVALID_FIELD', field: 'quantity' },
  'a number for a decimal': { body: json({ price: 100 }), status: 400, code: 'HFT_INVALID_FIELD', field: 'price' },
  'a sign': { body: json({ price: '+1' }), status: 400, code: 'HFT_INVALID_FIELD', field: 'price' },
  'leading zeros': { body: json({ price: '0100' }), status: 400, code: 'HFT_INVALID_FIELD', field: 'price' },
  hexadecimal: { body: json({ price: '0x10' }), status: 400, code: 'HFT_INVALID_FIELD', field: 'price' },
  'spaces around': { body: json({ price: ' 1' }), status: 400, code: 'HFT_INVALID_FIELD', field: 'price' },
  'other digits': { body: json({ price: '١' }), status: 400, code: 'HFT_INVALID_FIELD', field: 'price' },
  'very long decimal': { body: json({ price: '1'.repeat(5000) }), status: 400, code: 'HFT_INVALID_FIELD', field: 'price' },
  'wrong tick': { body: json({ price: '100.255' }), status: 422, code: 'HFT_PRICE_OFF_TICK', field: 'price' },
  'wrong lot': { body: json({ quantity: '0.00001' }), status: 422, code: 'HFT_QUANTITY_OFF_LOT', field: 'quantity' },
  'price beyond count': { body: json({ price: '999999999999999' }), status: 422, code: 'HFT_PRICE_TOO_LARGE', field: 'price' },
  'quantity beyond count': { body: json({ quantity: '999999999999999' }), status: 422, code: 'HFT_QUANTITY_TOO_LARGE', field: 'quantity' },
  'over maxOrderQty': { body: json({ quantity: '1000000.0001' }), status: 422, code: 'HFT_MAX_ORDER_QTY', field: 'quantity' },
  'over maxNotional': { body: json({ price: '1000000000', quantity: '1.0001' }), status: 422, code: 'HFT_MAX_NOTIONAL', field: 'quantity' },
  'unknown symbol': { body: json({ symbol: 'DOGE-USD' }), status: 422, code: 'HFT_UNKNOWN_SYMBOL', field: 'symbol' },
  'symbol of a prototype': { body: json({ symbol: '__proto__' }), status: 422, code: 'HFT_UNKNOWN_SYMBOL', field: 'symbol' },
  'missing symbol': { body: without('symbol'), status: 400, code: 'HFT_MISSING_FIELD', field: 'symbol' },
  'missing account': { body: without('account'), status: 400, code: 'HFT_MISSING_FIELD', field: 'account' },
  'missing side': { body: without('side'), status: 400, code: 'HFT_MISSING_FIELD', field: 'side' },
  'missing type': { body: without('type'), status: 400, code: 'HFT_MISSING_FIELD', field: 'type' },
  'missing price': { body: without('price'), status: 400, code: 'HFT_MISSING_FIELD', field: 'price' },
  'missing quantity': { body: without('quantity'), status: 400, code: 'HFT_MISSING_FIELD', field: 'quantity' },
  'null price': { body: json({ price: null }), status: 400, code: 'HFT_INVALID_FIELD', field: 'price' },
  'empty account': { body: json({ account: '' }), status: 400, code: 'HFT_INVALID_FIELD', field: 'account' },
  'long account': { body: json({ account: 'a'.repeat(33) }), status: 400, code: 'HFT_INVALID_FIELD', field: 'account' },
  'account with a newline': { body: json({ account: 'a\n' }), status: 400, code: 'HFT_INVALID_FIELD', field: 'account' },
  'unknown side': { body: json({ side: 'BUY' }), status: 400, code: 'HFT_INVALID_FIELD', field: 'side' },
  'unknown type': { body: json({ type: 'pegged' }), status: 400, code: 'HFT_INVALID_FIELD', field: 'type' },
  'unknown time in force': { body: json({ timeInForce: 'GTX' }), status: 400, code: 'HFT_INVALID_FIELD', field: 'timeInForce' },
  'market that rests': {
    body: json({ type: 'market', price: undefined, timeInForce: 'GTC' }),
    status: 400,
    code: 'HFT_INVALID_FIELD',
    field: 'timeInForce',
  },
  'market with a price': { body: json({ type: 'market' }), status: 400, code: 'HFT_UNKNOWN_FIELD', field: 'price' },
  'unknown field': { body: json({ qty: '1' }), status: 400, code: 'HFT_UNKNOWN_FIELD', field: 'qty' },
  '__proto__ as a field': {
    body: replaced('{', '{"__proto__":{"price":"1"},'),
    status: 400,
    code: 'HFT_UNKNOWN_FIELD',
    field: '__proto__',
  },
  'empty client order id': { body: json({ clientOrderId: '' }), status: 400, code: 'HFT_INVALID_FIELD', field: 'clientOrderId' },
  'duplicate key': { body: replaced('"price":', '"price":"1","price":'), status: 400, code: 'HFT_DUPLICATE_KEY', field: 'price' },
  'duplicate key, same value': { body: replaced('"side":', '"side":"buy","side":'), status: 400, code: 'HFT_DUPLICATE_KEY', field: 'side' },
  'duplicate key, escaped': {
    body: replaced('"price":', '"pri\\u0063e":"1","price":'),
    status: 400,
    code: 'HFT_DUPLICATE_KEY',
    field: 'price',
  },
  'no JSON': { body: 'symbol=BTC-USD', status: 400, code: 'HFT_BAD_JSON' },
  'cut JSON': { body: JSON.stringify(GOOD).slice(0, -1), status: 400, code: 'HFT_BAD_JSON', field: 'quantity' },
  'two objects': { body: JSON.stringify(GOOD).repeat(2), status: 400, code: 'HFT_BAD_JSON' },
  'not UTF-8': { body: Buffer.from(json({ account: '\u00ff' }), 'latin1'), status: 400, code: 'HFT_BAD_JSON' },
  'empty body': { body: '', status: 400, code: 'HFT_BAD_JSON' },
  'an array': { body: '[]', status: 400, code: 'HFT_INVALID_FIELD' },
  null: { body: 'null', status: 400, code: 'HFT_INVALID_FIELD' },
  'deep nesting': { body: '['.repeat(8000) + ']'.repeat(8000), status: 400, code: 'HFT_BAD_JSON' },
  'wrong content type': { body: JSON.stringify(GOOD), contentType: 'text/plain', status: 415, code: 'HFT_UNSUPPORTED_MEDIA_TYPE' },
  'form content type': {
    body: 'symbol=BTC-USD',
    contentType: 'application/x-www-form-urlencoded',
    status: 415,
    code: 'HFT_UNSUPPORTED_MEDIA_TYPE',
  },
  'nonsense content type': { body: JSON.stringify(GOOD), contentType: ';;', status: 415, code: 'HFT_UNSUPPORTED_MEDIA_TYPE' },
  '10 MB body': { body: json({ account: 'a'.repeat(10 * 1024 * 1024) }), status: 413, code: 'HFT_BODY_TOO_LARGE' },
};

let engine: LocalEngine;
beforeAll(async () => {
  engine = await startLocalEngine({ config: { journal: { durability: 'memory' } } });
});
afterAll(async () => {
  await engine[Symbol.asyncDispose]();
});

async function send(body: string | Buffer, contentType = 'application/json'): Promise<Response> {
  return await fetch(`${engine.baseUrl}/v1/orders`, {
    method: 'POST',
    headers: { ...engine.authorization, 'content-type': contentType },
    body: typeof body === 'string' ? body : new Uint8Array(body),
    signal: AbortSignal.timeout(10_000),
  });
}

describe('bad orders', () => {
  it.each(Object.entries(CASES))('%s', async (_name, { body, contentType, status, code, field }) => {
    const before = await engine.admin.status();
    const answer = await send(body, contentType);
    expect(answer.headers.get('content-type')).toBe('application/problem+json');
    const problem: unknown = await answer.json();
    const { number } = new Problem(code, '');
    expect(problem).toEqual({
      type: `urn:hftengine:problem:${code}`,
      title: expect.stringMatching(/./),
      status,
      detail: expect.stringMatching(/./),
      code,
      ...(number !== undefined && { number }),
      ...(field !== undefined && { field }),
    });
    expect(answer.status).toBe(status);
    const after = await engine.admin.status();
    expect({ sequence: after.sequence, stateHash: after.stateHash }).toEqual({ sequence: before.sequence, stateHash: before.stateHash });
    expect(after.ordersRejected).toBe(before.ordersRejected + 1);
    const good = await send(JSON.stringify(GOOD));
    expect(good.status).toBe(201);
  });

  it('answers 413 to a body without a length, too, and keeps serving', async () => {
    const outgoing = rawRequest(`${engine.baseUrl}/v1/orders`, {
      method: 'POST',
      headers: { ...engine.authorization, 'content-type': 'application/json', 'transfer-encoding': 'chunked' },
    });
    const answered = new Promise<{ status: number | undefined; body: string }>((resolve, reject) => {
      outgoing.on('response', (incoming) => void text(incoming).then((body) => resolve({ status: incoming.statusCode, body }), reject));
      outgoing.on('error', reject);
    });
    outgoing.write(Buffer.alloc(64 * 1024, 0x20));
    const { status, body } = await answered;
    expect(status).toBe(413);
    expect(JSON.parse(body)).toMatchObject({ code: 'HFT_BODY_TOO_LARGE' });
    outgoing.destroy();
    expect((await send(JSON.stringify(GOOD))).status).toBe(201);
  });

  it('reads a 10 MB body to its end when the client insists, so that the client sees the answer', async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, async () => (await send(Buffer.alloc(10 * 1024 * 1024, 0x20))).status));
    expect(answers).toEqual(Array.from({ length: 8 }, () => 413));
  });

  it.each([
    ['no HTTP at all', 'hello\r\n\r\n', 400, 'HFT_BAD_REQUEST'],
    ['headers of 20 kB', `GET /health HTTP/1.1\r\nhost: a\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`, 431, 'HFT_HEADERS_TOO_LARGE'],
    ['two lengths', 'POST /v1/orders HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n{}', 400, 'HFT_BAD_REQUEST'],
  ])('answers what is not HTTP with a problem: %s', async (_name, bytes, status, code) => {
    const socket = connect(engine.running.port, '127.0.0.1');
    socket.setTimeout(5000, () => socket.destroy(new Error('no answer')));
    socket.write(bytes);
    const answer = await text(socket);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(answer).toContain(`"code":"${code}"`);
  });

  it.each([1, 3])('sends the answers of %d good orders before it ends a connection on which nonsense follows', async (orders) => {
    const { sequence } = await engine.admin.status();
    const body = JSON.stringify(GOOD);
    const { authorization } = engine.authorization;
    const order = `POST /v1/orders HTTP/1.1\r\nhost: a\r\nauthorization: ${authorization}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
    const socket = connect(engine.running.port, '127.0.0.1');
    socket.setTimeout(5000, () => socket.destroy(new Error('no end')));
    socket.write(`${order.repeat(orders)}hello\r\n\r\n`);
    const answer = await text(socket);
    expect(answer.match(/HTTP\/1.1 \d+/g)).toEqual(Array.from({ length: orders }, () => 'HTTP/1.1 201'));
    expect([...answer.matchAll(/"sequence":(\d+),"symbol":"[A-Z-]+","account"/g)].map(([, found]) => Number(found))).toEqual(
      Array.from({ length: orders }, (_, index) => sequence + 1 + index),
    );
    expect((await engine.admin.status()).sequence).toBe(sequence + orders);
  });

  it('answers a request that turns into nonsense half-way', async () => {
    const socket = connect(engine.running.port, '127.0.0.1');
    socket.setTimeout(5000, () => socket.destroy(new Error('no answer')));
    socket.write(
      `POST /v1/orders HTTP/1.1\r\nhost: a\r\nauthorization: ${engine.authorization.authorization}\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n1\r\n{\r\nnonsense\r\n`,
    );
    expect(await text(socket)).toMatch(/^HTTP\/1.1 400 /);
  });
});
