/** Writes one line of progress; `console.error` from a CLI, nothing or an array from a test. */
export type Log = (line: string) => void;

/** Runs `work`, logging `title` with the seconds it took, or that it failed. Returns what `work` returns. */
export async function step<T>(log: Log, title: string, work: () => Promise<T>): Promise<T> {
  const startedMs = performance.now();
  const seconds = () => `${((performance.now() - startedMs) / 1000).toFixed(1)} s`;
  try {
    const result = await work();
    log(`✓ ${title} (${seconds()})`);
    return result;
  } catch (error) {
    log(`✗ ${title} (${seconds()})`);
    throw error;
  }
}

/**
 * Calls `probe` every `everyMs` until it returns something other than undefined or false.
 * A probe that throws counts as "not yet"; its last error is named when `timeoutMs` is over.
 */
export async function until<T>(
  what: string,
  probe: () => Promise<T | undefined | false>,
  options: { timeoutMs: number; everyMs?: number; hint?: () => Promise<string> | string },
): Promise<T> {
  const deadline = performance.now() + options.timeoutMs;
  let lastError: unknown;
  for (;;) {
    try {
      const result = await probe();
      if (result !== undefined && result !== false) return result;
    } catch (error) {
      lastError = error;
    }
    if (performance.now() > deadline) break;
    await new Promise((resolve) => setTimeout(resolve, options.everyMs ?? 100));
  }
  const hint = (await options.hint?.()) ?? '';
  throw new Error(`${what}: not after ${options.timeoutMs / 1000} s${hint && `\n${hint}`}`, { cause: lastError });
}
