import { describe, expect, it } from 'vitest';
import { instrumentOf, newInstruments, refuseListing, rulesOf } from './instruments.ts';

const BTC = { symbol: 'BTC-USD', tickSize: '0.01', lotSize: '0.0001' };
const ETH = { symbol: 'ETH-USD', tickSize: '0.01', lotSize: '0.001' };
const stored = [
  { id: 0, ...BTC },
  { id: 1, ...ETH },
];

describe('refuseListing', () => {
  it('lets instruments be added, reordered, written otherwise, and removed when nothing rests', () => {
    expect(
      refuseListing({ instruments: [{ ...ETH, tickSize: '0.010' }, { ...BTC, symbol: 'SOL-USD' }, BTC] }, stored, () => 3),
    ).toBeUndefined();
    expect(refuseListing({ instruments: [ETH] }, stored, ({ symbol }) => (symbol === 'BTC-USD' ? 0 : 9))).toBeUndefined();
  });

  it('keeps one with open orders and says how to go on', () => {
    expect(refuseListing({ instruments: [BTC] }, stored, () => 1)).toEqual({
      code: 'HFT_INSTRUMENT_HAS_OPEN_ORDERS',
      message: 'instruments: ETH-USD is not listed but has 1 open order: keep it listed until they are cancelled or filled',
    });
  });

  it.each([
    [{ tickSize: '0.1' }, 'tickSize of BTC-USD is 0.1 but its orders are recorded in steps of 0.01'],
    [{ lotSize: '1' }, 'lotSize of BTC-USD is 1'],
  ])('keeps the steps that orders are counted in: %j', (change, message) => {
    expect(refuseListing({ instruments: [{ ...BTC, ...change }, ETH] }, stored, () => 0)).toMatchObject({
      code: 'HFT_INSTRUMENT_STEP_CHANGED',
      message: expect.stringContaining(message),
    });
  });
});

it('new instruments follow on in the order of the configuration', () => {
  expect(
    newInstruments({ instruments: [{ ...BTC, symbol: 'A' }, ETH, { ...BTC, symbol: 'B' }] }, stored).map(({ id, symbol }) => [id, symbol]),
  ).toEqual([
    [2, 'A'],
    [3, 'B'],
  ]);
});

it('risk limits are counted in the steps of each instrument, rounded down', () => {
  const risk = { maxOrderQty: '1.00019', maxNotional: '0.0000019', killSwitch: false };
  expect(rulesOf(instrumentOf({ id: 0, ...BTC }, { instruments: [BTC] }), risk)).toEqual({
    tradable: true,
    maxOrderLots: 10_001,
    maxNotional: 1n,
    priceBandPercent: 0,
    maxPositionLots: Infinity,
    maxOpenNotional: Infinity,
  });
  const limited = { ...risk, maxPosition: '2.00019', maxOpenNotional: '0.0000029' };
  expect(rulesOf(instrumentOf({ id: 0, ...BTC }, { instruments: [BTC] }), limited)).toMatchObject({
    maxPositionLots: 20_001,
    maxOpenNotional: 2,
  });
  expect(
    rulesOf(instrumentOf({ id: 0, ...BTC, lotSize: '0.000000001' }, { instruments: [] }), {
      ...risk,
      maxOrderQty: '999999999999999',
      priceBandPercent: 5,
    }),
  ).toMatchObject({ tradable: false, maxOrderLots: Number.MAX_SAFE_INTEGER, priceBandPercent: 5 });
});
