import { expect, it } from 'vitest';
import { boundedAddress, FailedTokens } from './addresses.ts';

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
