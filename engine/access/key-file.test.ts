import { mkdirSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { temporaryDirectory } from '../testing/temporary-directory.ts';
import { KeyFile, keyFileOf } from './key-file.ts';
import { testKeys } from './malformed-tokens.test-support.ts';

let directory: string;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const text = (...prefixes: string[]): string => JSON.stringify({ keys: prefixes.map((prefix) => testKeys(prefix).ed) });

it('is made once in the data directory, for its owner only', () => {
  const file = keyFileOf(undefined, directory);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const keys = new KeyFile(file, { onKeys: () => undefined, onRefused: () => undefined });
  expect(keys.first.size).toBe(1);
  keys.stop();
  expect(keyFileOf(undefined, directory)).toBe(file);
  expect(keyFileOf('given', directory)).toBe('given');
});

it('must be there and whole at the start', () => {
  const hooks = { onKeys: () => undefined, onRefused: () => undefined };
  expect(() => new KeyFile(join(directory, 'none'), hooks)).toThrow('give its path with --keys-file or HFT_KEYS_FILE');
  writeFileSync(join(directory, 'broken'), '{');
  expect(() => new KeyFile(join(directory, 'broken'), hooks)).toThrow('is no valid JSON');
});

it('is read again when Kubernetes swaps the link beside it; a broken one leaves the keys, and says why once', async () => {
  // As a mounted Secret: keys.json -> ..data/keys.json, ..data -> a directory with a time in its name.
  const mount = (version: string, content: string): void => {
    mkdirSync(join(directory, version));
    writeFileSync(join(directory, version, 'keys.json'), content);
    symlinkSync(version, join(directory, '..data_tmp'));
    renameSync(join(directory, '..data_tmp'), join(directory, '..data'));
  };
  mount('..1', text('a-'));
  symlinkSync('..data/keys.json', join(directory, 'keys.json'));
  const seen: string[][] = [];
  const refused: string[] = [];
  const keys = new KeyFile(join(directory, 'keys.json'), {
    onKeys: (set) => void seen.push([...set.keys()]),
    onRefused: (reason) => void refused.push(reason),
  });
  expect([...keys.first.keys()]).toEqual(['a-ed']);
  mount('..2', text('a-', 'b-'));
  await expect.poll(() => seen).toEqual([['a-ed', 'b-ed']]);
  mount('..3', '{"keys": []}');
  await expect.poll(() => refused).toEqual([expect.stringContaining('keys: must hold a key')]);
  mount('..4', text('b-'));
  await expect.poll(() => seen).toEqual([['a-ed', 'b-ed'], ['b-ed']]);
  rmSync(join(directory, '..data'));
  await expect.poll(() => refused).toHaveLength(2);
  expect(keys.reloads).toEqual({ taken: 2, refused: 2 });
  keys.stop();
});
