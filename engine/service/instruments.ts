/** The instruments of an engine: those of the configuration over those that the journal has counted orders in. */
import type { EngineConfig } from '../../crds/engine-config.ts';
import { parseDurationMs } from '../../crds/quantity.ts';
import { DecimalStep } from '../core/decimal.ts';
import { SET_VOLATILITY, type AccountRules, type InstrumentRules, type SetVolatility } from '../core/types.ts';
import type { InstrumentRecord } from '../journal/types.ts';

export interface Instrument {
  /** Index in the core; never reused. */
  readonly id: number;
  readonly symbol: string;
  readonly tick: DecimalStep;
  readonly lot: DecimalStep;
  /** false for one that the journal knows and the configuration no longer lists. */
  readonly listed: boolean;
}

export type ListingRefusal = {
  readonly code: 'HFT_INSTRUMENT_HAS_OPEN_ORDERS' | 'HFT_INSTRUMENT_STEP_CHANGED';
  readonly message: string;
};

/**
 * Why an engine whose journal holds `stored` may not run under `config`, or undefined when it may. `openOrders` counts the resting orders of a
 * stored instrument. The same function refuses at start and answers `POST /admin/config/check`.
 */
export function refuseListing(
  config: Pick<EngineConfig, 'instruments'>,
  stored: readonly InstrumentRecord[],
  openOrders: (instrument: InstrumentRecord) => number,
): ListingRefusal | undefined {
  const wanted = new Map(config.instruments.map((instrument) => [instrument.symbol, instrument]));
  for (const record of stored) {
    const instrument = wanted.get(record.symbol);
    const open = openOrders(record);
    if (instrument === undefined) {
      if (open === 0) continue;
      return {
        code: 'HFT_INSTRUMENT_HAS_OPEN_ORDERS',
        message: `instruments: ${record.symbol} is not listed but has ${open} open order${open === 1 ? '' : 's'}: keep it listed until they are cancelled or filled`,
      };
    }
    for (const step of ['tickSize', 'lotSize'] as const) {
      if (new DecimalStep(instrument[step]).text === new DecimalStep(record[step]).text) continue;
      return {
        code: 'HFT_INSTRUMENT_STEP_CHANGED',
        message: `instruments: ${step} of ${record.symbol} is ${instrument[step]} but its orders are recorded in steps of ${record[step]}: set it back to "${record[step]}", or list a new symbol`,
      };
    }
  }
  return undefined;
}

/** The configured instruments that the journal does not know yet, with ids that follow on. */
export function newInstruments(config: Pick<EngineConfig, 'instruments'>, stored: readonly InstrumentRecord[]): InstrumentRecord[] {
  const known = new Set(stored.map(({ symbol }) => symbol));
  return config.instruments
    .filter(({ symbol }) => !known.has(symbol))
    .map(({ symbol, tickSize, lotSize }, index) => ({ id: stored.length + index, symbol, tickSize, lotSize }));
}

export function instrumentOf(record: InstrumentRecord, config: Pick<EngineConfig, 'instruments'>): Instrument {
  return {
    id: record.id,
    symbol: record.symbol,
    tick: new DecimalStep(record.tickSize),
    lot: new DecimalStep(record.lotSize),
    listed: config.instruments.some(({ symbol }) => symbol === record.symbol),
  };
}

/** The configured risk limits in the units of `instrument`. */
export function rulesOf(instrument: Instrument, risk: EngineConfig['risk']): InstrumentRules {
  const { lot, tick } = instrument;
  return {
    tradable: instrument.listed,
    maxOrderLots: countable(lot.floor(risk.maxOrderQty)),
    maxNotional: tick.floorProduct(lot, risk.maxNotional),
    priceBandPercent: risk.priceBandPercent ?? 0,
    maxPositionLots: risk.maxPosition === undefined ? Infinity : countable(lot.floor(risk.maxPosition)),
    maxOpenNotional: risk.maxOpenNotional === undefined ? Infinity : Number(tick.floorProduct(lot, risk.maxOpenNotional)),
  };
}

export function accountRulesOf(risk: EngineConfig['risk']): AccountRules {
  return { maxOpenOrders: risk.maxOpenOrders ?? Infinity };
}

/** When trading in `instrument` interrupts itself, as the command that says so. */
export function volatilityOf(instrument: number, { volatility }: EngineConfig['risk']): SetVolatility {
  const micros = (duration: string | undefined): number => (duration === undefined ? 0 : parseDurationMs(duration) * 1000);
  return {
    kind: SET_VOLATILITY,
    instrument,
    bandPercent: volatility?.bandPercent ?? 0,
    windowMicros: micros(volatility?.window),
    haltMicros: micros(volatility?.halt),
    auctionMicros: micros(volatility?.auction),
  };
}

function countable(lots: bigint): number {
  return lots > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(lots);
}
