/**
 * The keys that tokens are signed with: a file in JWKS form (RFC 7517), `{"keys": [...]}`. Each key names its algorithm, and a token that is signed with
 * it must use just that one. Private members are for whoever signs; verification never looks at them.
 */
import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';
import { keySetSchema, type Jwk } from '../../crds/keys.ts';
import { ConfigError } from '../config/config.ts';
import { fieldPath, JsonFault, parseStrictJson, valueAt } from '../config/strict-json.ts';

export type { Jwk };

/** Issuer of the tokens of a key that names none. */
export const DEFAULT_ISSUER = 'hftengine';
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
