/** What is read from files, damaged in every way: each reader takes it or says what is wrong with it, and throws nothing else. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NO_HEAD, sealEntry, verifyAudit } from '../access/audit-chain.ts';
import { keySetOf, parseJwks } from '../access/keys.ts';
import { testKeys } from '../access/malformed-tokens.test-support.ts';
import { signingKeyOf } from '../access/sign.ts';
import { ConfigError, DEFAULT_CONFIG, loadConfig, validateConfig } from '../config/config.ts';
import { commandWords, decodeCommand } from '../core/command.ts';
import { MatchingCore } from '../core/core.ts';
import { NO_LIMITS } from '../core/random-commands.ts';
import { decodeBatch } from '../journal/batch-blob.ts';
import { recover } from '../journal/recovery.ts';
import { readSnapshot, snapshotDirectory, SnapshotError, writeSnapshot } from '../journal/snapshot.ts';
import { JournalError } from '../journal/types.ts';
import { changes, damaged, damagedTexts } from '../testing/damage.test-support.ts';
import { temporaryDirectory } from '../testing/temporary-directory.ts';

const RUNS = { numRuns: 1000 };
let directory: string;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** The result, or the refusal when it is one of `Refusal`; anything else is thrown. */
function outcome<T>(work: () => T, Refusal: abstract new (...args: never[]) => Error): T | Error {
  try {
    return work();
  } catch (cause) {
    if (cause instanceof Refusal) return cause;
    throw cause;
  }
}

describe('files of text', () => {
  it('a key file is taken, or refused without a word of its secrets', () => {
    const keys = Object.values(testKeys());
    const secrets = keys.map((key) => (key.alg === 'HS256' ? key.k : (key.d ?? '')));
    fc.assert(
      fc.property(damagedTexts({ keys }), (text) => {
        const found = outcome(() => keySetOf(parseJwks(text, 'keys.json'), 'keys.json'), ConfigError);
        if (found instanceof Error) expect(secrets.filter((secret) => found.message.includes(secret))).toEqual([]);
        else expect(found.size).toBeGreaterThan(0);
        outcome(() => signingKeyOf(text, 'keys.json'), ConfigError);
      }),
      RUNS,
    );
  });

  it('a configuration file is taken as one that is valid again, or refused with its name', () => {
    const file = join(directory, 'config.json');
    fc.assert(
      fc.property(damagedTexts(DEFAULT_CONFIG), (text) => {
        writeFileSync(file, text);
        const found = outcome(() => loadConfig(file), ConfigError);
        if (found instanceof Error) expect(found.message).toContain(file);
        else expect(validateConfig(JSON.parse(JSON.stringify(found)))).toEqual({ ok: true, config: found });
      }),
      RUNS,
    );
  });

  it('an audit log is whole or is not: no edit is taken, and none is a fault of the reader', () => {
    let [head, log] = [NO_HEAD, ''];
    for (let number = 1; number <= 5; number += 1) {
      const entry = {
        time: '2026-01-01T00:00:00Z',
        who: 'w',
        keyId: 'k',
        action: 'engine.admin',
        what: 'POST /',
        body: { a: [number] },
        status: 200,
      };
      const sealed = sealEntry(head, entry);
      head = sealed.head;
      log += `${sealed.line}\n`;
    }
    fc.assert(
      fc.property(changes, (list) => {
        const edited = damaged(Buffer.from(log), list).toString('utf8');
        expect(verifyAudit(edited, head).ok).toBe(edited === log);
      }),
      RUNS,
    );
    for (const depth of [1, 100, 10_000, 200_000]) {
      const line = `{"number":1,"body":${'['.repeat(depth)}${']'.repeat(depth)},"hash":"x"}\n`;
      expect(verifyAudit(line)).toMatchObject({ ok: false, line: 1 });
    }
  });
});

describe('files of bytes', () => {
  const WORDS = new MatchingCore();
  WORDS.setInstrument(0, NO_LIMITS);
  const words: number[] = [];
  WORDS.eachStateWord((word) => void words.push(word));
  const snapshot = {
    sequence: 7,
    timestampMicros: 1,
    stateHash: WORDS.stateHash(),
    words: Float64Array.from(words),
    accounts: ['alice', 'bob'],
  };

  function snapshotFile(): { path: string; whole: Buffer } {
    writeSnapshot(directory, snapshot);
    const [name = ''] = readdirSync(snapshotDirectory(directory));
    const path = join(snapshotDirectory(directory), name);
    return { path, whole: readFileSync(path) };
  }

  it('a snapshot is read whole or refused, be its checksum wrong or right', () => {
    const { path, whole } = snapshotFile();
    fc.assert(
      fc.property(changes, fc.boolean(), (list, sealed) => {
        const bytes = damaged(whole, list);
        // As somebody would who wants to be believed.
        if (sealed && bytes.length > 4) bytes.writeUInt32LE(crc32(bytes.subarray(0, -4)), bytes.length - 4);
        writeFileSync(path, bytes);
        const found = outcome(() => readSnapshot(directory, snapshot.sequence), SnapshotError);
        if (!(found instanceof Error)) expect(found.sequence).toBe(snapshot.sequence);
        else if (bytes.equals(whole)) throw found;
      }),
      RUNS,
    );
  });

  it('a count of words in the head of a snapshot that is none is refused', () => {
    const { path, whole } = snapshotFile();
    for (const count of [-1, -8, 0.5, NaN, Infinity, -Infinity, 2 ** 60, 1e308]) {
      const bytes = Buffer.from(whole);
      bytes.writeDoubleLE(count, 48);
      // So that the length agrees all the same, where it can.
      const names = bytes.length - 60 - count * 8;
      if (Number.isSafeInteger(names) && names >= 0 && names < 2 ** 32) bytes.writeUInt32LE(names, 12);
      writeFileSync(path, bytes);
      expect(() => readSnapshot(directory, snapshot.sequence)).toThrow(SnapshotError);
    }
  });

  it('a state of any words is restored or refused, and whoever recovers goes on without it', async () => {
    mkdirSync(join(directory, 'snapshots'), { recursive: true });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(words.length), fc.oneof(fc.double(), fc.integer(), fc.constantFrom(2 ** 53, -1, 2 ** 32, NaN))), {
          maxLength: 4,
        }),
        fc.nat(words.length + 8),
        async (edits, length) => {
          const edited = new Float64Array(length);
          edited.set(words.slice(0, length));
          for (const [at, word] of edits) if (at < length) edited[at] = word;
          const core = new MatchingCore();
          core.setInstrument(0, NO_LIMITS);
          const isSame = length === words.length && edited.every((word, index) => Object.is(word, words[index]));
          let refused = false;
          try {
            core.restore(edited);
          } catch (cause) {
            expect(cause).toBeInstanceOf(RangeError);
            refused = true;
          }
          if (isSame) expect(refused).toBe(false);
          writeSnapshot(directory, { ...snapshot, words: edited });
          const fresh = new MatchingCore();
          fresh.setInstrument(0, NO_LIMITS);
          const queries = { lastSequence: () => 7, compactedThrough: () => 0, stateHashes: () => new Map<number, string>() };
          const source = { warnings: [], queries, read: () => [] };
          await recover(fresh, source, { dataDirectory: directory, signal: new AbortController().signal }).catch((cause: unknown) =>
            expect(cause).toBeInstanceOf(JournalError),
          );
        },
      ),
      { numRuns: 100 },
    );
  });

  it('a batch of a journal is read or refused, and so is each of its commands', () => {
    const whole = Buffer.alloc(16 + 3 * 64 + 11);
    whole.writeUInt32LE(1, 0);
    whole.writeUInt32LE(2, 4);
    whole.writeUInt32LE(48, 8);
    whole.writeUInt32LE(11, 12);
    // A new order of two slots, and a cancel, which names its account.
    whole.writeUInt32LE(1, 16);
    whole.writeUInt32LE(16, 20);
    whole.writeUInt32LE(2, 16 + 128);
    whole.writeUInt32LE(1, 16 + 192);
    whole.set([2, 5], 16 + 196);
    whole.write('alice', 16 + 198);
    expect(decodeBatch(whole, 1, 2).texts).toEqual([{ sequence: 2, kind: 2, text: 'alice' }]);
    fc.assert(
      fc.property(changes, (list) => {
        const found = outcome(() => decodeBatch(damaged(whole, list), 1, 2), RangeError);
        if (found instanceof Error) return;
        expect(found.words % 16).toBe(0);
        for (let at = 0; at < found.words; at += commandWords(found.slots, at)) outcome(() => decodeCommand(found.slots, at), RangeError);
      }),
      RUNS,
    );
  });
});
