import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: 'forks',
    reporters: process.env['CI']
      ? ['default', './scripts/closing-line-reporter.ts']
      : ['default', './scripts/closing-line-reporter.ts'],
  },
})
