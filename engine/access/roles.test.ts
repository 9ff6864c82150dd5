import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { ACTIONS } from './roles.ts';

it('docs/security.md shows the table', () => {
  const text = readFileSync(new URL('../../docs/security.md', import.meta.url), 'utf8');
  const rows = [...text.matchAll(/^\| `([a-z]+\.[a-z]+)` \| ([a-z, ]+) \| (account)? ?\| (.+) \|$/gm)].map(
    ([, action, roles, account, what]) => [action, { roles: roles?.split(', '), ofAccount: account === 'account', what }],
  );
  expect(rows).toEqual(Object.entries(ACTIONS));
});
