/** A token by the keys that an engine has made in its data directory: for tests, proofs and benchmarks on this machine. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROLES } from './roles.ts';
import { signingKeyOf, signToken, type TokenClaims } from './sign.ts';

/** For an hour, every role and every account, unless told otherwise. */
export async function localToken(dataDirectory: string, engine: string, claims: Partial<TokenClaims> = {}): Promise<string> {
  const file = join(dataDirectory, 'keys.json');
  const all = { engine, subject: 'local', roles: ROLES, accounts: 'all', lifetimeMs: 3_600_000 } as const;
  return await signToken(signingKeyOf(readFileSync(file, 'utf8'), file), { ...all, ...claims });
}
