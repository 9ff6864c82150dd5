/** What a token must say, and the principal that it stands for. */
import { ACCOUNT_TEXT } from '../client/schemas.ts';
import { z } from 'zod';
import { JsonFault, parseStrictJson } from '../config/strict-json.ts';
import { Problem } from '../service/problem.ts';
import type { VerificationKey } from './keys.ts';
import type { Principal } from './principal.ts';
import { ROLES } from './roles.ts';

/** Clocks of issuer and engine may differ by this. */
export const CLOCK_SKEW_MS = 5_000;
const MOST_ACCOUNTS = 1_000;
const LAST_SECOND = 253_402_300_799;

const seconds = (name: string) => z.number(`${name} must be a number of seconds`).min(0).max(LAST_SECOND, `${name} is no time`);

/** Messages name a claim and what it must be, never what was found: an answer must not repeat a token. */
const claimsSchema = z.object({
  sub: z.string('sub is missing').regex(/^[\x21-\x7e]{1,64}$/, 'sub must be 1 to 64 printable ASCII characters without spaces'),
  iss: z.string('iss is missing'),
  aud: z.union([z.string(), z.array(z.string()).min(1).max(16)], 'aud is missing'),
  exp: seconds('exp'),
  nbf: seconds('nbf').optional(),
  iat: seconds('iat').optional(),
  roles: z
    .array(z.enum(ROLES, `roles must be of ${ROLES.join(', ')}`), 'roles must be a list')
    .min(1, 'roles must name one or more')
    .max(ROLES.length, 'roles names one twice'),
  accounts: z.union(
    [z.literal('*'), z.array(z.string().regex(ACCOUNT_TEXT)).max(MOST_ACCOUNTS)],
    'accounts must be a list of account names, or "*" for all',
  ),
});

export function refuse(reason: string): never {
  throw new Problem('HFT_UNAUTHORIZED', `the token is not accepted: ${reason}`);
}

/** An object in the JSON of a token. Throws Problem. */
export function parsePart(bytes: Uint8Array, name: string): unknown {
  try {
    return parseStrictJson(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch (fault) {
    if (fault instanceof JsonFault || fault instanceof TypeError) return refuse(`its ${name} is no JSON`);
    throw fault;
  }
}

/** The principal of claims whose signature is right. Throws Problem. */
export function principalOf(payload: unknown, key: VerificationKey, audience: string, nowMs: number): Principal {
  const parsed = claimsSchema.safeParse(payload);
  if (!parsed.success) return refuse(parsed.error.issues[0]?.message ?? 'its claims are wrong');
  const { sub, iss, aud, exp, nbf, iat, roles, accounts } = parsed.data;
  if (iss !== key.issuer) refuse('its issuer (iss) is not the one of its key');
  if (!(typeof aud === 'string' ? [aud] : aud).includes(audience)) refuse(`it is not for this engine: aud must be ${audience}`);
  if (exp * 1000 + CLOCK_SKEW_MS <= nowMs) refuse('it has expired: get a new one');
  if (nbf !== undefined && nbf * 1000 - CLOCK_SKEW_MS > nowMs) refuse('it is not valid yet (nbf)');
  if (iat !== undefined && iat * 1000 - CLOCK_SKEW_MS > nowMs) refuse('it was issued in the future (iat)');
  return {
    subject: sub,
    roles: [...new Set(roles)],
    accounts: accounts === '*' ? 'all' : new Set(accounts),
    expiresAtMs: exp * 1000,
    keyId: key.id,
  };
}

/** `aud` of the tokens of an engine. */
export function audienceOf(engine: string): string {
  return `hft-engine/${engine}`;
}
