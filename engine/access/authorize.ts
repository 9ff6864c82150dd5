/** The table of roles.ts, asked. */
import { Problem } from '../service/problem.ts';
import type { Principal } from './principal.ts';
import { ACTIONS, type Action, type Role } from './roles.ts';

/** Throws Problem HFT_FORBIDDEN unless one of the principal's roles may do this for some account: what can be said before a request is read. */
export function authorizeRole(principal: Principal, action: Action): void {
  const allowed: readonly Role[] = ACTIONS[action].roles;
  for (const role of principal.roles) if (allowed.includes(role)) return;
  throw new Problem('HFT_FORBIDDEN', `to ${ACTIONS[action].what} a token needs one of the roles ${allowed.join(', ')}`);
}

/** As Gatekeeper.authorize. */
export function authorize(principal: Principal, action: Action, account?: string): void {
  authorizeRole(principal, action);
  if (!ACTIONS[action].ofAccount || principal.accounts === 'all') return;
  if (account === undefined)
    throw new Problem(
      'HFT_FORBIDDEN',
      'this is about all accounts, and the token is not for all of them: name an account where this takes one',
    );
  // The account is not named: of an order that was asked for by its id it is another's.
  if (!principal.accounts.has(account)) throw new Problem('HFT_FORBIDDEN', 'the token is not for this account');
}
