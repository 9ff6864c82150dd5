import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { boundedAddress, ConnectionBound, FailedTokens } from './addresses.ts';

it.each([
  ['10.0.0.1', '10.0.0.1'],
  ['::ffff:10.0.0.1', '10.0.0.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
  ['2001:db8:1:2::6', '2001:db8:1:2'],
  ['2001:db8::6', '2001:db8:0:0'],
  ['::1', '0:0:0:0'],
  [undefined, ''],
])('bounds %s as %s', (address, bounded) => {
  expect(boundedAddress(address)).toBe(bounded);
});

it('looks at no token of an address that has sent too many bad ones, and at those of others', () => {
  const tokens = new FailedTokens({ perSecond: 1, burst: 2 });
  for (let n = 0; n < 2; n += 1) {
    tokens.require('10.0.0.1');
    tokens.failed('10.0.0.1');
  }
  expect(() => tokens.require('10.0.0.1')).toThrow(expect.objectContaining({ code: 'HFT_TOKEN_RATE_LIMIT', status: 429 }));
  expect(tokens.refused).toBe(1);
  tokens.require('10.0.0.2');
});

it('ends a connection that is one too many, and takes another when one has gone', async () => {
  const server = createServer((socket) => {
    if (!socket.destroyed) socket.on('error', () => undefined).write('x');
  });
  const bound = new ConnectionBound(() => 1);
  bound.watch(server);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const open = () => connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1' }).on('error', () => undefined);
  const first = open();
  await once(first, 'data');
  const second = open();
  await once(second, 'close');
  expect(bound.refused).toBe(1);
  const gone = new Promise<void>((resolve) => void server.getConnections((_fault, count) => void (count === 1 && resolve())));
  await gone;
  first.destroy();
  await expect.poll(async () => await new Promise((resolve) => server.getConnections((_fault, count) => resolve(count)))).toBe(0);
  const third = open();
  await once(third, 'data');
  third.destroy();
  server.close();
});
