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

/** What would be lost. */
export interface WalDamage {
  readonly found: string;
  /** Length to which the log can be cut so that all before the damage stays; undefined when nothing of it can be read. */
  readonly validBytes: number | undefined;
}

type Checksum = readonly [number, number];

interface Frame {
  readonly page: number;
  readonly commit: boolean;
  readonly salts: Checksum;
  readonly stored: Checksum;
  /** Checksum of this frame when the one before it had `previous`. */
  checksum(previous: Checksum): Checksum;
}

/** Looks through the log at `path`; undefined when it may be opened (or is not there). Reads all of it, changes nothing. */
export function findWalDamage(path: string): WalDamage | undefined {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined;
    throw cause;
  }
  try {
    return examine(file, fstatSync(file).size);
  } finally {
    closeSync(file);
  }
}

function examine(file: number, size: number): WalDamage | undefined {
  if (size < HEADER_BYTES + FRAME_HEADER_BYTES) return undefined;
  const bytes = Buffer.alloc(HEADER_BYTES);
  readSync(file, bytes, 0, HEADER_BYTES, 0);
  const header = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES);
  const magic = header.getUint32(0);
  const pageBytes = header.getUint32(8);
  const stored = pairAt(header, 24);
  const littleEndian = magic === MAGIC_LITTLE_ENDIAN;
  const valid = (littleEndian || magic === MAGIC_BIG_ENDIAN) && same(sum(header, 0, 24, [0, 0], littleEndian), stored);
  if (valid) return examineFrames(frames(file, size, pageBytes, littleEndian), pageBytes, pairAt(header, 16), stored);
  // The header is durable before the first frame is written: a damaged one with commits behind it is no torn write.
  for (const endian of [true, false]) {
    let previous = stored;
    for (const frame of frames(file, size, DEFAULT_PAGE_BYTES, endian)) {
      if (frame.commit && (same(frame.checksum(previous), frame.stored) || same(frame.salts, pairAt(header, 16))))
        return { found: 'its header is damaged and committed transactions follow', validBytes: undefined };
      previous = frame.stored;
    }
  }
  return undefined;
}

function examineFrames(all: Iterable<Frame>, pageBytes: number, salts: Checksum, start: Checksum): WalDamage | undefined {
  const frameBytes = FRAME_HEADER_BYTES + pageBytes;
  let previous = start;
  let committed = 0;
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
      if (frame.commit) committed = index + 1;
    } else if (bad === undefined) {
      bad = { index, page: frame.page, ended: frame.commit };
      [computed = start] = sums;
    } else if (ours) {
      if (frame.page <= bad.page) bad.ended = true;
      if (bad.ended && frame.commit && follows) {
        return {
          found: `frame ${bad.index + 1} is damaged and transactions that were committed after it follow`,
          validBytes: HEADER_BYTES + committed * frameBytes,
        };
      }
      bad.page = frame.page;
      if (frame.commit) bad.ended = true;
    }
    previous = frame.stored;
    index += 1;
  }
  return undefined;
}

/** The whole frames of the file. */
function* frames(file: number, size: number, pageBytes: number, littleEndian: boolean): Generator<Frame> {
  const frameBytes = FRAME_HEADER_BYTES + pageBytes;
  const bytes = Buffer.alloc(frameBytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, frameBytes);
  const checksum = (previous: Checksum): Checksum =>
    sum(view, FRAME_HEADER_BYTES, frameBytes, sum(view, 0, 8, previous, littleEndian), littleEndian);
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

function pairAt(view: DataView, offset: number): Checksum {
  return [view.getUint32(offset), view.getUint32(offset + 4)];
}

function same(a: Checksum, b: Checksum): boolean {
  return a[0] === b[0] && a[1] === b[1];
}
