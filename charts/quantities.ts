/**
 * Quantities as the API server writes them back. Stored objects then read like the ones applied, so that a comparison of the two does not
 * take "1024Mi" for a change from "1Gi".
 */
import { parseBytes, parseCpuMillis } from '../crds/quantity.ts';

const BINARY_SUFFIXES = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];
const DECIMAL_SUFFIXES = ['', 'k', 'M', 'G', 'T', 'P', 'E'];

/** `1` -> "1", `0.5` -> "500m". Throws RangeError on text that is no CPU quantity. */
export function canonicalCpu(cpu: string | number): string {
  const millis = parseCpuMillis(cpu);
  return millis % 1000 === 0 ? String(millis / 1000) : `${millis}m`;
}

/** `1024Mi` -> "1Gi", `1000k` -> "1M"; binary stays binary and decimal decimal. Throws RangeError on text that is no quantity of bytes. */
export function canonicalBytes(text: string): string {
  parseBytes(text); // refuses other text
  const binary = text.endsWith('i');
  const suffixes = binary ? BINARY_SUFFIXES : DECIMAL_SUFFIXES;
  const step = binary ? 1024n : 1000n;
  const digits = /^[0-9]+/.exec(text)?.[0] ?? '';
  let value = BigInt(digits);
  let index = suffixes.indexOf(text.slice(digits.length));
  while (index < suffixes.length - 1 && value % step === 0n) {
    value /= step;
    index += 1;
  }
  return `${value}${suffixes[index] ?? ''}`;
}
