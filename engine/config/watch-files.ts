/** Files that may change under a running engine: keys, certificates, configuration. */
import { watch, type FSWatcher } from 'node:fs';
import { dirname } from 'node:path';

/** Several events belong to one change. */
const SETTLE_MS = 50;
/** Where the kernel tells of nothing (some network file systems). */
const POLL_MS = 5_000;

/**
 * Calls `look` whenever one of `files` may have changed, and now and then besides; it must find out itself whether one did. The directories
 * are watched, not the files: an editor replaces a file, and Kubernetes swaps a symbolic link beside it. Keeps no process alive. Gives what
 * ends it. With `isQuiet` false only now and then: the kernel would tell of every write to a journal beside the file.
 */
export function watchFiles(files: readonly string[], look: () => void, isQuiet = true): () => void {
  let due: NodeJS.Timeout | undefined;
  const soon = (): void => {
    due ??= setTimeout(() => {
      due = undefined;
      look();
    }, SETTLE_MS).unref();
  };
  const watchers: FSWatcher[] = [];
  for (const directory of isQuiet ? new Set(files.map((file) => dirname(file))) : []) {
    try {
      // An error of a watcher leaves the poll.
      watchers.push(watch(directory, { persistent: false }, soon).on('error', () => undefined));
    } catch {
      // No more watches can be had, or the directory is gone: the poll is left.
    }
  }
  const poll = setInterval(look, POLL_MS).unref();
  return () => {
    for (const watcher of watchers) watcher.close();
    clearInterval(poll);
    clearTimeout(due);
  };
}
