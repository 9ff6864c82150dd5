/** The key file of a running engine: read whole at the start, and again whenever it changes. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError } from '../config/config.ts';
import { keepOnce } from '../config/keep-once.ts';
import { watchFiles } from '../config/watch-files.ts';
import { keySetOf, parseJwks, type KeySet } from './keys.ts';
import { newKeyFile } from './sign.ts';

/** The key file that was given, or the one of the data directory: made at the first start. Throws ConfigError. */
export function keyFileOf(given: string | undefined, dataDirectory: string): string {
  if (given !== undefined) return given;
  const file = join(dataDirectory, 'keys.json');
  try {
    keepOnce(file, newKeyFile);
  } catch (cause) {
    throw new ConfigError(
      `the keys cannot be kept in ${file} (${cause instanceof Error ? cause.message : String(cause)}): make --data writable, or give --keys-file`,
    );
  }
  return file;
}

export class KeyFile {
  readonly #file: string;
  readonly #onKeys: (keys: KeySet) => void;
  readonly #onRefused: (reason: string) => void;
  readonly #stop: () => void;
  /** What was judged last: the text, or why there was none. */
  #seen: string;
  /** Changes that were taken, and those that were refused: the keys from before stay in force. */
  readonly reloads = { taken: 0, refused: 0 };
  readonly first: KeySet;

  /** Throws ConfigError when it cannot be read now. `onRefused` is told why a change is not taken; the keys from before stay. `isQuiet`: see {@link watchFiles}. */
  constructor(file: string, hooks: { onKeys: (keys: KeySet) => void; onRefused: (reason: string) => void }, isQuiet = true) {
    this.#file = file;
    this.#onKeys = hooks.onKeys;
    this.#onRefused = hooks.onRefused;
    this.#seen = this.#read();
    this.first = keySetOf(parseJwks(this.#seen, file), file);
    this.#stop = watchFiles([file], () => this.#look(), isQuiet);
  }

  stop(): void {
    this.#stop();
  }

  #read(): string {
    try {
      return readFileSync(this.#file, 'utf8');
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new ConfigError(`the key file ${this.#file} cannot be read (${reason}): give its path with --keys-file or HFT_KEYS_FILE`);
    }
  }

  #look(): void {
    let seen: string;
    let missing: ConfigError | undefined;
    try {
      seen = this.#read();
    } catch (fault) {
      if (!(fault instanceof ConfigError)) throw fault;
      missing = fault;
      seen = fault.message;
    }
    if (seen === this.#seen) return;
    this.#seen = seen;
    try {
      if (missing !== undefined) throw missing;
      this.#onKeys(keySetOf(parseJwks(seen, this.#file), this.#file));
      this.reloads.taken += 1;
    } catch (fault) {
      if (!(fault instanceof ConfigError)) throw fault;
      this.reloads.refused += 1;
      this.#onRefused(fault.message);
    }
  }
}
