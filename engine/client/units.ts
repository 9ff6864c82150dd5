/** Decimals as people write them, and the ticks and lots that binary protocols count in. */
import { DECIMAL_TEXT, DecimalStep, OFF_STEP, TOO_LARGE } from '../core/decimal.ts';
import { REJECT } from '../core/types.ts';
import { EngineError } from './engine-error.ts';
import type { InstrumentView } from './schemas.ts';

/** The steps of an instrument. */
export class Units {
  readonly symbol: string;
  readonly tick: DecimalStep;
  readonly lot: DecimalStep;

  constructor({ symbol, tickSize, lotSize }: Pick<InstrumentView, 'symbol' | 'tickSize' | 'lotSize'>) {
    this.symbol = symbol;
    this.tick = new DecimalStep(tickSize);
    this.lot = new DecimalStep(lotSize);
  }

  /** Ticks of a price; 0 for one that is not given. Throws EngineError, as the engine would. */
  ticks(field: string, text: string | undefined): number {
    return text === undefined ? 0 : steps(field, text, this.tick, 'HFT_PRICE_OFF_TICK', 'HFT_PRICE_TOO_LARGE', 'ticks');
  }

  /** Lots of a quantity; 0 for one that is not given. Throws EngineError, as the engine would. */
  lots(field: string, text: string | undefined): number {
    return text === undefined ? 0 : steps(field, text, this.lot, 'HFT_QUANTITY_OFF_LOT', 'HFT_QUANTITY_TOO_LARGE', 'lots');
  }
}

/** The shortest form of a decimal, to compare it by. */
export function shortest(text: string): string {
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}

/** RFC 3339 in UTC, to the millisecond. */
export function timeText(micros: number): string {
  return new Date(micros / 1000).toISOString();
}

/** Microseconds since 1970; 0 for a time that is not given. Throws EngineError. */
export function microsOf(text: string | undefined): number {
  if (text === undefined) return 0;
  const ms = Date.parse(text);
  if (Number.isNaN(ms))
    throw fault('HFT_INVALID_FIELD', 400, 'expiresAt', 'must be a time in RFC 3339, for example "2026-12-31T16:00:00Z"');
  return ms * 1000;
}

/** A client order id as binary protocols have it. Throws EngineError. */
export function requireHexId(clientOrderId: string): string {
  if (/^[0-9a-f]{16}$/.test(clientOrderId) && /[1-9a-f]/.test(clientOrderId)) return clientOrderId;
  throw fault('HFT_INVALID_FIELD', 400, 'clientOrderId', 'must be 16 hexadecimal digits in lower case over WebSocket, not all 0');
}

/** What the engine says to an instrument that it does not have. */
export function unknownSymbol(symbol: string): EngineError {
  const number = REJECT.unknownInstrument;
  return new EngineError({ code: 'HFT_UNKNOWN_SYMBOL', status: 422, field: 'symbol', number, message: `${symbol} is not traded there` });
}

function steps(field: string, text: string, step: DecimalStep, offStep: string, tooLarge: string, unit: string): number {
  if (!DECIMAL_TEXT.test(text))
    throw fault(
      'HFT_INVALID_FIELD',
      400,
      field,
      `must be a positive decimal in a string, for example "100.25", found ${JSON.stringify(text)}`,
    );
  if (!/[1-9]/.test(text)) throw fault('HFT_NOT_POSITIVE', 400, field, 'must be greater than zero');
  const count = step.parse(text);
  if (count === OFF_STEP) throw fault(offStep, 422, field, `must be a whole number of ${unit} of ${step.text}, found "${text}"`);
  if (count === TOO_LARGE) throw fault(tooLarge, 422, field, `must be from 1 to ${Number.MAX_SAFE_INTEGER} ${unit} of ${step.text}`);
  return count;
}

function fault(code: string, status: number, field: string, message: string): EngineError {
  return new EngineError({ code, status, field, message: `${field} ${message}` });
}
