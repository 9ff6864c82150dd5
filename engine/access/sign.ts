/** Making keys, and tokens signed by them: for the first start, `npm run token`, and tests. The engine itself signs nothing. */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { SignJWT } from 'jose';
import { ConfigError } from '../config/config.ts';
import { audienceOf } from './claims.ts';
import { DEFAULT_ISSUER, parseJwks, type Jwk } from './keys.ts';
import type { Role } from './roles.ts';

/** Text of a key file with one new EdDSA key, private part included. */
export function newKeyFile(): string {
  const { x, d } = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
  const key = { kid: randomBytes(8).toString('hex'), alg: 'EdDSA', use: 'sig', kty: 'OKP', crv: 'Ed25519', x, d };
  return `${JSON.stringify({ keys: [key] }, null, 2)}\n`;
}

/** The first key of a key file that can sign. Throws ConfigError. */
export function signingKeyOf(text: string, file: string): Jwk {
  const key = parseJwks(text, file).find((jwk) => jwk.alg === 'HS256' || jwk.d !== undefined);
  if (key === undefined) throw new ConfigError(`${file}: no key has its private part (d): give the file of whoever makes tokens`);
  return key;
}

export interface TokenClaims {
  /** Name of the engine that it is for. */
  readonly engine: string;
  readonly subject: string;
  readonly roles: readonly Role[];
  readonly accounts: readonly string[] | 'all';
  /** Milliseconds from now. */
  readonly lifetimeMs: number;
}

export async function signToken(key: Jwk, { engine, subject, roles, accounts, lifetimeMs }: TokenClaims): Promise<string> {
  const nowSeconds = Math.floor(Date.now() / 1000);
  return await new SignJWT({ roles: [...roles], accounts: accounts === 'all' ? '*' : [...accounts] })
    .setProtectedHeader({ alg: key.alg, kid: key.kid, typ: 'JWT' })
    .setSubject(subject)
    .setIssuer(key.iss ?? DEFAULT_ISSUER)
    .setAudience(audienceOf(engine))
    .setIssuedAt(nowSeconds)
    .setExpirationTime(nowSeconds + Math.ceil(lifetimeMs / 1000))
    .sign(key);
}
