/** Waiting for a condition with a hard bound: nothing sleeps for a fixed time and nothing waits for ever. */

/**
 * Calls `probe` every `everyMs` (50) until it gives something other than undefined or false. A probe that throws counts as "not yet". Rejects after
 * `timeoutMs` (30,000) with the last error as the cause, and with what `hint` can add.
 */
export async function eventually<T>(
  what: string,
  probe: () => Promise<T | undefined | false> | T | undefined | false,
  { timeoutMs = 30_000, everyMs = 50, hint }: { timeoutMs?: number; everyMs?: number; hint?: () => Promise<string> | string } = {},
): Promise<T> {
  const deadlineMs = performance.now() + timeoutMs;
  let last: unknown;
  for (;;) {
    try {
      const value = await probe();
      if (value !== undefined && value !== false) return value;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (performance.now() > deadlineMs) break;
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
  const more = (await hint?.()) ?? '';
  throw new Error(`not within ${timeoutMs / 1000} s: ${what}${more && `\n${more}`}`, { cause: last });
}
