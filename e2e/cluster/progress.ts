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
