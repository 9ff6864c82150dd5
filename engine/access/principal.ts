/** Who sends a request, as its token says. */
import type { Role } from './roles.ts';

export interface Principal {
  /** `sub` of the token. */
  readonly subject: string;
  readonly roles: readonly Role[];
  /** The accounts it may act for and see. */
  readonly accounts: ReadonlySet<string> | 'all';
  /** When the token ends: connections that live longer are closed then. */
  readonly expiresAtMs: number;
  /** `kid` of the key that signed it. */
  readonly keyId: string;
}
