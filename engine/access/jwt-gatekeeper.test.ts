import { describe, expect, it } from 'vitest';
import { Problem } from '../service/problem.ts';
import { authorizeRole } from './authorize.ts';
import { JwtGatekeeper } from './jwt-gatekeeper.ts';
import { keySetOf, parseJwks } from './keys.ts';
import { goodClaims, malformedTokens, rawToken, testKeys } from './malformed-tokens.test-support.ts';
import type { Principal } from './principal.ts';
import { ACTIONS, ROLES, type Action, type Role } from './roles.ts';
import { newKeyFile, signingKeyOf, signToken } from './sign.ts';

const ENGINE = 'demo';
const keys = testKeys();
const all = keySetOf(Object.values(keys), 'test');
const gatekeeperOf = (more: { nowMs?: () => number; mostKnown?: number } = {}): JwtGatekeeper =>
  new JwtGatekeeper({ audience: `hft-engine/${ENGINE}`, keys: all, ...more });
const header = (key: { alg: string; kid: string }) => ({ alg: key.alg, kid: key.kid });

describe('authenticate', () => {
  it.each(Object.values(keys))('takes a token of $alg', async (key) => {
    const token = await signToken(key, { engine: ENGINE, subject: 'alice', roles: ['trader'], accounts: ['a', 'b'], lifetimeMs: 60_000 });
    const principal = await gatekeeperOf().authenticate(token);
    expect(principal).toMatchObject({ subject: 'alice', roles: ['trader'], accounts: new Set(['a', 'b']), keyId: key.kid });
    expect(principal.expiresAtMs).toBeGreaterThan(Date.now() + 50_000);
  });

  it('takes a list of audiences, and clocks that differ a little', async () => {
    const now = Math.floor(Date.now() / 1000);
    const claims = { ...goodClaims(ENGINE), aud: ['other', `hft-engine/${ENGINE}`], exp: now - 2, nbf: now + 2, iat: now + 2 };
    expect(await gatekeeperOf().authenticate(rawToken(keys.ed, header(keys.ed), claims))).toMatchObject({ accounts: 'all' });
  });

  const malformed = malformedTokens(keys, ENGINE);
  it(`refuses each of ${malformed.length} malformed tokens with one code, says why, and repeats nothing of it`, async () => {
    expect(malformed.length).toBeGreaterThan(400);
    const gatekeeper = gatekeeperOf();
    const taken: string[] = [];
    for (const { name, token } of malformed) {
      const problem = await gatekeeper.authenticate(token).then(
        () => undefined,
        (cause: unknown) => cause,
      );
      if (!(problem instanceof Problem)) {
        taken.push(`${name}: ${String(problem)}`);
        continue;
      }
      expect([name, problem.code]).toEqual([name, 'HFT_UNAUTHORIZED']);
      expect(problem.message.length).toBeGreaterThan(20);
      for (const part of token.split('.')) if (part.length > 8) expect(problem.message).not.toContain(part.slice(0, 8));
    }
    expect(taken).toEqual([]);
    expect(gatekeeper.figures.knownTokens).toBe(0);
    for (const token of [undefined, '']) await expect(gatekeeper.authenticate(token)).rejects.toMatchObject({ code: 'HFT_UNAUTHORIZED' });
  });

  it('knows a token until it ends', async () => {
    const now = { ms: Date.now() };
    const gatekeeper = gatekeeperOf({ nowMs: () => now.ms });
    const token = rawToken(keys.hs, header(keys.hs), goodClaims(ENGINE));
    expect(gatekeeper.known(token)).toBeUndefined();
    const principal = await gatekeeper.authenticate(token);
    expect(gatekeeper.known(token)).toBe(principal);
    expect(await gatekeeper.authenticate(token)).toBe(principal);
    now.ms = principal.expiresAtMs + 5_000;
    expect(gatekeeper.known(token)).toBeUndefined();
    await expect(gatekeeper.authenticate(token)).rejects.toThrow('expired');
    expect(gatekeeper.figures.knownTokens).toBe(0);
  });

  it('knows a bounded number of tokens', async () => {
    const gatekeeper = gatekeeperOf({ mostKnown: 3 });
    const tokens = [0, 1, 2, 3].map((n) => rawToken(keys.hs, header(keys.hs), { ...goodClaims(ENGINE), n }));
    for (const token of tokens) await gatekeeper.authenticate(token);
    expect(tokens.map((token) => gatekeeper.known(token) !== undefined)).toEqual([false, true, true, true]);
  });
});

describe('keys that change', () => {
  const token = rawToken(keys.ed, header(keys.ed), goodClaims(ENGINE));

  it('forgets the tokens of a key that goes and knows those of one that stays', async () => {
    const gatekeeper = gatekeeperOf();
    const other = rawToken(keys.hs, header(keys.hs), goodClaims(ENGINE));
    const principal = await gatekeeper.authenticate(token);
    await gatekeeper.authenticate(other);
    gatekeeper.setKeys(keySetOf([keys.ed, testKeys('new-').es], 'test'));
    expect(gatekeeper.known(token)).toBe(principal);
    expect(gatekeeper.known(other)).toBeUndefined();
    await expect(gatekeeper.authenticate(other)).rejects.toThrow('a key that this engine does not know');
  });

  it('says of a principal whether its key is still there', async () => {
    const gatekeeper = gatekeeperOf({ mostKnown: 1 });
    const principal = await gatekeeper.authenticate(token);
    const other = await gatekeeper.authenticate(rawToken(keys.hs, header(keys.hs), goodClaims(ENGINE)));
    expect([gatekeeper.holds(principal), gatekeeper.holds(other), gatekeeper.holds({ ...principal })]).toEqual([true, true, false]);
    gatekeeper.setKeys(keySetOf([keys.ed], 'test'));
    expect([gatekeeper.holds(principal), gatekeeper.holds(other)]).toEqual([true, false]);
    gatekeeper.setKeys(keySetOf([{ ...testKeys().ed, kid: keys.ed.kid }], 'test'));
    expect(gatekeeper.holds(principal)).toBe(false);
  });

  it('another key, issuer or algorithm under the same name is another key', async () => {
    const gatekeeper = gatekeeperOf();
    await gatekeeper.authenticate(token);
    gatekeeper.setKeys(keySetOf([{ ...testKeys().ed, kid: keys.ed.kid }], 'test'));
    expect(gatekeeper.known(token)).toBeUndefined();
    await expect(gatekeeper.authenticate(token)).rejects.toThrow('its signature is wrong');
    gatekeeper.setKeys(keySetOf([{ ...keys.ed, iss: 'https://issuer.example' }], 'test'));
    await expect(gatekeeper.authenticate(token)).rejects.toThrow('issuer');
    expect(
      await gatekeeper.authenticate(rawToken(keys.ed, header(keys.ed), { ...goodClaims(ENGINE), iss: 'https://issuer.example' })),
    ).toMatchObject({ subject: 'mallory' });
  });

  it('refuses a token whose key goes while its signature is checked', async () => {
    const gatekeeper = gatekeeperOf();
    const answer = gatekeeper.authenticate(token);
    gatekeeper.setKeys(keySetOf([keys.hs], 'test'));
    await expect(answer).rejects.toThrow('does not know');
    expect(gatekeeper.figures).toEqual({ keys: 1, knownTokens: 0 });
  });
});

describe('the key file', () => {
  const { ed, es, hs } = keys;
  it.each([
    ['', 'F: is no valid JSON'],
    ['{"keys": [{"k": "secret', 'F: is no valid JSON'],
    ['{}', 'F: keys: missing'],
    ['{"keys": []}', 'F: keys: must hold a key'],
    ['{"keys": [], "keys": []}', 'F: keys occurs more than once'],
    ['{"keys": [{}]}', 'F: keys[0].alg: missing, must be EdDSA, ES256 or HS256: correct it'],
    [{ ...ed, alg: 'RS256' }, 'F: keys[0].alg: must be EdDSA, ES256 or HS256'],
    [{ ...ed, alg: 'HS256' }, 'F: keys[0].kty: must be oct with alg HS256'],
    [{ ...es, alg: 'EdDSA' }, 'F: keys[0].kty: must be OKP with alg EdDSA'],
    [{ ...es, crv: 'P-384' }, 'F: keys[0].crv: must be P-256 with alg ES256'],
    [{ ...ed, kid: undefined }, 'F: keys[0].kid: missing'],
    [{ ...ed, kid: 'a b' }, 'F: keys[0].kid: must be 1 to 64 letters'],
    [{ ...ed, use: 'enc' }, 'F: keys[0].use: must be sig'],
    [{ ...ed, x: 'AAAA' }, 'F: keys[0].x: must be 32 bytes in base64url'],
    [{ ...hs, k: Buffer.alloc(31).toString('base64url') }, 'F: keys[0].k: must be 32 bytes or more'],
    [{ ...es, x: 'A'.repeat(43) }, 'F: keys[0]: is no public key of P-256'],
  ])('%j is refused', (value, message) => {
    const text = typeof value === 'string' ? value : JSON.stringify({ keys: [value] });
    expect(() => keySetOf(parseJwks(text, 'F'), 'F')).toThrow(message);
    expect(() => keySetOf(parseJwks(text, 'F'), 'F')).not.toThrow(/secret/);
  });

  it('names each key once', () => {
    expect(() => parseJwks(JSON.stringify({ keys: [ed, es, { ...hs, kid: ed.kid }] }), 'F')).toThrow('keys[2].kid: "ed" is there twice');
  });

  it('passes over what it does not know, as JWKS asks', () => {
    expect(keySetOf(parseJwks(JSON.stringify({ keys: [{ ...ed, key_ops: ['verify'], x5t: 'y' }], extra: 1 }), 'F'), 'F').size).toBe(1);
  });

  it('can be made anew, and signs', async () => {
    const text = newKeyFile();
    const token = await signToken(signingKeyOf(text, 'F'), {
      engine: ENGINE,
      subject: 's',
      roles: ['admin'],
      accounts: 'all',
      lifetimeMs: 1000,
    });
    const gatekeeper = new JwtGatekeeper({ audience: `hft-engine/${ENGINE}`, keys: keySetOf(parseJwks(text, 'F'), 'F') });
    expect(await gatekeeper.authenticate(token)).toMatchObject({ subject: 's', accounts: 'all' });
    const { d: _, ...publicPart } = ed as { d?: string };
    expect(() => signingKeyOf(JSON.stringify({ keys: [publicPart] }), 'F')).toThrow('private part');
  });
});

describe('authorize', () => {
  const gatekeeper = gatekeeperOf();
  const principal = (role: Role, accounts: Principal['accounts']): Principal => ({
    subject: 's',
    roles: [role],
    accounts,
    expiresAtMs: Infinity,
    keyId: 'k',
  });
  const may = (...args: Parameters<typeof gatekeeper.authorize>): boolean => {
    try {
      gatekeeper.authorize(...args);
      return true;
    } catch (problem) {
      expect(problem).toMatchObject({ code: 'HFT_FORBIDDEN', status: 403 });
      return false;
    }
  };

  it.each(Object.keys(ACTIONS) as Action[])('%s is for its roles and accounts', (action) => {
    const { roles, ofAccount } = ACTIONS[action];
    const allowed: readonly Role[] = roles;
    for (const role of ROLES) {
      const right = allowed.includes(role);
      for (const account of [undefined, 'a', 'b']) {
        expect([role, account, may(principal(role, 'all'), action, account)]).toEqual([role, account, right]);
        expect([role, account, may(principal(role, new Set(['a'])), action, account)]).toEqual([
          role,
          account,
          right && (!ofAccount || account === 'a'),
        ]);
        expect([role, account, may(principal(role, new Set()), action, account)]).toEqual([role, account, right && !ofAccount]);
      }
    }
  });

  it('of several roles one is enough, before the account is known too', () => {
    const both: Principal = { ...principal('viewer', new Set()), roles: ['viewer', 'trader'] };
    expect(may({ ...both, accounts: 'all' }, 'orders.write', 'a')).toBe(true);
    expect(() => authorizeRole(both, 'orders.write')).not.toThrow();
    expect(() => authorizeRole(both, 'engine.admin')).toThrow('one of the roles admin');
  });
});
