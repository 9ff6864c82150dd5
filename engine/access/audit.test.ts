import { appendFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { temporaryDirectory } from '../testing/temporary-directory.ts';
import { NO_HEAD, sealEntry, verifyAudit, type AuditEntry } from './audit-chain.ts';
import { AuditLog, auditFiles, recordedHead } from './audit-log.ts';

const entry = (who: string): AuditEntry => ({
  time: '2026-11-25T12:00:00.000Z',
  who,
  keyId: 'k',
  action: 'risk.write',
  what: 'POST /admin/kill-switch',
  body: { on: true, note: 'ü' },
  status: 200,
});

function logOf(...names: string[]) {
  let head = NO_HEAD;
  let text = '';
  for (const name of names) {
    const sealed = sealEntry(head, entry(name));
    ({ head } = sealed);
    text += `${sealed.line}\n`;
  }
  return { text, head };
}

describe('the chain', () => {
  const { text, head } = logOf('a', 'b', 'c', 'd');
  const lines = text.trimEnd().split('\n');

  it('of an untouched log holds', () => {
    expect(verifyAudit(text, head)).toEqual({ ok: true, head });
    expect(verifyAudit('')).toEqual({ ok: true, head: NO_HEAD });
  });

  it('finds every bit of every byte that is flipped', () => {
    const bytes = Buffer.from(text);
    const missed: string[] = [];
    for (let at = 0; at < bytes.length; at += 1) {
      for (let bit = 0; bit < 8; bit += 1) {
        const changed = Buffer.from(bytes);
        changed[at] = (changed[at] ?? 0) ^ (1 << bit);
        if (verifyAudit(changed.toString('utf8'), head).ok) missed.push(`byte ${at} bit ${bit}`);
      }
    }
    expect(missed).toEqual([]);
  });

  it('finds every line that is taken out, doubled or moved', () => {
    for (let at = 0; at < lines.length; at += 1) {
      const without = lines.toSpliced(at, 1);
      expect(verifyAudit(`${without.join('\n')}\n`, head).ok).toBe(false);
      expect(verifyAudit(`${lines.toSpliced(at, 0, lines[at] ?? '').join('\n')}\n`, head).ok).toBe(false);
      for (let to = 0; to < lines.length; to += 1)
        if (to !== at) expect(verifyAudit(`${without.toSpliced(to, 0, lines[at] ?? '').join('\n')}\n`, head).ok).toBe(false);
    }
    expect(verifyAudit('', head)).toMatchObject({ ok: false, fault: '4 lines are missing at the end' });
    // A log that was made anew is no match for the head.
    expect(verifyAudit(logOf('a', 'b', 'c', 'x').text, head)).toMatchObject({ ok: false, line: 4 });
  });
});

describe('the log of an engine', () => {
  let directory: string;
  beforeEach(() => {
    directory = temporaryDirectory();
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));
  const open = async (): Promise<{ log: AuditLog; warnings: string[] }> => {
    const warnings: string[] = [];
    return { log: await AuditLog.open(directory, (fault) => void warnings.push(fault)), warnings };
  };

  it('goes on after a restart, entries that arrive together in one chain', async () => {
    const first = await open();
    await Promise.all(['a', 'b', 'c'].map(async (who) => await first.log.append(entry(who))));
    await first.log.close();
    const second = await open();
    await second.log.append(entry('d'));
    expect([second.log.count, second.warnings]).toEqual([4, []]);
    await second.log.close();
    const files = auditFiles(directory);
    expect(readFileSync(files.log, 'utf8')).toBe(logOf('a', 'b', 'c', 'd').text);
    expect(await recordedHead(files.head)).toEqual(logOf('a', 'b', 'c', 'd').head);
  });

  it('cuts off what a power failure left half written, and tells of an edit without hiding it', async () => {
    const first = await open();
    await first.log.append(entry('a'));
    await first.log.close();
    const files = auditFiles(directory);
    appendFileSync(files.log, '{"number":2,"ti');
    const second = await open();
    expect(second.warnings).toEqual([expect.stringContaining('not finished')]);
    await second.log.append(entry('b'));
    await second.log.close();
    expect(verifyAudit(readFileSync(files.log, 'utf8'))).toMatchObject({ ok: true, head: { number: 2 } });
    writeFileSync(files.log, readFileSync(files.log, 'utf8').replace('"who":"a"', '"who":"z"'));
    const third = await open();
    expect(third.warnings).toEqual([expect.stringContaining('line 1')]);
    await third.log.append(entry('c'));
    await third.log.close();
    expect(verifyAudit(readFileSync(files.log, 'utf8'))).toMatchObject({ ok: false, line: 1 });
  });
});
