/** Who may do what: one table for all transports. `docs/security.md` shows the same table, a test compares. */

export const ROLES = ['viewer', 'trader', 'risk', 'admin'] as const;
export type Role = (typeof ROLES)[number];

interface ActionRule {
  readonly roles: readonly Role[];
  /** Whether the account that it is about must be one of the principal's. What is about no account in particular needs a principal of all of them. */
  readonly ofAccount: boolean;
  readonly what: string;
}

export const ACTIONS = {
  'market.read': { roles: ['viewer', 'trader', 'risk', 'admin'], ofAccount: false, what: 'read books, trades, fills and instruments' },
  'orders.read': { roles: ['viewer', 'trader', 'risk', 'admin'], ofAccount: true, what: 'read orders, positions and limits' },
  'orders.write': { roles: ['trader'], ofAccount: true, what: 'place and replace orders' },
  'orders.cancel': { roles: ['trader', 'risk'], ofAccount: true, what: 'cancel orders, one or many' },
  'risk.write': { roles: ['risk', 'admin'], ofAccount: true, what: 'turn the kill switch of an account, or of all' },
  // A halt stops everybody, and a close cancels the DAY orders of every account.
  'market.control': { roles: ['risk', 'admin'], ofAccount: true, what: 'move an instrument to a trading state' },
  'engine.read': { roles: ['viewer', 'risk', 'admin'], ofAccount: false, what: 'read status and figures' },
  'audit.read': { roles: ['risk', 'admin'], ofAccount: true, what: 'read the audit log' },
  'engine.admin': { roles: ['admin'], ofAccount: true, what: 'change the configuration, take snapshots' },
} as const satisfies Record<string, ActionRule>;
export type Action = keyof typeof ACTIONS;
