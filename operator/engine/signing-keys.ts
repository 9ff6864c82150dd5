/**
 * The keys that tokens of an engine are signed with, and when one takes the place of another. Pure: the clock and the making of a key are given.
 *
 * A key goes three ways: it is published before it signs, because a kubelet brings a Secret to its pod only about a minute later and an engine refuses
 * what it does not know; it signs for `rotateEvery`; and it stays valid for `overlap` after that. The first of the file is the one that signs. What
 * a key is in (`iat` made, `nbf` signs from, `exp` taken out, in seconds) stands with it in the Secret, so that another operator goes on with it.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { keySetSchema, type Jwk } from '../../crds/keys.ts';

/** The longest that a kubelet takes to bring a changed Secret to a pod, and somewhat more. */
const LONGEST_LEAD_SECONDS = 120;

export interface Rotation {
  readonly rotateEveryMs: number;
  readonly overlapMs: number;
}

export interface KeyPlan {
  /** What the Secret should hold; the first signs. */
  readonly keys: readonly Jwk[];
  /** Whether that is something else than what it holds. */
  readonly changed: boolean;
  readonly nextRotation: Date;
  /** When to look again. */
  readonly nextChange: Date;
}

/** A Secret that somebody has edited holds no keys that can be used. The message says what is wrong, and never what they are. */
export class SigningKeysFault extends Error {
  override readonly name = 'SigningKeysFault';
}

/** `keys` may be empty: the first is made then. Those without a private part are somebody else's and stay as they are. */
export function planKeys(keys: readonly Jwk[], { rotateEveryMs, overlapMs }: Rotation, now: Date, newKey: () => Jwk): KeyPlan {
  const nowSeconds = Math.floor(now.getTime() / 1000);
  const everySeconds = Math.ceil(rotateEveryMs / 1000);
  const leadSeconds = Math.min(LONGEST_LEAD_SECONDS, Math.floor(everySeconds / 4));
  const others = keys.filter((key) => !canSign(key));
  // Those of a person or of an earlier operator count from now.
  const own = keys
    .filter(canSign)
    .filter(({ exp }) => exp === undefined || exp > nowSeconds)
    .map((key): Jwk => (key.nbf === undefined ? { ...key, iat: nowSeconds, nbf: nowSeconds } : key));
  const began = own.filter((key) => startOf(key) <= nowSeconds && key.exp === undefined);
  // The last that began; of several at once, that which stood first.
  let signing = began.reduce<Jwk | undefined>((best, key) => (best === undefined || startOf(key) > startOf(best) ? key : best), undefined);
  const coming = own.filter((key) => startOf(key) > nowSeconds).sort((a, b) => startOf(a) - startOf(b));
  // A clock behind that of the operator which made them: one that is published is known to the engines, a new one is not.
  signing ??= coming.shift();
  if (signing === undefined) {
    signing = { ...newKey(), iat: nowSeconds, nbf: nowSeconds };
    own.unshift(signing);
  }
  const due = startOf(signing) + everySeconds;
  if (coming.length === 0 && due - leadSeconds <= nowSeconds) {
    const next: Jwk = { ...newKey(), iat: nowSeconds, nbf: Math.max(due, nowSeconds + leadSeconds) };
    coming.push(next);
    own.push(next);
  }
  const first = signing;
  const replaced = own
    .filter((key) => key !== first && !coming.includes(key))
    .map((key): Jwk => (key.exp === undefined ? { ...key, exp: nowSeconds + Math.ceil(overlapMs / 1000) } : key));
  const planned = [first, ...replaced, ...coming, ...others];
  const nextRotation = coming[0] === undefined ? due : startOf(coming[0]);
  const changes = [coming[0] === undefined ? due - leadSeconds : nextRotation, ...replaced.map(({ exp = Infinity }) => exp)];
  return {
    keys: planned,
    changed: JSON.stringify(planned) !== JSON.stringify(keys),
    nextRotation: new Date(nextRotation * 1000),
    nextChange: new Date(Math.min(...changes) * 1000),
  };
}

function canSign(key: Jwk): boolean {
  return key.alg === 'HS256' || key.d !== undefined;
}

function startOf({ nbf = 0 }: Jwk): number {
  return nbf;
}

/** Reads the signing keys of a Secret. Throws {@link SigningKeysFault}. */
export function parseSigningKeys(text: string): Jwk[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The reason would quote the text.
    throw new SigningKeysFault('is no valid JSON');
  }
  const parsed = keySetSchema.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new SigningKeysFault(`${pathOf(issue?.path ?? [])}: ${issue?.message ?? 'is not known'}`);
  }
  const { keys } = parsed.data;
  const seen = new Set<string>();
  keys.forEach((key, index) => {
    if (seen.has(key.kid)) throw new SigningKeysFault(`keys[${index}].kid: is there twice`);
    seen.add(key.kid);
    if (!belongsTogether(key)) throw new SigningKeysFault(`keys[${index}]: its private part (d) is not that of its public part`);
  });
  if (!keys.some(canSign)) throw new SigningKeysFault('no key has its private part (d): nobody could sign a token');
  return keys;
}

function pathOf(path: readonly PropertyKey[]): string {
  return path.length === 0
    ? 'keys'
    : path
        .map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`))
        .join('')
        .slice(1);
}

function belongsTogether(key: Jwk): boolean {
  if (key.alg === 'HS256' || key.d === undefined) return true;
  const { kty, crv, x, d } = key;
  const given = key.alg === 'ES256' ? { kty, crv, x, y: key.y } : { kty, crv, x };
  try {
    const made = createPublicKey(createPrivateKey({ key: { ...given, d }, format: 'jwk' })).export({ format: 'jwk' });
    return made.x === x && made.y === (key.alg === 'ES256' ? key.y : undefined);
  } catch {
    return false;
  }
}

/** A new EdDSA key, private part included. */
export function newSigningKey(): Jwk {
  const { x = '', d = '' } = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
  return { kid: randomBytes(8).toString('hex'), alg: 'EdDSA', use: 'sig', kty: 'OKP', crv: 'Ed25519', x, d };
}
