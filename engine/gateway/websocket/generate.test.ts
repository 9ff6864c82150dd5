import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { framesText } from './generate.ts';

it('docs/frames.md is what the table says: node engine/gateway/websocket/generate.ts writes it', () => {
  expect(readFileSync(join(import.meta.dirname, '../../../docs/frames.md'), 'utf8')).toBe(framesText());
});
