/** The thread that looks after the files while others write: copies the log back into the database, and drops batches that no start needs any more. */
import { fdatasyncSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { recordGc } from '../telemetry/gc.ts';
import { giveWay } from '../thread-priority.ts';
import { compactionStep } from './compaction.ts';
import type { MaintenanceAnswer, MaintenanceData, MaintenanceRequest } from './maintenance-protocol.ts';
import { openAnother } from './open-database.ts';
import { JournalQueries } from './queries.ts';
import { compactableThrough } from './snapshot.ts';
import { asJournalError } from './sqlite-errors.ts';

/** How long the end of a checkpoint, and a step of compaction, waits for a moment in which nobody writes. */
const WAIT_MS = 1000;
/** Passes that hinder nobody; whoever writes adds to the log meanwhile, so each leaves less. The first also has the most to sync. */
const PASSES = 6;
/** So much of the log may be left for the last pass, during which nobody can write. */
const LAST_PASS_FRAMES = 64;
/** Nobody waits for this thread but in its last pass. Not 19: the log must be copied back when all cores are busy as well. */
const NICE = 10;
/** Between two steps of compaction: others get their turn. */
const PAUSE_MS = 5;

giveWay(NICE);
const { path, durability, file, ended, gc } = workerData as MaintenanceData;
process.once('exit', () => {
  const word = new Int32Array(ended);
  Atomics.store(word, 0, 1);
  Atomics.notify(word, 0);
});
recordGc(gc);
// What is dropped, and when, need not survive the loss of power; that it comes after what was written before, the log sees to.
const database = openAnother(path, durability === 'memory' ? 'memory' : 'commit', WAIT_MS);
let closing = false;

/**
 * Copies the log back. The log begins anew only when all of it has been copied, and others write while a pass that hinders nobody copies what was there
 * when it began: so the last one, over what little has come since, lets nobody write meanwhile. Gives whether it begins anew now.
 */
function checkpoint(restart: boolean): boolean {
  let before = passAndSync();
  if (!restart) return false;
  for (let passes = 1; passes < PASSES; passes += 1) {
    const log = passAndSync();
    if (log - before <= LAST_PASS_FRAMES) break;
    before = log;
  }
  return pass('FULL').busy === 0;
}

/**
 * Makes a pass that hinders nobody, and has the disk take what it has written; gives how many frames of the log it was over. SQLite syncs the database
 * only in a pass that reaches the end of the log, which is the one during which nobody can write: it would wait for all that the others have left.
 */
function passAndSync(): number {
  const { log } = pass('PASSIVE');
  if (durability !== 'memory') fdatasyncSync(file);
  return log;
}

/** Makes a pass; gives how many frames of the log it was over, and whether others kept it from the end. */
function pass(mode: 'PASSIVE' | 'FULL'): { log: number; busy: number } {
  return (database.pragma(`wal_checkpoint(${mode})`) as [{ log: number; busy: number }])[0];
}

async function compact(beforeMicros: number): Promise<number> {
  const through = Math.min(new JournalQueries(database).lastSequenceBefore(beforeMicros), compactableThrough(dirname(path)));
  for (;;) {
    const { done, compactedThrough } = compactionStep(database, through);
    if (done || closing) return compactedThrough;
    await delay(PAUSE_MS);
  }
}

function answer(message: MaintenanceAnswer): void {
  parentPort?.postMessage(message);
}

async function handle(request: MaintenanceRequest): Promise<void> {
  if (request.kind === 'close') {
    closing = true;
    database.close();
    parentPort?.close();
    return;
  }
  try {
    if (request.kind === 'compact') answer({ kind: 'compact', compactedThrough: await compact(request.beforeMicros) });
    else answer({ kind: 'checkpoint', restarted: checkpoint(request.restart) });
  } catch (cause) {
    const { code, message } = asJournalError(cause, path);
    answer({ kind: 'failed', request: request.kind, code, message });
  }
}

parentPort?.on('message', (request: MaintenanceRequest) => void handle(request));
