/**
 * The three textual number formats of the resource: Kubernetes quantities, durations and decimals.
 * The patterns are shared by zod (here) and by the CRD's OpenAPI schema (generated), so both refuse the same text.
 */

/** Kubernetes memory or storage quantity: plain bytes or a binary/decimal suffix, no exponent, no fraction. */
export const BYTES_PATTERN = /^[1-9][0-9]{0,14}(Ki|Mi|Gi|Ti|k|M|G|T)?$/;
/** CPU quantity: whole or fractional CPUs (`2`, `0.5`) or millicores (`500m`). */
export const CPU_PATTERN = /^([0-9]{1,3}(\.[0-9]{1,3})?|[1-9][0-9]{0,5}m)$/;
/**
 * One to four of hours, minutes, seconds, milliseconds, as Go and CEL write them: `24h`, `1h30m`, `500ms`. Hours have at most five digits
 * because Go and CEL count nanoseconds in 64 bits and fail beyond 292 years.
 */
export const DURATION_PATTERN = /^([1-9][0-9]{0,4}h|[1-9][0-9]{0,6}(m|s|ms)){1,4}$/;
/** Non-negative decimal with at most nine digits after the point and no leading zeros, no exponent, no sign. */
export const DECIMAL_PATTERN = /^(0|[1-9][0-9]{0,14})(\.[0-9]{1,9})?$/;

const BYTES_FACTORS: Readonly<Record<string, number>> = {
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
};

/** Bytes of a quantity such as `1Gi`, exact below 2⁵³ (8Pi). Throws RangeError on text that {@link BYTES_PATTERN} refuses. */
export function parseBytes(text: string): number {
  const match = /^([0-9]+)([A-Za-z]*)$/.exec(text);
  const factor = BYTES_FACTORS[match?.[2] ?? ''];
  if (!BYTES_PATTERN.test(text) || match === null || factor === undefined) throw new RangeError(`not a quantity: ${text}`);
  return Number(match[1]) * factor;
}

/** Millicores of a CPU quantity: `1` and `"1"` give 1000, `0.5` gives 500. Throws RangeError on other text. */
export function parseCpuMillis(quantity: string | number): number {
  const text = String(quantity);
  if (!CPU_PATTERN.test(text)) throw new RangeError(`not a CPU quantity: ${text}`);
  return text.endsWith('m') ? Number(text.slice(0, -1)) : Math.round(Number(text) * 1000);
}

const DURATION_UNITS_MS: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 };

/** Milliseconds of a duration such as `1h30m`. Throws RangeError on text that {@link DURATION_PATTERN} refuses. */
export function parseDurationMs(text: string): number {
  if (!DURATION_PATTERN.test(text)) throw new RangeError(`not a duration: ${text}`);
  let totalMs = 0;
  for (const [, count, unit] of text.matchAll(/([0-9]+)(ms|h|m|s)/g)) totalMs += Number(count) * (DURATION_UNITS_MS[unit ?? ''] ?? 0);
  return totalMs;
}

/** A decimal such as `0.01` in units of 10⁻⁹, exact. Throws RangeError on text that {@link DECIMAL_PATTERN} refuses. */
export function parseDecimalNanos(text: string): bigint {
  if (!DECIMAL_PATTERN.test(text)) throw new RangeError(`not a decimal: ${text}`);
  const [whole = '0', fraction = ''] = text.split('.');
  return BigInt(whole) * 1_000_000_000n + BigInt(fraction.padEnd(9, '0'));
}
