import { expect, it } from 'vitest';
import { z } from 'zod';
import { HttpCaller } from './http.ts';
import { authorizationOf } from './token.ts';

const shut = (): string => {
  throw new Error('the vault is shut');
};

it.each([
  ['abc', 'Bearer abc'],
  [() => 'abc', 'Bearer abc'],
])('%s is sent as %s', (token, sent) => {
  expect(authorizationOf(token)).toBe(sent);
});

it.each([shut, 'a\nb', () => 'ä'])('%#: what is no token is refused before anything is sent', async (token) => {
  const http = new HttpCaller({ baseUrl: 'http://127.0.0.1:1', timeoutMs: 1000, token, connections: 1 });
  const call = http.json({ method: 'POST', path: '/v1/orders', body: {}, schema: z.unknown() });
  await expect(call).rejects.toMatchObject({ name: 'EngineError', code: 'HFT_UNAUTHORIZED', inDoubt: false });
  await http.close();
});
