/** Tokens that must be refused, made systematically: form, header, algorithm and key, claims, time, tampering. For every transport's tests. */
import { createHmac, createPrivateKey, generateKeyPairSync, sign as signBytes } from 'node:crypto';
import { audienceOf } from './claims.ts';
import { DEFAULT_ISSUER, keySetOf, type Jwk } from './keys.ts';

export interface TestKeys {
  readonly ed: Jwk;
  readonly es: Jwk;
  readonly hs: Jwk;
}

/** One key of each algorithm, private parts included. */
export function testKeys(prefix = ''): TestKeys {
  const ed = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
  const es = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' });
  const text = (value: string | undefined): string => value ?? '';
  return {
    ed: { kid: `${prefix}ed`, alg: 'EdDSA', kty: 'OKP', crv: 'Ed25519', x: text(ed.x), d: text(ed.d) },
    es: { kid: `${prefix}es`, alg: 'ES256', kty: 'EC', crv: 'P-256', x: text(es.x), y: text(es.y), d: text(es.d) },
    hs: {
      kid: `${prefix}hs`,
      alg: 'HS256',
      kty: 'oct',
      k: Buffer.from(`${prefix}a secret of thirty-two bytes or more`).toString('base64url'),
    },
  };
}

const base64 = (value: unknown): string =>
  Buffer.from(typeof value === 'string' || value instanceof Uint8Array ? value : JSON.stringify(value)).toString('base64url');

function signature(key: Jwk, input: string): Buffer {
  if (key.alg === 'HS256') return createHmac('sha256', Buffer.from(key.k, 'base64url')).update(input).digest();
  const privateKey = createPrivateKey({ key, format: 'jwk' });
  return key.alg === 'EdDSA'
    ? signBytes(null, Buffer.from(input), privateKey)
    : signBytes('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' });
}

/** A token of any header and payload (text stands as it is), rightly signed. */
export function rawToken(key: Jwk, header: unknown, payload: unknown): string {
  const input = `${base64(header)}.${base64(payload)}`;
  return `${input}.${signature(key, input).toString('base64url')}`;
}

export function goodClaims(engine: string): Record<string, unknown> {
  const now = Math.floor(Date.now() / 1000);
  return { sub: 'mallory', iss: DEFAULT_ISSUER, aud: audienceOf(engine), iat: now, exp: now + 3600, roles: ['trader'], accounts: '*' };
}

const headerOf = (key: Jwk) => ({ alg: key.alg, kid: key.kid, typ: 'JWT' });

/** `engine` is the name of the engine that knows `keys`. Only the last few hold characters that no HTTP header may hold. */
export function malformedTokens(keys: TestKeys, engine: string): { name: string; token: string }[] {
  return [
    ...ofForm(keys, engine),
    ...ofHeader(keys, engine),
    ...ofAlgorithm(keys, engine),
    ...ofClaims(keys, engine),
    ...tampered(keys, engine),
    ...outsideHeaders(keys, engine),
  ];
}

type Case = { name: string; token: string };

function ofForm({ ed, hs }: TestKeys, engine: string): Case[] {
  const good = rawToken(ed, headerOf(ed), goodClaims(engine));
  const [header = '', payload = '', sealed = ''] = good.split('.');
  const forms: Record<string, string> = {
    'one dot': '.',
    'two dots': '..',
    'no dots': header,
    'two parts': `${header}.${payload}`,
    'no signature': `${header}.${payload}.`,
    'no payload': `${header}..${sealed}`,
    'no header': `.${payload}.${sealed}`,
    'four parts': `${good}.${sealed}`,
    'five parts, as encrypted tokens have': `${header}.${payload}.${sealed}.${sealed}.${sealed}`,
    'a dot in front': `.${good}`,
    'a dot behind': `${good}.`,
    'parts in another order': `${payload}.${header}.${sealed}`,
    'padded with =': `${header}=.${payload}.${sealed}==`,
    'letters of base64 instead of base64url': `${header}.${payload}.${sealed.slice(0, -2)}+/`,
    quoted: `"${good}"`,
    'with Bearer twice': `Bearer ${good}`,
    'two tokens': `${good},${good}`,
    'text that is no token': 'not-a-token',
    'an admin token': base64('0123456789abcdef0123456789abcdef'),
    'longer than any': rawToken(ed, headerOf(ed), { ...goodClaims(engine), more: 'x'.repeat(4000) }),
    'much longer than any': `${header}.${'A'.repeat(8000)}.${sealed}`,
    'a signature of zeros': `${header}.${payload}.${base64(Buffer.alloc(64))}`,
    'a signature of one byte': `${header}.${payload}.AA`,
    'a signature too long': `${header}.${payload}.${base64(Buffer.concat([Buffer.from(sealed, 'base64url'), Buffer.alloc(1)]))}`,
    'the signature of another token': `${header}.${payload}.${rawToken(ed, headerOf(ed), {}).split('.')[2]}`,
    'the signature of another key': `${header}.${payload}.${signature(hs, `${header}.${payload}`).toString('base64url')}`,
    'the signature of a key of the same kind': `${header}.${payload}.${signature(testKeys().ed, `${header}.${payload}`).toString('base64url')}`,
  };
  // The last letter of a part carries bits that base64url does not use: other letters decode alike.
  for (const letter of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz')
    if (!sealed.endsWith(letter)) forms[`a last letter ${letter}`] = `${good.slice(0, -1)}${letter}`;
  return Object.entries(forms).map(([name, token]) => ({ name, token }));
}

function ofHeader({ ed }: TestKeys, engine: string): Case[] {
  const header = headerOf(ed);
  const headers: Record<string, unknown> = {
    'no JSON': '{"alg":"EdDSA"',
    'an empty object': {},
    'an array': [header],
    null: 'null',
    'a string': '"EdDSA"',
    'a key twice': `{"alg":"EdDSA","kid":"${ed.kid}","alg":"EdDSA"}`,
    'nested deeply': `{"alg":"EdDSA","kid":"${ed.kid}","x":${'['.repeat(100)}${']'.repeat(100)}}`,
    'no kid': { alg: 'EdDSA' },
    'kid null': { ...header, kid: null },
    'kid a number': { ...header, kid: 1 },
    'kid an array': { ...header, kid: [ed.kid] },
    'kid empty': { ...header, kid: '' },
    'kid unknown': { ...header, kid: 'unknown' },
    'kid a path': { ...header, kid: '../../../dev/null' },
    'kid __proto__': { ...header, kid: '__proto__' },
    'kid in capitals': { ...header, kid: ed.kid.toUpperCase() },
    'kid with a space': { ...header, kid: `${ed.kid} ` },
    'a key of its own': { ...header, kid: 'mine', jwk: { kty: 'OKP', crv: 'Ed25519', x: 'AAAA' } },
    'an address of keys': { ...header, kid: 'mine', jku: 'https://keys.example/jwks' },
    'a certificate': { ...header, kid: 'mine', x5c: ['AAAA'] },
    'crit empty': { ...header, crit: [] },
    'crit unknown': { ...header, crit: ['exp'] },
    'crit b64': { ...header, crit: ['b64'], b64: false },
    'b64 false': { ...header, b64: false },
    'typ of another kind': { ...header, typ: 'dpop+jwt' },
    'typ a number': { ...header, typ: 1 },
    encrypted: { alg: 'dir', enc: 'A256GCM', kid: ed.kid },
  };
  return Object.entries(headers).map(([name, value]) => ({ name: `header: ${name}`, token: rawToken(ed, value, goodClaims(engine)) }));
}

const ALGORITHMS = [
  'none',
  'None',
  'NONE',
  'nOnE',
  '',
  'HS256',
  'HS384',
  'HS512',
  'RS256',
  'PS256',
  'ES256',
  'ES384',
  'EdDSA',
  'Ed25519',
  'eddsa',
];

/** Every algorithm with every key that is not for it: unsigned, signed by the key all the same, and sealed with what is public of it. */
function ofAlgorithm(keys: TestKeys, engine: string): Case[] {
  const cases: Case[] = [];
  for (const key of [keys.ed, keys.es, keys.hs]) {
    const { key: publicKey } = keySetOf([key], 'test').get(key.kid) ?? {};
    const publicParts =
      key.alg === 'HS256' || publicKey === undefined
        ? []
        : [
            Buffer.from(key.x, 'base64url'),
            Buffer.from(key.x),
            publicKey.export({ format: 'pem', type: 'spki' }),
            JSON.stringify({ ...key, d: undefined }),
          ];
    for (const algorithm of ALGORITHMS.filter((one) => one !== key.alg)) {
      const input = `${base64({ alg: algorithm, kid: key.kid })}.${base64(goodClaims(engine))}`;
      const at = `alg "${algorithm}" with the key of ${key.alg}`;
      cases.push({ name: `${at}, unsigned`, token: `${input}.` });
      cases.push({ name: `${at}, signed`, token: `${input}.${signature(key, input).toString('base64url')}` });
      if (algorithm !== 'HS256') continue;
      publicParts.forEach((secret, index) =>
        cases.push({
          name: `${at}, by its public part ${index}`,
          token: `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`,
        }),
      );
    }
    for (const [name, alg] of [
      ['null', null],
      ['a number', 1],
      ['an array', [key.alg]],
      ['missing', undefined],
    ] as const)
      cases.push({ name: `alg ${name} with the key of ${key.alg}`, token: rawToken(key, { alg, kid: key.kid }, goodClaims(engine)) });
  }
  return cases;
}

function ofClaims({ ed, es, hs }: TestKeys, engine: string): Case[] {
  const good = goodClaims(engine);
  const now = Math.floor(Date.now() / 1000);
  const wrong: [string, unknown][] = [];
  for (const claim of ['sub', 'iss', 'aud', 'exp', 'roles', 'accounts'])
    for (const value of [undefined, null, true, {}, '', [null], [[]]])
      wrong.push([`${claim} ${JSON.stringify(value)}`, { ...good, [claim]: value }]);
  const change = (name: string, claims: object): void => void wrong.push([name, { ...good, ...claims }]);
  for (const sub of [7, 'two words', 'x'.repeat(65), 'líne', 'a\nb']) change(`sub ${JSON.stringify(sub)}`, { sub });
  for (const iss of ['hftengin', 'HFTENGINE', 'hftengine/', ['hftengine']]) change(`iss ${JSON.stringify(iss)}`, { iss });
  for (const aud of ['hft-engine', `hft-engine/${engine}x`, `hft-engine/${engine.toUpperCase()}`, '*', [], ['other'], [7]])
    change(`aud ${JSON.stringify(aud)}`, { aud });
  change('expired a day ago', { exp: now - 86_400 });
  change('expired beyond the skew of clocks', { exp: now - 10 });
  for (const exp of [0, -1, '9999999999', 1e300, 253_402_300_800]) change(`exp ${exp}`, { exp });
  change('not valid for a minute', { nbf: now + 60 });
  change('issued in a minute', { iat: now + 60 });
  for (const claim of ['nbf', 'iat'])
    for (const value of ['0', null, -1, {}]) change(`${claim} ${JSON.stringify(value)}`, { [claim]: value });
  for (const roles of [
    'trader',
    [],
    ['root'],
    ['trader', 'root'],
    ['Trader'],
    [1],
    ['trader', 'trader', 'trader', 'trader', 'trader'],
    { 0: 'trader' },
  ])
    change(`roles ${JSON.stringify(roles)}`, { roles });
  for (const accounts of ['**', 'alice', ['two words'], [''], [1], ['*'], 7, ['x'.repeat(33)]])
    change(`accounts ${JSON.stringify(accounts)}`, { accounts });
  for (const text of [
    '',
    '{',
    '[]',
    'null',
    '7',
    '"x"',
    'NaN',
    `${JSON.stringify(good).slice(0, -1)},"sub":"root"}`,
    `\ufeff${JSON.stringify(good)}`,
  ])
    wrong.push([`payload ${JSON.stringify(text.slice(-20))}`, text]);
  wrong.push(['payload not UTF-8', Buffer.concat([Buffer.from(JSON.stringify(good).slice(0, -1)), Buffer.from(',"x":"\xff"}', 'latin1')])]);
  return [
    ...wrong.map(([name, payload]) => ({ name: `claims: ${name}`, token: rawToken(ed, headerOf(ed), payload) })),
    ...[es, hs].map((key) => ({ name: `expired, ${key.alg}`, token: rawToken(key, headerOf(key), { ...good, exp: now - 60 }) })),
  ];
}

/** Each tenth letter changed, each tenth left out, and cut short. */
function tampered({ ed, es, hs }: TestKeys, engine: string): Case[] {
  return [ed, es, hs].flatMap((key) => {
    const good = rawToken(key, headerOf(key), goodClaims(engine));
    const cases: Case[] = [];
    for (let at = 0; at < good.length; at += 10) {
      const letter = good[at] === 'A' ? 'B' : 'A';
      cases.push({ name: `${key.alg}: letter ${at} changed`, token: `${good.slice(0, at)}${letter}${good.slice(at + 1)}` });
      cases.push({ name: `${key.alg}: letter ${at} left out`, token: `${good.slice(0, at)}${good.slice(at + 1)}` });
      if (at > 0) cases.push({ name: `${key.alg}: cut after ${at}`, token: good.slice(0, at) });
    }
    return cases;
  });
}

function outsideHeaders({ ed }: TestKeys, engine: string): Case[] {
  const good = rawToken(ed, headerOf(ed), goodClaims(engine));
  return ['\0', '\n', '\r\n', '\u2028', '\ud800'].map((text) => ({ name: `${JSON.stringify(text)} behind it`, token: `${good}${text}` }));
}
