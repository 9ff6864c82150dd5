/** The textual numbers of the resource as zod schemas, each with its CEL rule and one message for people. */
import { z } from 'zod';
import { BYTES_PATTERN, CPU_PATTERN, DECIMAL_PATTERN, DURATION_PATTERN, parseBytes, parseCpuMillis, parseDurationMs } from './quantity.ts';
import { text } from './rules.ts';

/** A quantity of bytes from `least` to `most`. */
export const bytes = (field: string, least: string, most: string, example: string): z.ZodString =>
  text({
    maxLength: 18,
    pattern: BYTES_PATTERN,
    message: `${field} must be a quantity from ${least} to ${most}, without a fraction, for example ${example}`,
    also: {
      rule: `quantity(self).compareTo(quantity('${least}')) >= 0 && quantity(self).compareTo(quantity('${most}')) <= 0`,
      holds: (value) => parseBytes(value) >= parseBytes(least) && parseBytes(value) <= parseBytes(most),
    },
  });

/** A duration from `least` to `most`. */
export const duration = (field: string, least: string, most: string, example: string): z.ZodString =>
  text({
    maxLength: 36,
    pattern: DURATION_PATTERN,
    message: `${field} must be a duration from ${least} to ${most} in h, m, s or ms, for example ${example}`,
    also: {
      rule: `duration(self) >= duration('${least}') && duration(self) <= duration('${most}')`,
      holds: (value) => parseDurationMs(value) >= parseDurationMs(least) && parseDurationMs(value) <= parseDurationMs(most),
    },
  });

/** A decimal greater than zero, as text, with at most `digits` digits (24: as many as the pattern lets through). */
export const positiveDecimal = (field: string, example: string, { digits = 24, hint = '' } = {}): z.ZodString =>
  text({
    maxLength: 25,
    pattern: DECIMAL_PATTERN,
    message: `${field} must be a decimal greater than zero with at most ${digits} digits (nine after the point), for example "${example}"${hint}`,
    also: {
      rule: `self.matches('[1-9]') && size(self) <= ${digits + 1}`,
      holds: (value) => /[1-9]/.test(value) && value.length <= digits + 1,
    },
  });

/** A step of prices or quantities: a double counts it exactly in its last digit. */
export const step = (field: string, example: string): z.ZodString => positiveDecimal(field, example, { digits: 15 });

const CPU_MESSAGE = 'cpu must be from 50m to 256 CPUs: a whole number, or text such as "0.5" or "500m"';

/** CPUs: a whole number, or a quantity as text. */
export const cpu = z.union(
  [
    z.int().min(1).max(256),
    text({
      maxLength: 8,
      pattern: CPU_PATTERN,
      message: CPU_MESSAGE,
      also: {
        rule: "quantity(self).compareTo(quantity('50m')) >= 0 && quantity(self).compareTo(quantity('256')) <= 0",
        holds: (value) => parseCpuMillis(value) >= 50 && parseCpuMillis(value) <= 256_000,
      },
    }),
  ],
  { error: CPU_MESSAGE },
);
