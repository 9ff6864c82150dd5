/**
 * Whether SQLite would drop committed transactions. It reads its write-ahead log up to the first frame that is not valid and forgets the rest: right
 * for a tail that a crash has torn, silent loss when a damaged frame has whole transactions behind it.
 *
 * The rule: the transaction of the first invalid frame may be the one that was being written when the process or the power went, and is cut. A commit
 * of a later transaction is proof that it was not. A frame behind the damage counts when it has the salts of this log, says commit, and its
 * checksum follows from the one stored in the frame before it. A transaction ends at its commit, or where page numbers stop rising (SQLite writes
 * them in order): so a damaged commit mark hides nothing. What is left of a transaction that found no room has no commit and counts for nothing.
 *
 * Damage within the very last transaction cannot be told from a torn tail. Format: https://sqlite.org/fileformat2.html#the_write_ahead_log
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
const MAGIC_LITTLE_ENDIAN = 0x377f0682;
const MAGIC_BIG_ENDIAN = 0x377f0683;
/** What SQLite takes when nobody says otherwise: for a log whose header cannot be believed. */
const DEFAULT_PAGE_BYTES = 4096;

export interface WalFindings {
  /** What is damaged before transactions that were committed: SQLite would drop those. undefined when it would drop none. */
  readonly damage: string | undefined;
  /** Whether it ends within a transaction, which SQLite drops as if it had never begun. */
  readonly torn: boolean;
}

const WHOLE: WalFindings = { damage: undefined, torn: false };

type Checksum = readonly [number, number];

interface Frame {
  readonly page: number;
  readonly commit: boolean;
  readonly salts: Checksum;
  readonly stored: Checksum;
  /** Checksum of this frame when the one before it had `previous`. */
  checksum(previous: Checksum): Checksum;
}

/** Looks through the log at `path`, which need not be there. Reads all of it (1 to 3 ms a megabyte), changes nothing. */
export function examineWal(path: string): WalFindings {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return WHOLE;
    throw cause;
  }
  try {
    return examine(file, fstatSync(file).size);
  } finally {
    closeSync(file);
  }
}

function examine(file: number, size: number): WalFindings {
  if (size < HEADER_BYTES + FRAME_HEADER_BYTES) return WHOLE;
  const bytes = Buffer.alloc(HEADER_BYTES);
  readSync(file, bytes, 0, HEADER_BYTES, 0);
  const header = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES);
  const magic = header.getUint32(0);
  const pageBytes = header.getUint32(8);
  const stored = pairAt(header, 24);
  const littleEndian = magic === MAGIC_LITTLE_ENDIAN;
  const valid = (littleEndian || magic === MAGIC_BIG_ENDIAN) && same(sum(header, 0, 24, [0, 0], littleEndian), stored);
  if (valid) {
    const partial = (size - HEADER_BYTES) % (FRAME_HEADER_BYTES + pageBytes) !== 0;
    return examineFrames(frames(file, size, pageBytes, littleEndian), pairAt(header, 16), stored, partial);
  }
  // The header is durable before the first frame is written: a damaged one with commits behind it is no torn write.
  for (const endian of [true, false]) {
    let previous = stored;
    for (const frame of frames(file, size, DEFAULT_PAGE_BYTES, endian)) {
      if (frame.commit && (same(frame.checksum(previous), frame.stored) || same(frame.salts, pairAt(header, 16))))
        return { damage: 'its header is damaged and committed transactions follow', torn: false };
      previous = frame.stored;
    }
  }
  return { damage: undefined, torn: true };
}

function examineFrames(all: Iterable<Frame>, salts: Checksum, start: Checksum, partial: boolean): WalFindings {
  let previous = start;
  let torn = false;
  let index = 0;
  let bad: { index: number; page: number; ended: boolean } | undefined;
  /** What the frame before should have had as its checksum, if only that field is damaged. */
  let computed: Checksum = start;
  for (const frame of all) {
    const sums = [frame.checksum(previous)];
    if (bad !== undefined && bad.index === index - 1) sums.push(frame.checksum(computed));
    const ours = same(frame.salts, salts);
    const follows = ours && sums.some((one) => same(one, frame.stored));
    if (bad === undefined && follows) {
      torn = !frame.commit;
    } else if (bad === undefined) {
      bad = { index, page: frame.page, ended: frame.commit };
      torn ||= ours;
      [computed = start] = sums;
    } else if (ours) {
      torn = true;
      if (frame.page <= bad.page) bad.ended = true;
      if (bad.ended && frame.commit && follows) {
        return { damage: `frame ${bad.index + 1} is damaged and transactions that were committed after it follow`, torn };
      }
      bad.page = frame.page;
      if (frame.commit) bad.ended = true;
    }
    previous = frame.stored;
    index += 1;
  }
  return { damage: undefined, torn: torn || (partial && bad === undefined) };
}

/** The whole frames of the file. */
function* frames(file: number, size: number, pageBytes: number, littleEndian: boolean): Generator<Frame> {
  const frameBytes = FRAME_HEADER_BYTES + pageBytes;
  const bytes = Buffer.alloc(frameBytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, frameBytes);
  const words = new Uint32Array(bytes.buffer, 0, frameBytes / 4);
  const checksum = (previous: Checksum): Checksum => {
    if (!littleEndian) return sum(view, FRAME_HEADER_BYTES, frameBytes, sum(view, 0, 8, previous, false), false);
    return sumWords(words, FRAME_HEADER_BYTES / 4, words.length, sumWords(words, 0, 2, previous));
  };
  for (let offset = HEADER_BYTES; offset + frameBytes <= size; offset += frameBytes) {
    readSync(file, bytes, 0, frameBytes, offset);
    yield { page: view.getUint32(0), commit: view.getUint32(4) !== 0, salts: pairAt(view, 8), stored: pairAt(view, 16), checksum };
  }
}

/** SQLite's checksum over the bytes from `from` to `to`, going on from `start`. */
function sum(view: DataView, from: number, to: number, start: Checksum, littleEndian: boolean): Checksum {
  let [first, second] = start;
  for (let offset = from; offset < to; offset += 8) {
    first = (first + view.getUint32(offset, littleEndian) + second) >>> 0;
    second = (second + view.getUint32(offset + 4, littleEndian) + first) >>> 0;
  }
  return [first, second];
}

/** As {@link sum}, of little-endian words on a little-endian machine: several times as fast. */
function sumWords(words: Uint32Array, from: number, to: number, start: Checksum): Checksum {
  let [first, second] = start;
  for (let at = from; at < to; at += 2) {
    first = (first + (words[at] as number) + second) | 0;
    second = (second + (words[at + 1] as number) + first) | 0;
  }
  return [first >>> 0, second >>> 0];
}

function pairAt(view: DataView, offset: number): Checksum {
  return [view.getUint32(offset), view.getUint32(offset + 4)];
}

function same(a: Checksum, b: Checksum): boolean {
  return a[0] === b[0] && a[1] === b[1];
}
