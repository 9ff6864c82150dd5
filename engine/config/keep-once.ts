/** Secrets that are made at the first start and kept beside the journal. */
import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, linkSync, mkdirSync, openSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Writes what `make` gives to `file`, for its owner only, unless something is there. Whole or not at all, whenever the power goes: a secret
 * that was half written would keep every later start from reading it.
 */
export function keepOnce(file: string, make: () => string): void {
  mkdirSync(dirname(file), { recursive: true });
  if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) > 0) return;
  const written = `${file}.${randomBytes(6).toString('hex')}`;
  try {
    const descriptor = openSync(written, 'wx', 0o600);
    try {
      writeFileSync(descriptor, make());
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    // An empty one is what an interrupted start has left. Anything else stays: two engines that start at once must not each keep their own.
    if (existsSync(file)) renameSync(written, file);
    else linkUnlessThere(written, file);
    const place = openSync(dirname(file), 'r');
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
