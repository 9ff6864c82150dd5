/**
 * Decimal text to whole steps and back: "100.05" with a step of "0.05" is 2001 steps. Exact: plain numbers while fifteen digits hold the
 * value, BigInt beyond.
 */

/** Non-negative decimal: no sign, no exponent, no leading zeros, at most nine digits after the point. */
export const DECIMAL_TEXT = /^(0|[1-9][0-9]{0,14})(\.[0-9]{1,9})?$/;

/** Decimal digits that a double always holds. */
const EXACT_DIGITS = 15;

/** What {@link DecimalStep.parse} gives for text that is no whole number of steps. */
export const OFF_STEP = -1;
/** What {@link DecimalStep.parse} gives for more steps than a safe integer counts. */
export const TOO_LARGE = -2;

/** The step of a price (tick) or of a quantity (lot), written as a decimal. */
export class DecimalStep {
  readonly text: string;
  readonly #scale: number;
  readonly #units: number;

  /** Throws RangeError when `text` is no positive decimal. */
  constructor(text: string) {
    if (!DECIMAL_TEXT.test(text) || !/[1-9]/.test(text)) throw new RangeError(`not a positive decimal: ${text}`);
    this.text = trimDecimal(text);
    const [whole = '', fraction = ''] = this.text.split('.');
    this.#scale = fraction.length;
    this.#units = Number(whole + fraction);
    if (!Number.isSafeInteger(this.#units)) throw new RangeError(`more digits than can be counted exactly: ${text}`);
  }

  /** Steps in `text` (which must match {@link DECIMAL_TEXT}), {@link OFF_STEP} or {@link TOO_LARGE}. */
  parse(text: string): number {
    const point = text.indexOf('.');
    const whole = point < 0 ? text : text.slice(0, point);
    let fraction = point < 0 ? '' : text.slice(point + 1);
    if (fraction.length > this.#scale) {
      for (let index = this.#scale; index < fraction.length; index += 1) if (fraction.charCodeAt(index) !== 48) return OFF_STEP;
      fraction = fraction.slice(0, this.#scale);
    } else {
      fraction = fraction.padEnd(this.#scale, '0');
    }
    const digits = whole + fraction;
    if (digits.length <= EXACT_DIGITS) {
      const value = Number(digits);
      return value % this.#units === 0 ? value / this.#units : OFF_STEP;
    }
    const value = BigInt(digits);
    const units = BigInt(this.#units);
    if (value % units !== 0n) return OFF_STEP;
    const steps = value / units;
    return steps > BigInt(Number.MAX_SAFE_INTEGER) ? TOO_LARGE : Number(steps);
  }

  /** The shortest decimal for `steps` (safe integer or BigInt, not negative). */
  format(steps: number | bigint): string {
    const product = typeof steps === 'number' ? steps * this.#units : 0;
    const digits =
      typeof steps === 'number' && product <= Number.MAX_SAFE_INTEGER ? String(product) : String(BigInt(steps) * BigInt(this.#units));
    if (this.#scale === 0) return digits;
    const padded = digits.padStart(this.#scale + 1, '0');
    return trimDecimal(`${padded.slice(0, -this.#scale)}.${padded.slice(-this.#scale)}`);
  }

  /** The shortest decimal for `products` of one step of this and one of `other` (not negative; rounded down when no integer): a notional. */
  formatProduct(other: DecimalStep, products: number): string {
    const scale = this.#scale + other.#scale;
    const digits = String(BigInt(Math.floor(products)) * BigInt(this.#units) * BigInt(other.#units));
    if (scale === 0) return digits;
    const padded = digits.padStart(scale + 1, '0');
    return trimDecimal(`${padded.slice(0, -scale)}.${padded.slice(-scale)}`);
  }

  /** Whole steps in the decimal `text`, rounded down, however many. */
  floor(text: string): bigint {
    const { digits, scale } = scaled(text);
    const common = Math.max(scale, this.#scale);
    return (digits * 10n ** BigInt(common - scale)) / (BigInt(this.#units) * 10n ** BigInt(common - this.#scale));
  }

  /** Whole products of one step of this and one of `other` in the decimal `text`, rounded down: a notional in ticks × lots. */
  floorProduct(other: DecimalStep, text: string): bigint {
    const { digits, scale } = scaled(text);
    const productScale = this.#scale + other.#scale;
    const common = Math.max(scale, productScale);
    return (digits * 10n ** BigInt(common - scale)) / (BigInt(this.#units) * BigInt(other.#units) * 10n ** BigInt(common - productScale));
  }
}

function scaled(text: string): { digits: bigint; scale: number } {
  const [whole = '', fraction = ''] = text.split('.');
  return { digits: BigInt(whole + fraction), scale: fraction.length };
}

/** Drops zeros that say nothing: "1.50" is "1.5", "2.0" is "2". */
function trimDecimal(text: string): string {
  if (!text.includes('.')) return text;
  let end = text.length;
  while (text.charCodeAt(end - 1) === 48) end -= 1;
  if (text.charCodeAt(end - 1) === 46) end -= 1;
  return text.slice(0, end);
}
