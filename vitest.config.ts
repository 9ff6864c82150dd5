import { defineConfig } from 'vitest/config';

/** Kinds of tests that need more than this process; everything else named `*.test.ts` is a unit test. */
const SLOWER_KINDS = ['**/*.api.test.ts', '**/*.e2e.test.ts', '**/*.browser.test.ts'];
const EXCLUDE = ['**/node_modules/**', 'dist/**', 'build/**'];

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['**/*.test.ts'],
          exclude: [...EXCLUDE, ...SLOWER_KINDS],
          pool: 'threads',
          isolate: false,
          testTimeout: 20_000,
        },
      },
      // An API server, an engine process or a browser each: one file at a time on two cores.
      {
        test: {
          name: 'api',
          include: ['**/*.api.test.ts'],
          exclude: EXCLUDE,
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['**/*.e2e.test.ts'],
          exclude: EXCLUDE,
          fileParallelism: false,
          testTimeout: 300_000,
          hookTimeout: 600_000,
        },
      },
      {
        test: {
          name: 'browser',
          include: ['**/*.browser.test.ts'],
          exclude: EXCLUDE,
          fileParallelism: false,
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
