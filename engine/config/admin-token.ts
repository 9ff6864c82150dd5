/** The token of the admin calls: given in a file, or made once and kept beside the journal. */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { ConfigError } from './config.ts';

const TOKEN = /^[\x21-\x7e]{16,512}$/;

/** Throws ConfigError; no message ever holds the token. */
export function adminToken(file: string | undefined, dataDirectory: string): { token: string; file: string } {
  if (file !== undefined) return { token: readToken(file), file };
  const kept = join(dataDirectory, 'admin-token');
  try {
    mkdirSync(dataDirectory, { recursive: true });
    if ((statSync(kept, { throwIfNoEntry: false })?.size ?? 0) === 0) keepNewToken(kept, dataDirectory);
  } catch (cause) {
    throw new ConfigError(
      `the admin token cannot be kept in ${kept} (${cause instanceof Error ? cause.message : String(cause)}): make --data writable, or give --admin-token-file`,
    );
  }
  return { token: readToken(kept), file: kept };
}

/** Whole or not at all, whenever the power goes: a token that was half written would keep every later start from reading it. */
function keepNewToken(kept: string, directory: string): void {
  const written = `${kept}.${randomBytes(6).toString('hex')}`;
  try {
    const file = openSync(written, 'wx', 0o600);
    try {
      writeFileSync(file, `${randomBytes(32).toString('base64url')}\n`);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    // An empty one is what an interrupted start has left. Anything else stays: two engines that start at once must not each keep their own.
    if (existsSync(kept)) renameSync(written, kept);
    else linkUnlessThere(written, kept);
    const place = openSync(directory, 'r');
    fsyncSync(place);
    closeSync(place);
  } finally {
    rmSync(written, { force: true });
  }
}

function linkUnlessThere(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause && cause.code === 'EEXIST')) throw cause;
  }
}

function readToken(file: string): string {
  let token: string;
  try {
    token = readFileSync(file, 'utf8').trim();
  } catch (cause) {
    throw new ConfigError(
      `the admin token file ${file} cannot be read (${cause instanceof Error ? cause.message : String(cause)}): see --admin-token-file`,
    );
  }
  if (!TOKEN.test(token)) throw new ConfigError(`the admin token file ${file} must hold one line of 16 to 512 printable characters`);
  return token;
}
