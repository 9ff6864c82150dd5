/**
 * Snapshots: the whole state at a sequence, with its hash, as a file of its own (`snapshots/SEQUENCE.snapshot` in the data directory). A file is whole
 * or not there, and kept until two newer good ones are.
 *
 * Little-endian: `HFTSNAP` and a zero byte, u32 format, u32 bytes of account names, double sequence, double timestampMicros, 16 bytes of the state
 * hash, double count of words, the words, the account names (each u8 bytes, UTF-8), in format 2 the 32 bytes of the journal's chain hash at the
 * sequence (zeros for none), u32 CRC-32 of all before it.
 */
import {
  closeSync,
  existsSync,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { MOST_TEXT_BYTES } from './types.ts';

/** What a snapshot holds. */
export interface Snapshot {
  readonly sequence: number;
  readonly timestampMicros: number;
  /** Of the core, over `words`. */
  readonly stateHash: string;
  /** `eachStateWord` of the core. */
  readonly words: Float64Array;
  /** Names of all accounts, by id. */
  readonly accounts: readonly string[];
  /** Hash of the journal's chain at the sequence, in hexadecimal: what was there then can be told from it. */
  readonly chain?: string | undefined;
}

/** A snapshot cannot be used; the message says which and what was found. */
export class SnapshotError extends Error {
  override readonly name = 'SnapshotError';
  readonly code = 'HFT_SNAPSHOT_DAMAGED';
}

const MAGIC = 'HFTSNAP\0';
const FORMAT = 2;
/** Without the hash of the chain. */
const UNCHAINED_FORMAT = 1;
const CHAIN_BYTES = 32;
const HEAD_BYTES = 56;
const CRC_BYTES = 4;
const HASH_CHARACTERS = 16;
const KEPT = 2;
const SUFFIX = '.snapshot';
const TEMPORARY = '.tmp';
/** Read at once where only the checksum is wanted. */
const CHUNK_BYTES = 1024 * 1024;

/** Writes a snapshot, durable against the loss of power when this returns, and removes what it makes needless: all older than the newest two good ones. */
export function writeSnapshot(dataDirectory: string, snapshot: Snapshot): void {
  const directory = snapshotDirectory(dataDirectory);
  if (!existsSync(directory)) {
    mkdirSync(directory);
    syncDirectory(dataDirectory);
  }
  for (const name of readdirSync(directory)) if (name.endsWith(TEMPORARY)) rmSync(join(directory, name));
  const path = snapshotPath(dataDirectory, snapshot.sequence);
  const temporary = `${path}${TEMPORARY}`;
  try {
    writeParts(temporary, partsOf(snapshot));
  } catch (cause) {
    // What has no room must not take what is left of it.
    rmSync(temporary, { force: true });
    throw cause;
  }
  renameSync(temporary, path);
  syncDirectory(directory);
  removeOlder(dataDirectory, snapshot.sequence);
}

/** Sequences of the snapshots that are there, newest first. They may be damaged. */
export function snapshotSequences(dataDirectory: string): number[] {
  const directory = snapshotDirectory(dataDirectory);
  if (!existsSync(directory)) return [];
  return readdirSync(directory)
    .filter((name) => /^[0-9]{16}\.snapshot$/.test(name))
    .map((name) => Number(name.slice(0, -SUFFIX.length)))
    .toSorted((a, b) => b - a);
}

/** Reads a snapshot back. Throws SnapshotError when it is damaged or not there. */
export function readSnapshot(dataDirectory: string, sequence: number): Snapshot {
  const path = snapshotPath(dataDirectory, sequence);
  return withFile(path, (file) => {
    const size = fstatSync(file).size;
    const head = readPart(path, file, 0, HEAD_BYTES);
    if (head.toString('latin1', 0, MAGIC.length) !== MAGIC) throw damaged(path, 'does not begin as a snapshot does');
    const format = head.readUInt32LE(8);
    if (format !== FORMAT && format !== UNCHAINED_FORMAT) throw damaged(path, `is of format ${format}, not ${FORMAT}`);
    const chainBytes = format === FORMAT ? CHAIN_BYTES : 0;
    const wordCount = head.readDoubleLE(48);
    const nameBytes = head.readUInt32LE(12);
    if (!Number.isSafeInteger(wordCount) || wordCount < 0) throw damaged(path, `says that it holds ${wordCount} words`);
    if (size !== HEAD_BYTES + wordCount * 8 + nameBytes + chainBytes + CRC_BYTES)
      throw damaged(path, `has ${size} bytes, not what its head says`);
    const words = new Float64Array(wordCount);
    const wordBytes = readPart(path, file, HEAD_BYTES, wordCount * 8, words.buffer);
    const names = readPart(path, file, HEAD_BYTES + wordBytes.length, nameBytes);
    const chain = readPart(path, file, HEAD_BYTES + wordBytes.length + nameBytes, chainBytes);
    const crc = readPart(path, file, size - CRC_BYTES, CRC_BYTES).readUInt32LE();
    if (crc32(chain, crc32(names, crc32(wordBytes, crc32(head)))) !== crc) throw damaged(path, 'does not match its checksum');
    if (head.readDoubleLE(16) !== sequence) throw damaged(path, `holds sequence ${head.readDoubleLE(16)}`);
    const stateHash = head.toString('latin1', 32, 32 + HASH_CHARACTERS);
    const known = chain.some((byte) => byte !== 0) ? { chain: chain.toString('hex') } : {};
    return { sequence, timestampMicros: head.readDoubleLE(24), stateHash, words, accounts: namesIn(names), ...known };
  });
}

/** The places in the journal's chain that the snapshots hold, newest first. */
export function snapshotChains(dataDirectory: string): { sequence: number; hash: string }[] {
  return snapshotSequences(dataDirectory).flatMap((sequence) => {
    try {
      const path = snapshotPath(dataDirectory, sequence);
      return isWhole(path) ? chainOf(path, sequence) : [];
    } catch (cause) {
      // It may just have been removed; a damaged one is no start's business either.
      if (cause instanceof SnapshotError) return [];
      throw cause;
    }
  });
}

function chainOf(path: string, sequence: number): { sequence: number; hash: string }[] {
  return withFile(path, (file) => {
    if (readPart(path, file, 0, HEAD_BYTES).readUInt32LE(8) !== FORMAT) return [];
    const chain = readPart(path, file, fstatSync(file).size - CRC_BYTES - CHAIN_BYTES, CHAIN_BYTES);
    return chain.some((byte) => byte !== 0) ? [{ sequence, hash: chain.toString('hex') }] : [];
  });
}

/**
 * Up to where a journal may be dropped: the older of the two newest good snapshots. 0 while there are not two: one that turns out damaged must have
 * one behind it, or the journal.
 */
export function compactableThrough(dataDirectory: string): number {
  const [, older = 0] = snapshotSequences(dataDirectory).filter((sequence) => isWhole(snapshotPath(dataDirectory, sequence)));
  return older;
}

/** Takes a snapshot out of the way, so that no later start believes it; gives its new path. */
export function setSnapshotAside(dataDirectory: string, sequence: number): string {
  const path = snapshotPath(dataDirectory, sequence);
  const aside = `${path}.aside`;
  renameSync(path, aside);
  syncDirectory(snapshotDirectory(dataDirectory));
  return aside;
}

export function snapshotDirectory(dataDirectory: string): string {
  return join(dataDirectory, 'snapshots');
}

function snapshotPath(dataDirectory: string, sequence: number): string {
  return join(snapshotDirectory(dataDirectory), `${String(sequence).padStart(16, '0')}${SUFFIX}`);
}

function damaged(path: string, found: string, cause?: unknown): SnapshotError {
  return new SnapshotError(`the snapshot ${path} ${found}`, cause === undefined ? undefined : { cause });
}

/** The file in pieces. The words, which may be most of the memory there is, are not copied. */
function partsOf({ sequence, timestampMicros, stateHash, words, accounts, chain = '' }: Snapshot): Uint8Array[] {
  if (!/^[0-9a-f]{16}$/.test(stateHash)) throw new RangeError(`${stateHash} is no state hash`);
  const names = Buffer.concat(accounts.map(lengthAndBytes));
  const head = Buffer.alloc(HEAD_BYTES);
  head.write(MAGIC, 'latin1');
  head.writeUInt32LE(FORMAT, 8);
  head.writeUInt32LE(names.length, 12);
  head.writeDoubleLE(sequence, 16);
  head.writeDoubleLE(timestampMicros, 24);
  head.write(stateHash, 32, 'latin1');
  head.writeDoubleLE(words.length, 48);
  const link = Buffer.alloc(CHAIN_BYTES);
  link.write(chain, 'hex');
  const parts = [head, new Uint8Array(words.buffer, words.byteOffset, words.byteLength), names, link];
  const crc = Buffer.alloc(CRC_BYTES);
  crc.writeUInt32LE(parts.reduce((value, part) => crc32(part, value), 0));
  return [...parts, crc];
}

function lengthAndBytes(name: string): Buffer {
  const bytes = Buffer.from(name);
  if (bytes.length > MOST_TEXT_BYTES) throw new RangeError(`an account name of ${bytes.length} bytes is longer than ${MOST_TEXT_BYTES}`);
  return Buffer.concat([Uint8Array.of(bytes.length), bytes]);
}

function namesIn(bytes: Buffer): string[] {
  const names: string[] = [];
  for (let at = 0; at < bytes.length; at += 1 + bytes.readUInt8(at))
    names.push(bytes.toString('utf8', at + 1, at + 1 + bytes.readUInt8(at)));
  return names;
}

function writeParts(path: string, parts: readonly Uint8Array[]): void {
  const file = openSync(path, 'w');
  try {
    for (const part of parts) writeFileSync(file, part);
    fdatasyncSync(file);
  } finally {
    closeSync(file);
  }
}

function syncDirectory(path: string): void {
  const directory = openSync(path, 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

/** A damaged one counts for nothing: it goes when two good ones are newer. */
function removeOlder(dataDirectory: string, written: number): void {
  let good = 0;
  for (const sequence of snapshotSequences(dataDirectory)) {
    if (good >= KEPT) rmSync(snapshotPath(dataDirectory, sequence));
    else if (sequence === written || isWhole(snapshotPath(dataDirectory, sequence))) good += 1;
  }
}

/** Whether a file ends with its checksum. */
function isWhole(path: string): boolean {
  const verdict = (file: number): boolean => {
    const end = fstatSync(file).size - CRC_BYTES;
    if (end < HEAD_BYTES) return false;
    let crc = 0;
    for (let at = 0; at < end; at += CHUNK_BYTES) crc = crc32(readPart(path, file, at, Math.min(CHUNK_BYTES, end - at)), crc);
    return readPart(path, file, end, CRC_BYTES).readUInt32LE() === crc;
  };
  try {
    return withFile(path, verdict);
  } catch (cause) {
    // It may just have been removed.
    if (cause instanceof SnapshotError) return false;
    throw cause;
  }
}

function withFile<Result>(path: string, work: (file: number) => Result): Result {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (cause) {
    throw damaged(path, 'cannot be opened', cause);
  }
  try {
    return work(file);
  } finally {
    closeSync(file);
  }
}

function readPart(
  path: string,
  file: number,
  at: number,
  length: number,
  into: ArrayBuffer = new ArrayBuffer(length),
): Buffer<ArrayBuffer> {
  const bytes = Buffer.from(into);
  for (let done = 0; done < length;) {
    const count = readSync(file, bytes, done, length - done, at + done);
    if (count === 0) throw damaged(path, `ends after ${at + done} bytes`);
    done += count;
  }
  return bytes;
}
