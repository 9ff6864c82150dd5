/** What the read models may take of the memory that the process has: pods of 256 MiB run them, and machines of 256 GiB. */

/** A share of the memory that there is, in MiB, but no less than `leastMb` and no more than `mostMb`. */
export function memoryShareMb(share: number, leastMb: number, mostMb: number): number {
  const availableMb = (process.constrainedMemory() || process.availableMemory()) / 2 ** 20;
  return Math.round(Math.min(mostMb, Math.max(leastMb, availableMb * share)));
}
