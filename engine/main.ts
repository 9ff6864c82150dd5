/**
 * The engine process. `npm start` runs it alone; the operator runs it in a pod with a configuration file. With `audit` as the first argument it is
 * `npm run audit` instead, for where there is only this program.
 *
 * Signals are caught before anything else is loaded: as process 1 of a container the kernel drops those that nobody listens for, and a stop
 * that came in the first part of a start would be lost. The listeners stay: after `once` a second signal would kill a drain half-way.
 */
import { setImmediate as nextTick } from 'node:timers/promises';
import { setCompilerFlags } from './compiler-flags.ts';

if (process.argv[2] === 'audit') {
  const { auditCommand } = await import('./access/audit-command.ts');
  await auditCommand(process.argv.slice(3));
} else await serve();

async function serve(): Promise<void> {
  const stopping = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stopping.abort(signal));
  setCompilerFlags();
  const { main } = await import('./program.ts');
  // A signal that came while that was loading is delivered by the event loop, which has not turned yet.
  await nextTick();
  await main(stopping.signal);
}
