/** The token of the admin calls: given in a file, or made once and kept beside the journal. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError } from './config.ts';
import { keepOnce } from './keep-once.ts';

const TOKEN = /^[\x21-\x7e]{16,512}$/;

/** Throws ConfigError; no message ever holds the token. */
export function adminToken(file: string | undefined, dataDirectory: string): { token: string; file: string } {
  if (file !== undefined) return { token: readToken(file), file };
  const kept = join(dataDirectory, 'admin-token');
  try {
    keepOnce(kept, () => `${randomBytes(32).toString('base64url')}\n`);
  } catch (cause) {
    throw new ConfigError(
      `the admin token cannot be kept in ${kept} (${cause instanceof Error ? cause.message : String(cause)}): make --data writable, or give --admin-token-file`,
    );
  }
  return { token: readToken(kept), file: kept };
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
