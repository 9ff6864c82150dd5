/**
 * Bearer tokens as principals. A token that was verified once is known until it ends or its key goes: then it costs a look-up in a Map. The key is
 * chosen by `kid` and says the algorithm, so a token cannot choose how it is checked.
 */
import { compactVerify, errors } from 'jose';
import { z } from 'zod';
import { Problem } from '../service/problem.ts';
import { authorize } from './authorize.ts';
import { CLOCK_SKEW_MS, parsePart, principalOf, refuse } from './claims.ts';
import type { Gatekeeper } from './gatekeeper.ts';
import type { KeySet, VerificationKey } from './keys.ts';
import type { Principal } from './principal.ts';
import type { Action } from './roles.ts';

/** Some eighty accounts. */
const LONGEST_TOKEN = 4096;
const MOST_KNOWN = 5_000;

interface Known {
  readonly principal: Principal;
  readonly key: VerificationKey;
}

const headerSchema = z.object({
  alg: z.string('alg is missing in its header'),
  kid: z.string('kid is missing in its header'),
  typ: z
    .string('typ in its header must be JWT')
    .regex(/^(application\/)?(at\+)?jwt$/i, 'typ in its header must be JWT')
    .optional(),
  crit: z.undefined('crit in its header names an extension, and none is known here').optional(),
  b64: z.undefined('b64 in its header is an extension, and none is known here').optional(),
});

export class JwtGatekeeper implements Gatekeeper {
  readonly #audience: string;
  readonly #nowMs: () => number;
  readonly #mostKnown: number;
  #keys: KeySet;
  #known = new Map<string, Known>();
  /** Principals outlive what is known of their tokens, by their connections. */
  readonly #keyOfPrincipal = new WeakMap<Principal, VerificationKey>();

  /** `audience`: what tokens must name in `aud`. */
  constructor(options: { audience: string; keys: KeySet; nowMs?: () => number; mostKnown?: number }) {
    this.#audience = options.audience;
    this.#keys = options.keys;
    this.#nowMs = options.nowMs ?? Date.now;
    this.#mostKnown = options.mostKnown ?? MOST_KNOWN;
  }

  /** Keys that are there now, and tokens that are known: for the figures. */
  get figures(): { keys: number; knownTokens: number } {
    return { keys: this.#keys.size, knownTokens: this.#known.size };
  }

  /** Replaces the keys. Tokens of keys that stay go on being known, those of the others are refused from now on. */
  setKeys(keys: KeySet): void {
    const kept = new Map(
      [...keys].map(([id, key]) => [id, this.#keys.get(id)?.identity === key.identity ? (this.#keys.get(id) ?? key) : key]),
    );
    this.#keys = kept;
    this.#known = new Map([...this.#known].filter(([, { key }]) => kept.get(key.id) === key));
  }

  /** The principal of a token that was verified before and still holds. */
  known(token: string): Principal | undefined {
    const known = this.#known.get(token);
    if (known === undefined) return undefined;
    if (this.#nowMs() < known.principal.expiresAtMs + CLOCK_SKEW_MS) return known.principal;
    this.#known.delete(token);
    return undefined;
  }

  async authenticate(token: string | undefined): Promise<Principal> {
    if (token === undefined || token === '') throw new Problem('HFT_UNAUTHORIZED', 'send authorization: Bearer with a token');
    const known = this.known(token);
    if (known !== undefined) return known;
    const key = this.#keyOf(token);
    const payload = await verify(token, key);
    // The keys may have changed while the signature was being checked.
    if (this.#keys.get(key.id) !== key) unknownKey();
    const principal = principalOf(parsePart(payload, 'payload'), key, this.#audience, this.#nowMs());
    this.#keyOfPrincipal.set(principal, key);
    const [oldest] = this.#known.keys();
    if (this.#known.size >= this.#mostKnown && oldest !== undefined) this.#known.delete(oldest);
    this.#known.set(token, { principal, key });
    return principal;
  }

  holds(principal: Principal): boolean {
    const key = this.#keyOfPrincipal.get(principal);
    return key !== undefined && this.#keys.get(key.id) === key;
  }

  authorize(principal: Principal, action: Action, account?: string): void {
    authorize(principal, action, account);
  }

  /** The key that the header names, when the token has the form of one and the key's algorithm. */
  #keyOf(token: string): VerificationKey {
    if (token.length > LONGEST_TOKEN) refuse(`it is longer than ${LONGEST_TOKEN} characters`);
    const parts = token.split('.');
    if (parts.length !== 3) refuse('it must be three parts in base64url, joined by dots');
    // Text that decodes alike would be another token of the same signature.
    for (const part of parts)
      if (part === '' || Buffer.from(part, 'base64url').toString('base64url') !== part)
        refuse('it must be three parts in base64url, joined by dots');
    const header = headerSchema.safeParse(parsePart(Buffer.from(parts[0] ?? '', 'base64url'), 'header'));
    if (!header.success) return refuse(header.error.issues[0]?.message ?? 'its header is wrong');
    const key = this.#keys.get(header.data.kid);
    if (key === undefined) return unknownKey();
    if (header.data.alg !== key.algorithm) refuse('its alg is not the one of its key');
    return key;
  }
}

function unknownKey(): never {
  return refuse('it is signed by a key that this engine does not know (any more): get a new one');
}

async function verify(token: string, { key, algorithm }: VerificationKey): Promise<Uint8Array> {
  try {
    const { payload } = await compactVerify(token, key, { algorithms: [algorithm] });
    return payload;
  } catch (cause) {
    if (cause instanceof errors.JWSSignatureVerificationFailed) return refuse('its signature is wrong');
    if (cause instanceof errors.JOSEError) return refuse('it is no signed token');
    throw cause;
  }
}
