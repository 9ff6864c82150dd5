import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { temporaryDirectory } from '../testing/temporary-directory.ts';
import { adminToken } from './admin-token.ts';

let directory: string;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

it('is made once, for its owner only, and leaves nothing else behind', () => {
  const { token, file } = adminToken(undefined, directory);
  expect(token).toMatch(/^[\w-]{43}$/);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(adminToken(undefined, directory)).toEqual({ token, file });
  expect(readdirSync(directory)).toEqual(['admin-token']);
});

it('that an interrupted start has left empty is made again', () => {
  writeFileSync(join(directory, 'admin-token'), '');
  const { token, file } = adminToken(undefined, directory);
  expect(token).toMatch(/^[\w-]{43}$/);
  expect(readFileSync(file, 'utf8')).toBe(`${token}\n`);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(adminToken(undefined, directory).token).toBe(token);
});

it('of the user is never replaced, not even a wrong one', () => {
  const file = join(directory, 'admin-token');
  writeFileSync(file, 'short');
  expect(() => adminToken(undefined, directory)).toThrow('must hold one line of 16 to 512');
  expect(readFileSync(file, 'utf8')).toBe('short');
  expect(() => adminToken(join(directory, 'none'), directory)).toThrow('cannot be read');
});
