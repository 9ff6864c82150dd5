import { expect, it } from 'vitest';
import { changedKeys, isHot } from './config-changes.ts';
import { engineConfigOf } from './engine-config.ts';
import { specSchema } from './hftengine.ts';

const CONFIG = engineConfigOf('demo', specSchema.parse({ instruments: [{ symbol: 'BTC-USD', tickSize: '0.01', lotSize: '0.0001' }] }));

it('names the keys that differ, those that come and go among them', () => {
  expect(changedKeys(CONFIG, structuredClone(CONFIG))).toEqual([]);
  const changed = {
    ...CONFIG,
    instruments: [],
    risk: { ...CONFIG.risk, maxOpenOrders: 3, volatility: { bandPercent: 5, window: '5m', halt: '1m' } },
    limits: { ...CONFIG.limits, burst: 1 },
  };
  const keys = ['instruments', 'limits.burst', 'risk.maxOpenOrders', 'risk.volatility.bandPercent', 'risk.volatility.halt'];
  expect(changedKeys(CONFIG, changed)).toEqual([...keys, 'risk.volatility.window']);
  expect(changedKeys(changed, CONFIG)).toEqual([...keys, 'risk.volatility.window']);
});

it('takes for hot what the schema marks, and nothing else', () => {
  for (const key of ['risk.killSwitch', 'risk.volatility.window', 'limits.ordersPerSecond', 'observability.logLevel'])
    expect([key, isHot(key)]).toEqual([key, true]);
  for (const key of ['engine', 'instruments', 'journal.durability', 'journal.retention', 'observability.dashboard', 'risky', 'limits', ''])
    expect([key, isHot(key)]).toEqual([key, false]);
});
