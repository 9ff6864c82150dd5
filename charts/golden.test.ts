/** Every manifest against its golden file. After a change that is meant: `npx vitest run charts/golden.test.ts -u`, and read the diff. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { stringify } from 'yaml';
import { GOLDEN_CASES } from './golden/cases.ts';

const DIRECTORY = join(import.meta.dirname, 'golden');

it.each(Object.entries(GOLDEN_CASES))('%s', async (name, objects) => {
  const text = objects()
    .map((object) => stringify(object, { lineWidth: 0, aliasDuplicateObjects: false }))
    .join('---\n');
  await expect(text).toMatchFileSnapshot(join(DIRECTORY, `${name}.yaml`));
});

it('has no golden file without a case', async () => {
  const files = (await readdir(DIRECTORY)).filter((file) => file.endsWith('.yaml'));
  expect(Object.keys(GOLDEN_CASES).map((name) => `${name}.yaml`)).toEqual(expect.arrayContaining(files));
});
