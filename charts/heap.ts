/** V8 heap flags of an engine, worked out from the memory of its container. */
import { NATIVE_RESERVE_MI, type HFTEngineSpec } from '../crds/hftengine.ts';

/** Share of the memory beyond the native reserve that becomes old space, in percent. */
const OLD_SPACE_PERCENT = 45;
/** Share of the memory beyond the native reserve that one young generation may take at most, in percent. */
const YOUNG_PERCENT = 12.5;
const SEMI_SPACES_PER_YOUNG = 3;
const MAX_SEMI_SPACE_MI = 4;
const MAX_OLD_SPACE_MI = 4096;

const MI = 2 ** 20;

export interface HeapPlan {
  /** Flags for the `node` command line, before the script. Node refuses the semi-space ones in NODE_OPTIONS. */
  flags: string[];
  oldSpaceMi: number;
  semiSpaceMi: number;
  /** What the V8 heap of the main thread leaves: everything in the container that is not that heap. */
  externalMi: number;
}

export interface HeapPlanInput {
  /** Memory limit of the container, in bytes. */
  memoryBytes: number;
  runtime: HFTEngineSpec['runtime'];
}

/** V8 rounds a semi space up to a power of two; rounding down here keeps the plan within the memory that was asked for. */
function floorPowerOfTwo(value: number): number {
  return 2 ** Math.floor(Math.log2(value));
}

/**
 * Shares out the memory of an engine container: `oldSpaceMi + 3 * semiSpaceMi + externalMi` is the limit in whole MiB.
 *
 * The flags are `--max-old-space-size`, `--max-semi-space-size` and `--min-semi-space-size`; V8's heap limit becomes old + 3 x semi (the
 * young generation is counted as three semi spaces). With `heap: auto`:
 *
 * - 96 MiB (NATIVE_RESERVE_MI) are set aside first. A bare Node process is 45 MiB; the rest is for stacks, compiled code, SQLite's page
 *   cache, sockets and the small memory-backed /tmp, which counts against the container too.
 * - **Semi space**: the largest power of two of which three fit in one eighth of the remainder, at most 4 MiB. The longest young collection
 *   copies what survives, so its bound grows with the semi space: under orders 4 MiB took 0.25 ms a pause, 16 MiB 1 ms and 64 MiB 4 ms, and
 *   the time in all pauses together was about the same (docs/performance.md). Minimum equals maximum: V8 otherwise keeps a small one while
 *   little survives, and then collects eight times as often. One eighth, not a quarter, because the flags hold for every thread of the process
 *   and override a worker's `resourceLimits`: a worker of the journal may grow a young generation as large, and it must fit in the external
 *   part.
 * - **Old space**: 45 % of the remainder, at most 4 GiB. The books and rings are typed arrays outside the heap, so more heap would only
 *   make a full collection longer.
 * - **External**: the rest, at least 42 % of the remainder and the reserve: order books and rings (ArrayBuffers), SQLite, the worker's heap.
 *   Exceeding the old space is a JavaScript error with a stack; exceeding the container is a SIGKILL without one. Hence the margin is here.
 *
 * No `--initial-old-space-size`: it only delays the first full collection until it is a longer one.
 *
 * With `heap: explicit` the old space is taken as it is, and the semi space rounded down to a power of two (V8 would round it up and take
 * memory that the resource never granted). Throws RangeError when the heap and the reserve do not fit or a size is missing; the CRD's rules
 * refuse such a resource, so this means an object that was not admitted by them.
 */
export function heapPlan({ memoryBytes, runtime }: HeapPlanInput): HeapPlan {
  const memoryMi = Math.floor(memoryBytes / MI);
  const { oldSpaceMi, semiSpaceMi } = runtime.heap === 'explicit' ? explicitSizes(runtime) : autoSizes(memoryMi);
  const externalMi = memoryMi - oldSpaceMi - SEMI_SPACES_PER_YOUNG * semiSpaceMi;
  if (!(externalMi >= NATIVE_RESERVE_MI)) {
    throw new RangeError(
      `the heap does not fit: ${oldSpaceMi} MiB old space and ${SEMI_SPACES_PER_YOUNG} x ${semiSpaceMi} MiB semi space leave ${externalMi} of ` +
        `${memoryMi} MiB, ${NATIVE_RESERVE_MI} are needed; raise resources.memory or lower the heap`,
    );
  }
  return {
    flags: [`--max-old-space-size=${oldSpaceMi}`, `--max-semi-space-size=${semiSpaceMi}`, `--min-semi-space-size=${semiSpaceMi}`],
    oldSpaceMi,
    semiSpaceMi,
    externalMi,
  };
}

function autoSizes(memoryMi: number): { oldSpaceMi: number; semiSpaceMi: number } {
  const usableMi = Math.max(0, memoryMi - NATIVE_RESERVE_MI);
  const semiSpaceMi = floorPowerOfTwo(Math.max(1, (usableMi * YOUNG_PERCENT) / 100 / SEMI_SPACES_PER_YOUNG));
  return {
    oldSpaceMi: Math.min(MAX_OLD_SPACE_MI, Math.floor((usableMi * OLD_SPACE_PERCENT) / 100)),
    semiSpaceMi: Math.min(MAX_SEMI_SPACE_MI, semiSpaceMi),
  };
}

function explicitSizes(runtime: HFTEngineSpec['runtime']): { oldSpaceMi: number; semiSpaceMi: number } {
  const { oldSpaceMi, semiSpaceMi } = runtime;
  if (oldSpaceMi === undefined || semiSpaceMi === undefined) {
    throw new RangeError('heap: explicit needs oldSpaceMi and semiSpaceMi: set both, or use heap: auto');
  }
  return { oldSpaceMi, semiSpaceMi: floorPowerOfTwo(semiSpaceMi) };
}
