/** Steps of a history as text that can be pasted into a test. */
import type { Step } from '../core/random-commands.ts';
import type { Command } from '../core/types.ts';

/** Names of the codes in `types.ts`, by the field that holds them. */
const NAMES: Readonly<Record<string, readonly string[]>> = {
  kind: ['', 'NEW_ORDER', 'CANCEL_ORDER', 'REPLACE_ORDER', 'MASS_CANCEL', 'SET_STATE', 'SET_VOLATILITY', 'KILL_SWITCH', 'ADVANCE_TIME'],
  side: ['BUY', 'SELL'],
  type: ['LIMIT', 'MARKET', 'STOP', 'STOP_LIMIT'],
  timeInForce: ['GTC', 'IOC', 'FOK', 'GTD', 'DAY'],
  selfTrade: ['ALLOW', 'CANCEL_NEWEST', 'CANCEL_OLDEST', 'CANCEL_BOTH', 'DECREMENT'],
  state: ['TRADING', 'PRE_OPEN', 'AUCTION', 'HALTED', 'CLOSED'],
};
/** Left out when they are 0 or false. */
const OPTIONAL = new Set([
  'stopTicks',
  'displayLots',
  'expiryMicros',
  'postOnly',
  'selfTrade',
  'session',
  'clientIdLow',
  'clientIdHigh',
  'expectedLots',
]);

export function describeStep(step: Step): string {
  if ('command' in step) return `at ${step.timestampMicros}: ${describeCommand(step.command)}`;
  if ('rules' in step) return `rules of ${step.instrument}: ${fields(Object.entries(step.rules))}`;
  return `rules of accounts: ${fields(Object.entries(step.accountRules))}`;
}

function describeCommand(command: Command): string {
  return fields(Object.entries(command).filter(([field, value]) => !(OPTIONAL.has(field) && (value === 0 || value === false))));
}

function fields(entries: readonly (readonly [string, unknown])[]): string {
  return `{ ${entries.map(([field, value]) => `${field}: ${NAMES[field]?.[Number(value)] ?? textOf(value)}`).join(', ')} }`;
}

function textOf(value: unknown): string {
  if (typeof value === 'bigint') return `${value}n`;
  return Object.is(value, -0) ? '-0' : String(value);
}
