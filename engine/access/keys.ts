/**
 * The keys that tokens are signed with: a file in JWKS form (RFC 7517), `{"keys": [...]}`. Each key names its algorithm, and a token that is signed with
 * it must use just that one. Private members are for whoever signs; verification never looks at them.
 */
import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';
import { z } from 'zod';
import { ConfigError } from '../config/config.ts';
import { fieldPath, JsonFault, parseStrictJson, valueAt } from '../config/strict-json.ts';

/** Issuer of the tokens of a key that names none. */
export const DEFAULT_ISSUER = 'hftengine';
const MOST_KEYS = 32;
/** Shorter secrets are guessed (RFC 7518, 3.2). */
const HS256_BYTES = 32;

const number = (bytes: number, what: string) =>
  z
    .string()
    .regex(/^[A-Za-z0-9_-]+$/, 'must be base64url')
    .refine((text) => Buffer.from(text, 'base64url').length === bytes, `must be ${bytes} bytes in base64url: ${what}`);

const common = {
  kid: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,64}$/, 'must be 1 to 64 letters, digits, dots, underscores and dashes: tokens name their key by it'),
  use: z.literal('sig', 'must be sig, or absent').optional(),
  iss: z.string().min(1).max(256).optional(),
};

const keySchema = z.discriminatedUnion(
  'alg',
  [
    z.object({
      ...common,
      alg: z.literal('EdDSA'),
      kty: z.literal('OKP', 'must be OKP with alg EdDSA'),
      crv: z.literal('Ed25519', 'must be Ed25519 with alg EdDSA'),
      x: number(32, 'the public key'),
      d: number(32, 'the private key').optional(),
    }),
    z.object({
      ...common,
      alg: z.literal('ES256'),
      kty: z.literal('EC', 'must be EC with alg ES256'),
      crv: z.literal('P-256', 'must be P-256 with alg ES256'),
      x: number(32, 'a coordinate'),
      y: number(32, 'a coordinate'),
      d: number(32, 'the private key').optional(),
    }),
    z.object({
      ...common,
      alg: z.literal('HS256'),
      kty: z.literal('oct', 'must be oct with alg HS256'),
      k: z
        .string()
        .regex(/^[A-Za-z0-9_-]+$/, 'must be base64url')
        .refine((text) => Buffer.from(text, 'base64url').length >= HS256_BYTES, `must be ${HS256_BYTES} bytes or more in base64url`),
    }),
  ],
  'must be EdDSA, ES256 or HS256',
);
/** As it stands in the file, with its private part where there is one. */
export type Jwk = z.output<typeof keySchema>;

const keySetSchema = z.object({
  keys: z.array(keySchema).min(1, 'must hold a key').max(MOST_KEYS, `must hold at most ${MOST_KEYS} keys: remove those that are over`),
});

export interface VerificationKey {
  readonly id: string;
  readonly algorithm: Jwk['alg'];
  readonly issuer: string;
  readonly key: KeyObject;
  /** Equal for two keys exactly when they verify the same tokens. */
  readonly identity: string;
}

/** By `kid`. */
export type KeySet = ReadonlyMap<string, VerificationKey>;

/** Reads the text of a key file; `file` is for the messages. Throws ConfigError with a line for each fault; no message holds key material. */
export function parseJwks(text: string, file: string): Jwk[] {
  let value: unknown;
  try {
    value = parseStrictJson(text);
  } catch (fault) {
    if (!(fault instanceof JsonFault)) throw fault;
    // The reason of a syntax error quotes the text, which may be a secret.
    const reason = fault.kind === 'syntax' ? 'is no valid JSON' : fault.message;
    throw new ConfigError(`${file}: ${reason}${fault.field === undefined ? '' : ` at ${fault.field}`}: it must hold {"keys": [...]}`);
  }
  const parsed = keySetSchema.safeParse(value);
  if (!parsed.success) {
    throw new ConfigError(
      parsed.error.issues
        .map(({ path, message }) => {
          const missing = valueAt(value, path) === undefined ? 'missing, ' : '';
          return `${file}: ${fieldPath(path) ?? '(the whole file)'}: ${missing}${message.replace(/^Invalid input: /, '')}: correct it`;
        })
        .join('\n'),
    );
  }
  const seen = new Set<string>();
  parsed.data.keys.forEach(({ kid }, index) => {
    if (seen.has(kid)) throw new ConfigError(`${file}: keys[${index}].kid: "${kid}" is there twice: give each key a name of its own`);
    seen.add(kid);
  });
  return parsed.data.keys;
}

/** Throws ConfigError for what has the form of a key and is none. */
export function keySetOf(jwks: readonly Jwk[], file: string): KeySet {
  return new Map(
    jwks.map((jwk, index) => {
      const issuer = jwk.iss ?? DEFAULT_ISSUER;
      const material = jwk.alg === 'HS256' ? jwk.k : jwk.alg === 'ES256' ? `${jwk.x}.${jwk.y}` : jwk.x;
      const identity = [jwk.kid, jwk.alg, issuer, material].join('\n');
      return [jwk.kid, { id: jwk.kid, algorithm: jwk.alg, issuer, key: keyOf(jwk, `${file}: keys[${index}]`), identity }];
    }),
  );
}

function keyOf(jwk: Jwk, at: string): KeyObject {
  if (jwk.alg === 'HS256') return createSecretKey(Buffer.from(jwk.k, 'base64url'));
  const { kty, crv, x } = jwk;
  try {
    return createPublicKey({ key: jwk.alg === 'ES256' ? { kty, crv, x, y: jwk.y } : { kty, crv, x }, format: 'jwk' });
  } catch {
    throw new ConfigError(`${at}: is no public key of ${crv}: make a new one`);
  }
}
