/** Kubernetes quantities, so that `1000m` and `1`, or `1024Mi` and `1Gi`, are seen to be equal: the API server rewrites them. */

const PATTERN = /^([+-]?)(\d*)(?:\.(\d*))?(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|[eE][+-]?\d{1,3})?$/;
const DECIMAL_EXPONENT: Readonly<Record<string, number>> = { n: -9, u: -6, m: -3, '': 0, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 };
const BINARY_POWER: Readonly<Record<string, number>> = { Ki: 10, Mi: 20, Gi: 30, Ti: 40, Pi: 50, Ei: 60 };

/** A form in which equal quantities are equal strings (an exact fraction in lowest terms); undefined when it is not a quantity. */
export function normaliseQuantity(value: string | number): string | undefined {
  const match = PATTERN.exec(String(value));
  if (!match) return undefined;
  const [, sign, whole = '', fraction = '', suffix = ''] = match;
  if (whole === '' && fraction === '') return undefined;
  let numerator = BigInt(`${whole}${fraction}`);
  let exponent = -fraction.length;
  const power = BINARY_POWER[suffix];
  if (power !== undefined) numerator *= 1n << BigInt(power);
  else exponent += DECIMAL_EXPONENT[suffix] ?? Number(suffix.slice(1));
  if (numerator === 0n) return '0';
  while (numerator % 10n === 0n) {
    numerator /= 10n;
    exponent += 1;
  }
  return `${sign === '-' ? '-' : ''}${numerator}e${exponent}`;
}

export function sameQuantity(a: string | number, b: string | number): boolean {
  const left = normaliseQuantity(a);
  return left !== undefined && left === normaliseQuantity(b);
}
