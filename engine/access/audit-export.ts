/** Everything that was done to an engine in one list: the orders of its journal, and the admin actions of its audit log, by time. */
import { readFile } from 'node:fs/promises';
import { JournalReader } from '../journal/reader.ts';
import { restoredCore } from '../views/restore.ts';
import { eachOpenOrder, type OpenOrder } from '../views/state-rows.ts';
import { auditFiles } from './audit-log.ts';
import { OrderActions } from './order-actions.ts';

/** Read at once. */
const READ_COMMANDS = 4096;

interface ExportRange {
  /** Sequences; all of them without. */
  readonly from?: number | undefined;
  readonly to?: number | undefined;
}

/**
 * Gives the lines, without their ends. With a range, the admin actions are those between the first and the last order of it. `warn` hears what was passed over.
 * Throws JournalError.
 */
export async function* exportAudit(dataDirectory: string, range: ExportRange, warn: (message: string) => void): AsyncGenerator<string> {
  const admin = await adminLines(dataDirectory);
  const isRange = range.from !== undefined || range.to !== undefined;
  let next = 0;
  let first = true;
  for (const order of orderLines(dataDirectory, range, warn)) {
    // With a range, what was done before the first order of it is not of it.
    for (let action = admin[next]; action !== undefined && action.time < order.time; action = admin[++next])
      if (!isRange || !first) yield action.line;
    first = false;
    yield JSON.stringify(order);
  }
  if (!isRange) for (const action of admin.slice(next)) yield action.line;
}

async function adminLines(dataDirectory: string): Promise<{ time: string; line: string }[]> {
  const text = await readFile(auditFiles(dataDirectory).log, 'utf8').catch((cause: unknown) => {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return '';
    throw cause;
  });
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const entry = JSON.parse(line) as Record<string, unknown>;
      return { time: String(entry['time']), line: JSON.stringify({ kind: 'admin', ...entry }) };
    });
}

function* orderLines(dataDirectory: string, { from = 1, to = Infinity }: ExportRange, warn: (message: string) => void) {
  const journal = JournalReader.open(dataDirectory);
  try {
    journal.requireChain();
    const instruments = journal.instruments();
    const before = journal.compactedThrough();
    const parts = { dataDirectory, journal, instruments: instruments.length, warn: (_details: object, message: string) => warn(message) };
    // The oldest state that there is: everything after it is applied again, so that every line can say what came of its command.
    const { core, snapshot } = restoredCore(parts, 0);
    const open: OpenOrder[] = [];
    if (snapshot !== undefined) eachOpenOrder(snapshot.words, (order) => open.push(order));
    const actions = new OrderActions(core, instruments, snapshot?.accounts ?? [], journal.anchoredNames(), open);
    for (let next = before + 1; next <= to;) {
      const batches = journal.read(next, READ_COMMANDS);
      for (const batch of batches) {
        const commit = { commitSequence: batch.lastSequence, commitHash: journal.chainAt(batch.lastSequence) ?? null };
        for (const line of actions.lines(batch, from, commit))
          if (Number(line['sequence']) <= to) yield { ...line, time: String(line['time']) };
      }
      const last = batches.at(-1);
      if (last === undefined) return;
      next = last.lastSequence + 1;
    }
  } finally {
    journal.close();
  }
}
