/** The configuration file of a running engine: read again when it changes, and handed on whole when it can be read. */
import { readFileSync } from 'node:fs';
import type { EngineConfig } from '../../crds/engine-config.ts';
import { ConfigError } from './config.ts';
import { watchFiles } from './watch-files.ts';

export interface ConfigTaker {
  /** `false`: not now, try again. */
  apply(config: EngineConfig): Promise<boolean>;
  /** The file cannot be read, or holds no configuration. */
  refused(reason: string): void;
}

/**
 * Follows `file`, of which `text` was read at the start. `load` gives the configuration that a file stands for, and throws ConfigError. A content is handed on
 * once. Gives what ends it.
 */
export function followConfig(file: string, text: string | undefined, load: () => EngineConfig, taker: ConfigTaker): () => void {
  let seen = text;
  let busy = false;
  let again = false;
  const look = async (): Promise<void> => {
    const found = textOf(file);
    if (found === seen) return;
    seen = found;
    try {
      if (!(await taker.apply(load()))) seen = undefined;
    } catch (cause) {
      if (!(cause instanceof ConfigError)) throw cause;
      taker.refused(cause.message);
    }
  };
  const turn = (): void => {
    again = busy;
    if (busy) return;
    busy = true;
    void look().finally(() => {
      busy = false;
      if (again) turn();
    });
  };
  const stop = watchFiles([file], turn);
  // It may have changed since it was read.
  turn();
  return stop;
}

/** undefined for a file that is not there. */
export function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
