/** What every transport asks before it does anything. */
import type { Principal } from './principal.ts';
import type { Action } from './roles.ts';

export interface Gatekeeper {
  /** The principal of a bearer token (without the word Bearer). Throws Problem HFT_UNAUTHORIZED, saying what is wrong with it. */
  authenticate(token: string | undefined): Promise<Principal>;
  /** Whether the key that its token was signed with is still there: connections of one that went are ended. */
  holds(principal: Principal): boolean;
  /**
   * Throws Problem HFT_FORBIDDEN unless the principal may do this; `account` is the one that the action is about, undefined for all of them
   * (which only a principal of all accounts may touch).
   */
  authorize(principal: Principal, action: Action, account?: string): void;
}
