/** `npm run audit -- verify`: whether an audit log is whole. */
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { NO_HEAD, verifyAudit, type AuditHead } from './audit-chain.ts';
import { auditFiles, recordedHead } from './audit-log.ts';

const HELP = `Usage: npm run --silent audit -- verify FILE [--head NUMBER:HASH]
       npm run --silent audit -- verify --data DIR

Checks the hash chain of an audit log: of a file that GET /admin/audit gave, or of the data directory of an engine. Finds any line that was
changed, taken out or moved. Lines cut off the end are found by the head: it lies in the data directory, or is given, as an earlier run printed it.
Exit status 0 when the log is whole, 1 when it is not.
`;

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { data: { type: 'string' }, head: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
  });
  const [command, file] = positionals;
  if (values.help === true) {
    process.stdout.write(HELP);
    return;
  }
  const files = values.data === undefined ? undefined : auditFiles(values.data);
  const log = files?.log ?? file;
  if (command !== 'verify' || log === undefined) throw new Error(`say what to verify\n\n${HELP}`);
  const expected = files !== undefined ? await recordedHead(files.head) : headOf(values.head);
  const check = verifyAudit(await readFile(log, 'utf8'), expected);
  if (!check.ok) throw new Error(`${log}: line ${check.line}: ${check.fault}`);
  process.stdout.write(`${log}: whole, ${check.head.number} entries, head ${check.head.number}:${check.head.hash}\n`);
}

function headOf(text: string | undefined): AuditHead {
  if (text === undefined) return NO_HEAD;
  const [, number, hash] = /^([0-9]{1,15}):([0-9a-f]{64})$/.exec(text) ?? [];
  if (number === undefined || hash === undefined) throw new Error('--head: must be NUMBER:HASH, as verify prints it');
  return { number: Number(number), hash };
}

await main().catch((cause: unknown) => {
  process.stderr.write(`audit: ${cause instanceof Error ? cause.message : String(cause)}\n`);
  process.exitCode = 1;
});
