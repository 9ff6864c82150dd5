import { describe, expect, it } from 'vitest';
import type { Jwk } from '../../crds/keys.ts';
import { newSigningKey, parseSigningKeys, planKeys, SigningKeysFault } from './signing-keys.ts';

const T0 = Date.parse('2026-01-01T00:00:00Z');
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAILY = { rotateEveryMs: 24 * HOUR, overlapMs: 10 * MINUTE };

/** Keys with the names k1, k2, ... in the order in which they are made. */
function maker(): () => Jwk {
  let made = 0;
  return () => ({ kid: `k${(made += 1)}`, alg: 'EdDSA', kty: 'OKP', crv: 'Ed25519', x: 'x', d: 'd' });
}

/** `k1 k2+60 k3-600`: in their order; + and - the seconds until a key signs, and until it is taken out. */
function shown(keys: readonly Jwk[], nowMs: number): string {
  const now = nowMs / SECOND;
  return keys
    .map(({ kid, nbf = 0, exp }) => kid + (nbf > now ? `+${nbf - now}` : '') + (exp === undefined ? '' : `-${exp - now}`))
    .join(' ');
}

describe('planKeys', () => {
  it('over two days: published ahead, signs, overlaps, goes', () => {
    const newKey = maker();
    let keys: readonly Jwk[] = [];
    const seen: [hours: string, keys: string][] = [];
    // As the operator does: at each time that the plan names, and nowhere else.
    for (let nowMs = T0; nowMs < T0 + 49 * HOUR;) {
      const planned = planKeys(keys, DAILY, new Date(nowMs), newKey);
      expect(planKeys(planned.keys, DAILY, new Date(nowMs), newKey), 'planned once').toMatchObject({ changed: false });
      expect(planned.nextChange.getTime()).toBeGreaterThan(nowMs);
      keys = planned.keys;
      seen.push([new Date(nowMs).toISOString().slice(8, 19), shown(keys, nowMs)]);
      nowMs = planned.nextChange.getTime();
    }
    expect(seen).toEqual([
      ['01T00:00:00', 'k1'],
      ['01T23:58:00', 'k1 k2+120'],
      ['02T00:00:00', 'k2 k1-600'],
      ['02T00:10:00', 'k2'],
      ['02T23:58:00', 'k2 k3+120'],
      ['03T00:00:00', 'k3 k2-600'],
      ['03T00:10:00', 'k3'],
    ]);
  });

  const at = (kid: string, more: Partial<Jwk> = {}): Jwk => ({ ...maker()(), kid, ...more }) as Jwk;
  const s = T0 / SECOND;
  it.each([
    ['of an earlier operator, or of a person: it counts from now', [at('a')], DAILY, 'a', true, 24 * HOUR],
    ['nothing to do', [at('a', { iat: s - 60, nbf: s - 60 })], DAILY, 'a', false, 24 * HOUR - MINUTE],
    [
      'overdue: the next one is published all the same before it signs',
      [at('a', { nbf: s - 90_000 })],
      DAILY,
      'a k1+120',
      true,
      2 * MINUTE,
    ],
    [
      'late for the change itself: the overlap begins now',
      [at('a', { nbf: s - 99_999 }), at('b', { nbf: s - 9 })],
      DAILY,
      'b a-600',
      true,
      24 * HOUR - 9 * SECOND,
    ],
    [
      'two over',
      [at('b', { nbf: s - 10 }), at('a', { nbf: s - 99, exp: s }), at('c', { nbf: s - 98, exp: s + 1 })],
      DAILY,
      'b c-1',
      true,
      24 * HOUR - 10 * SECOND,
    ],
    ['all over', [at('a', { nbf: s - 99, exp: s - 1 })], DAILY, 'k1', true, 24 * HOUR],
    [
      'without a private part: somebody else’s, left as it is',
      [at('theirs', { d: undefined }), at('a', { nbf: s - 1 })],
      DAILY,
      'a theirs',
      true,
      24 * HOUR - SECOND,
    ],
    [
      'a shorter period comes into force with the key that signs',
      [at('a', { nbf: s - 3600 })],
      { rotateEveryMs: HOUR, overlapMs: MINUTE },
      'a k1+120',
      true,
      2 * MINUTE,
    ],
    ['the shortest period', [at('a', { nbf: s - 8 })], { rotateEveryMs: 10 * SECOND, overlapMs: SECOND }, 'a k1+2', true, 2 * SECOND],
    [
      'a clock behind: a key that is published goes on signing, no new one',
      [at('b', { nbf: s + 60 }), at('a', { nbf: s - 9, exp: s + 600 })],
      DAILY,
      'b+60 a-600',
      false,
      24 * HOUR + MINUTE,
    ],
    [
      'a clock behind all of them: that which began first',
      [at('c', { nbf: s + 90 }), at('b', { nbf: s + 60 })],
      DAILY,
      'b+60 c+90',
      true,
      90 * SECOND,
    ],
    ['two that were put in together: the first signs', [at('a'), at('b')], DAILY, 'a b-600', true, 24 * HOUR],
  ] as const)('%s', (_what, keys, rotation, expected, changed, nextRotationMs) => {
    const planned = planKeys(keys, rotation, new Date(T0), maker());
    expect(shown(planned.keys, T0)).toBe(expected);
    expect(planned.changed).toBe(changed);
    expect(planned.nextRotation.getTime() - T0).toBe(nextRotationMs);
  });
});

describe('parseSigningKeys', () => {
  const text = (...keys: object[]): string => JSON.stringify({ keys });
  it('reads what it makes', () => {
    const key = newSigningKey();
    expect(parseSigningKeys(text(key))).toEqual([key]);
  });

  it('has no time that makes no date: such a key counts from now', () => {
    const keys = parseSigningKeys(text({ ...newSigningKey(), iat: 9e15, nbf: 9e15, exp: 9e15 }));
    const planned = planKeys(keys, DAILY, new Date(T0), maker());
    expect(planned).toMatchObject({ changed: true, nextRotation: new Date(T0 + 24 * HOUR) });
  });

  const good = newSigningKey() as Extract<Jwk, { alg: 'EdDSA' }>;
  const other = newSigningKey() as Extract<Jwk, { alg: 'EdDSA' }>;
  it.each([
    ['{"keys": [', 'is no valid JSON'],
    ['[]', 'keys: '],
    [text(), 'keys: must hold a key'],
    [text({ ...good, kid: 'a b' }), 'keys[0].kid: must be 1 to 64 letters'],
    [text({ ...good, alg: 'RS256' }), 'keys[0].alg: must be EdDSA, ES256 or HS256'],
    [text({ ...good, d: good.d?.slice(1) }), 'keys[0].d: must be 32 bytes'],
    [text({ ...good, d: other.d }), 'keys[0]: its private part (d) is not that of its public part'],
    [text(good, good), 'keys[1].kid: is there twice'],
    [text({ ...good, d: undefined }), 'no key has its private part'],
  ])('%#: refused, and why', (edited, message) => {
    let fault: unknown;
    try {
      parseSigningKeys(edited);
    } catch (cause) {
      fault = cause;
    }
    expect(fault).toBeInstanceOf(SigningKeysFault);
    expect(String(fault)).toContain(message);
    expect(String(fault)).not.toContain(good.d);
    expect(String(fault)).not.toContain(other.d);
  });
});
