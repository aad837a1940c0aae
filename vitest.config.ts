import { defineConfig } from 'vitest/config'

/** Tests of rules and of single parts of the wire: they keep nothing in their modules, which are loaded once for many of them. */
const PURE = ['test/engine/**/*.test.ts', 'test/narrative/**/*.test.ts', 'test/transport/**/*.test.ts']

export default defineConfig({
  test: {
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: 'forks',
    // Many tests wait for processes and disks: three at a time keep two cores busy.
    maxWorkers: 3,
    // Of those of one file that run side by side.
    maxConcurrency: 3,
    reporters: ['default', './scripts/closing-line-reporter.ts'],
    projects: [
      // Not loading the modules anew for each of 104 files takes 31 s instead of 48.
      { extends: true, test: { name: 'pure', include: PURE, isolate: false } },
      { extends: true, test: { name: 'all', include: ['test/**/*.test.ts'], exclude: PURE } },
    ],
  },
})
