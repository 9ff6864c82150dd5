/** `npm run audit`, and `audit` of the engine program: whether what was done to an engine is recorded whole, and what it was. */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { verifyJournal, type JournalHead } from '../journal/verify.ts';
import { NO_HEAD, verifyAudit, type AuditHead } from './audit-chain.ts';
import { exportAudit } from './audit-export.ts';
import { auditFiles, recordedHead } from './audit-log.ts';

const HELP = `Usage: npm run --silent audit -- verify --data DIR [--head SEQUENCE:HASH]
       npm run --silent audit -- verify FILE [--head NUMBER:HASH]
       npm run --silent audit -- export --data DIR [--from SEQUENCE] [--to SEQUENCE]

verify    Checks the hash chains of a data directory: of the journal, which is the record of the orders, and of the log of admin actions; or of a FILE
          that GET /admin/audit gave. Finds anything that was changed, taken out or moved. What was cut off the end is found by a head: snapshots hold those
          of the journal, the directory that of the log, and --head is one that an earlier run printed and that was kept elsewhere.
          Exit status 0 when all is whole, 1 when it is not.
export    Every order and admin action by time, as lines of JSON: who, what, and what came of it. Check with verify first.

An engine may run on the directory meanwhile.
`;

const NUMBER = /^[1-9][0-9]{0,14}$/;

/** Says on standard error what is wrong, and sets the exit code then. */
export async function auditCommand(args: readonly string[]): Promise<void> {
  await run(args).catch((cause: unknown) => {
    process.stderr.write(`audit: ${cause instanceof Error ? cause.message : String(cause)}\n`);
    process.exitCode = 1;
  });
}

async function run(args: readonly string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      data: { type: 'string' },
      head: { type: 'string' },
      from: { type: 'string' },
      to: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  const [command, file] = positionals;
  if (values.help === true) process.stdout.write(HELP);
  else if (command === 'verify' && values.data !== undefined) await verifyData(values.data, headOf(values.head));
  else if (command === 'verify' && file !== undefined) await verifyLog(file, headOf(values.head));
  else if (command === 'export' && values.data !== undefined)
    await exportLines(values.data, sequenceOf(values.from, '--from'), sequenceOf(values.to, '--to'));
  else throw new Error(`say what to do\n\n${HELP}`);
}

async function verifyData(dataDirectory: string, head: AuditHead): Promise<void> {
  const expected: JournalHead[] = head.number === 0 ? [] : [{ sequence: head.number, hash: head.hash }];
  const whole = verifyJournal(dataDirectory, expected);
  const { sequence, hash } = whole.head;
  process.stdout.write(`journal: whole, sequences ${whole.firstSequence} to ${sequence}, head ${sequence}:${hash}\n`);
  if (whole.unchainedThrough >= whole.firstSequence)
    process.stdout.write(`journal: up to sequence ${whole.unchainedThrough} it is of before there was a chain, and has checksums only\n`);
  const files = auditFiles(dataDirectory);
  await verifyLog(files.log, await recordedHead(files.head));
}

async function verifyLog(file: string, expected: AuditHead): Promise<void> {
  const check = verifyAudit(await readFile(file, 'utf8').catch((cause: unknown) => nothing(cause, expected)), expected);
  if (!check.ok) throw new Error(`${file}: line ${check.line}: ${check.fault}`);
  process.stdout.write(`${file}: whole, ${check.head.number} entries, head ${check.head.number}:${check.head.hash}\n`);
}

/** An engine makes the log with its first entry. */
function nothing(cause: unknown, { number }: AuditHead): string {
  if (number === 0 && cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return '';
  throw cause;
}

async function exportLines(dataDirectory: string, from: number | undefined, to: number | undefined): Promise<void> {
  const warn = (message: string): void => void process.stderr.write(`audit: ${message}\n`);
  for await (const line of exportAudit(dataDirectory, { from, to }, warn))
    if (!process.stdout.write(`${line}\n`)) await once(process.stdout, 'drain');
}

function sequenceOf(text: string | undefined, option: string): number | undefined {
  if (text === undefined) return undefined;
  if (!NUMBER.test(text)) throw new Error(`${option}: must be a sequence, 1 or more`);
  return Number(text);
}

function headOf(text: string | undefined): AuditHead {
  if (text === undefined) return NO_HEAD;
  const [, number, hash] = /^([0-9]{1,15}):([0-9a-f]{64})$/.exec(text) ?? [];
  if (number === undefined || hash === undefined) throw new Error('--head: must be NUMBER:HASH, as verify prints it');
  return { number: Number(number), hash };
}
