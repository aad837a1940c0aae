import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: 'forks',
    // Many tests wait for processes and disks: two at a time take two thirds of the time on two cores.
    maxWorkers: 3,
    // Of those of one file that run side by side.
    maxConcurrency: 3,
    reporters: ['default', './scripts/closing-line-reporter.ts'],
  },
})
