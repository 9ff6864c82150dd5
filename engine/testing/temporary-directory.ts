import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A new empty directory; whoever asked for it removes it. */
export function temporaryDirectory(): string {
  return mkdtempSync(join(tmpdir(), 'hft-engine-test-'));
}
