/**
 * A batch of commands as bytes, little-endian: u32 format, u32 commands, u32 words of slots, u32 bytes of texts; the slots of `command.ts`, one after
 * the other, without fillers; the texts, each u32 position of its command, u8 kind, u8 bytes, the bytes. The command at position n has the batch's
 * first sequence + n, whether it takes one slot or two.
 */
import { CommandSlots, commandWords } from '../core/command.ts';
import { PACKED_TEXT_HEAD_BYTES, type TakenCommands } from './command-ring.ts';
import { CLIENT_ORDER_ID, PRINCIPAL_NAME, type JournalBatch, type TextKind } from './types.ts';

const FORMAT = 1;
const HEAD_BYTES = 16;
/** Where the time of the first command stands. */
export const FIRST_TIMESTAMP_AT = HEAD_BYTES + 16;

/** How many bytes {@link encodeBatch} writes. */
export function batchBytes(taken: TakenCommands): number {
  return HEAD_BYTES + taken.wordCount * 4 + taken.textBytes;
}

/** Writes what was taken from the ring into `into`, which has room for {@link batchBytes} from byte `from` on; gives the part that it takes. */
export function encodeBatch(taken: TakenCommands, into: Buffer, from = 0): Buffer {
  const slotBytes = taken.wordCount * 4;
  const blob = into.subarray(from, from + batchBytes(taken));
  blob.writeUInt32LE(FORMAT, 0);
  blob.writeUInt32LE(taken.commands, 4);
  blob.writeUInt32LE(taken.wordCount, 8);
  blob.writeUInt32LE(taken.textBytes, 12);
  blob.set(new Uint8Array(taken.words.buffer, 0, slotBytes), HEAD_BYTES);
  blob.set(taken.texts.subarray(0, taken.textBytes), HEAD_BYTES + slotBytes);
  return blob;
}

/** Reads a batch back. Throws RangeError, saying what the batch does wrong, when the bytes are none that {@link encodeBatch} gives for these sequences. */
export function decodeBatch(blob: Buffer, firstSequence: number, lastSequence: number): JournalBatch {
  if (blob.length < HEAD_BYTES || blob.readUInt32LE(0) !== FORMAT) throw new RangeError(`is not of format ${FORMAT}`);
  const commands = blob.readUInt32LE(4);
  const words = blob.readUInt32LE(8);
  const textsAt = HEAD_BYTES + words * 4;
  if (blob.length !== textsAt + blob.readUInt32LE(12)) throw new RangeError(`has another length than its ${blob.length} bytes say`);
  if (words % 16 !== 0 || commands !== lastSequence - firstSequence + 1) throw new RangeError(`holds ${commands} commands`);
  // A copy: doubles need an alignment that the blob does not have.
  const bytes = new Uint8Array(words * 4);
  bytes.set(blob.subarray(HEAD_BYTES, textsAt));
  const slots = new CommandSlots(bytes.buffer);
  let found = 0;
  let at = 0;
  for (; at < words; at += commandWords(slots, at)) found += 1;
  if (at !== words || found !== commands) throw new RangeError(`holds ${found} commands, not ${commands}`);
  return { firstSequence, lastSequence, slots, words, texts: decodeTexts(blob, textsAt, firstSequence, commands) };
}

function decodeTexts(blob: Buffer, from: number, firstSequence: number, commands: number): JournalBatch['texts'] {
  const texts: JournalBatch['texts'][number][] = [];
  let at = from;
  while (at < blob.length) {
    const bytesAt = at + PACKED_TEXT_HEAD_BYTES;
    if (bytesAt > blob.length) throw new RangeError('ends within a text');
    const position = blob.readUInt32LE(at);
    const kind = blob.readUInt8(at + 4);
    const end = bytesAt + blob.readUInt8(at + 5);
    if (position >= commands || end > blob.length || kind < CLIENT_ORDER_ID || kind > PRINCIPAL_NAME)
      throw new RangeError(`has a text of kind ${kind} for command ${position} that cannot be`);
    texts.push({ sequence: firstSequence + position, kind: kind as TextKind, text: blob.toString('utf8', bytesAt, end) });
    at = end;
  }
  return texts;
}
