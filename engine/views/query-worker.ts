/** The thread that answers queries, each as soon as the rows show what it must. It sleeps by Atomics.wait: nothing wakes faster. */
import { receiveMessageOnPort, workerData } from 'node:worker_threads';
import { messageOf } from '../journal/sqlite-errors.ts';
import { GcPoll } from '../telemetry/gc.ts';
import { asDamage, openForReading, ViewsDamaged } from './database.ts';
import { ViewQueries } from './queries.ts';
import { SharedProgress, type FromThread, type QueryKind, type Question, type ThreadData, type ToThread } from './threads.ts';

const LONGEST_SLEEP_MS = 1000;
/** Between two looks at whether somebody has waited for too long. */
const WAITING_SLEEP_MS = 50;

const { dataDirectory, shared: buffer, gc: gcBuffer, port } = workerData as ThreadData;
const shared = new SharedProgress(buffer);
const gc = new GcPoll(gcBuffer);
const post = (message: FromThread): void => port.postMessage(message);

function serve(queries: ViewQueries): void {
  let waiting: Question<QueryKind>[] = [];
  for (;;) {
    gc.poll();
    const calls = shared.queryCalls;
    for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port)) {
      const question = next.message as ToThread;
      if (question === null) return;
      waiting.push(question as Question<QueryKind>);
    }
    // What is read from here on shows this, or more.
    const { shown } = shared;
    const nowMs = Date.now();
    const still: Question<QueryKind>[] = [];
    for (const question of waiting) {
      if (question.atLeast <= shown) post({ kind: 'answer', request: question.request, answer: answerOf(queries, question) });
      else if (question.untilMs <= nowMs) post(behind(question, shown));
      else still.push(question);
    }
    waiting = still;
    shared.wanted = still.length > 0;
    shared.pauseQueries(calls, still.length > 0 ? WAITING_SLEEP_MS : LONGEST_SLEEP_MS);
  }
}

function answerOf(queries: ViewQueries, { kind, args }: Question<QueryKind>): unknown {
  // What a question and its arguments are belongs together; the compiler cannot know of a union.
  return (queries[kind] as (...given: readonly unknown[]) => unknown).apply(queries, [...args]);
}

function behind({ request, atLeast }: Question, shown: number): FromThread {
  const message = `queries show sequence ${shown}, and this one asked for ${atLeast}: try again`;
  return { kind: 'refusal', request, code: 'HFT_VIEWS_BEHIND', message };
}

try {
  const database = openForReading(dataDirectory);
  try {
    serve(new ViewQueries(database));
  } finally {
    database.close();
  }
} catch (cause) {
  const known = asDamage(cause);
  post({ kind: 'failed', damaged: known instanceof ViewsDamaged, message: messageOf(known) });
}
port.close();
