/** Who may do what: one table for all transports. `docs/security.md` shows the same table, a test compares. */

export const ROLES = ['viewer', 'trader', 'risk', 'admin'] as const;
export type Role = (typeof ROLES)[number];

interface ActionRule {
  readonly roles: readonly Role[];
  /** Whether the account that it is about must be one of the principal's. */
  readonly ofAccount: boolean;
  readonly what: string;
}

export const ACTIONS = {
  'market.read': { roles: ['viewer', 'trader', 'risk', 'admin'], ofAccount: false, what: 'read books, trades and instruments' },
  'orders.read': { roles: ['viewer', 'trader', 'risk', 'admin'], ofAccount: true, what: 'read orders, fills, positions and limits' },
  'orders.write': { roles: ['trader'], ofAccount: true, what: 'place and replace orders' },
  'orders.cancel': { roles: ['trader', 'risk'], ofAccount: true, what: 'cancel orders, one or many' },
  'risk.write': { roles: ['risk', 'admin'], ofAccount: true, what: 'turn the kill switch of an account, or of all' },
  'market.control': { roles: ['risk', 'admin'], ofAccount: false, what: 'move an instrument to a trading state' },
  'engine.read': { roles: ['viewer', 'risk', 'admin'], ofAccount: false, what: 'read status, figures and the audit log' },
  'engine.admin': { roles: ['admin'], ofAccount: false, what: 'change the configuration, take snapshots' },
} as const satisfies Record<string, ActionRule>;
export type Action = keyof typeof ACTIONS;
