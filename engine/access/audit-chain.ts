/**
 * The audit log as text: a line of JSON an action, each with the hash of the one before, so that nothing in between can be changed, taken out or moved
 * without every later hash being another. Whoever keeps the last hash elsewhere finds lines that were cut off the end, too.
 */
import { createHash } from 'node:crypto';

export interface AuditEntry {
  /** RFC 3339, UTC. */
  readonly time: string;
  /** `sub` of the token; `operator` for the admin token. */
  readonly who: string;
  readonly keyId: string;
  readonly action: string;
  /** Method and path of the request. */
  readonly what: string;
  readonly body?: unknown;
  readonly status: number;
  /** Of a refusal. */
  readonly code?: string;
}

/** The last line of a log: what the next one continues. */
export interface AuditHead {
  readonly number: number;
  readonly hash: string;
}

export const NO_HEAD: AuditHead = { number: 0, hash: '0'.repeat(64) };

/** The next line, without its end, and the head that it makes. */
export function sealEntry(head: AuditHead, entry: AuditEntry): { line: string; head: AuditHead } {
  return seal(head, { number: head.number + 1, ...entry });
}

function seal(head: AuditHead, content: Record<string, unknown>): { line: string; head: AuditHead } {
  const hash = createHash('sha256')
    .update(`${head.hash}\n${JSON.stringify(content)}`)
    .digest('hex');
  return { line: JSON.stringify({ ...content, hash }), head: { number: head.number + 1, hash } };
}

export type AuditCheck =
  | { readonly ok: true; readonly head: AuditHead }
  | { readonly ok: false; readonly line: number; readonly fault: string };

/** Checks a whole log. `expected` is a head that was told before: it must be among the lines. */
export function verifyAudit(text: string, expected: AuditHead = NO_HEAD): AuditCheck {
  const lines = text.split('\n');
  if (lines.pop() !== '') return { ok: false, line: lines.length + 1, fault: 'the last line has no end' };
  let head = NO_HEAD;
  let met = expected.number === 0;
  for (const [index, line] of lines.entries()) {
    const fault = faultOf(line, head);
    if (typeof fault === 'string') return { ok: false, line: index + 1, fault };
    head = fault;
    if (head.number === expected.number) {
      if (head.hash !== expected.hash)
        return { ok: false, line: index + 1, fault: 'it is not the line that was recorded under this number' };
      met = true;
    }
  }
  if (!met) return { ok: false, line: lines.length + 1, fault: `${expected.number - head.number} lines are missing at the end` };
  return { ok: true, head };
}

/** What is wrong with a line, or the head that it makes. */
function faultOf(line: string, head: AuditHead): string | AuditHead {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return 'it is no JSON';
  }
  if (typeof value !== 'object' || value === null) return 'it is no entry';
  const { hash: _claimed, ...content } = value as Record<string, unknown>;
  if (content['number'] !== head.number + 1) return `it has another number than ${head.number + 1}: lines are missing, or in another order`;
  let sealed: ReturnType<typeof seal>;
  try {
    sealed = seal(head, content);
  } catch {
    return 'it is nested more deeply than anything that is recorded';
  }
  // The text, not only what it means: another way to write the same is an edit as well.
  return sealed.line === line ? sealed.head : 'its hash does not follow from what it says and the line before';
}
