import { defineConfig } from 'vitest/config'

/** What judges a mutant of the engine (`npm run mutants`): the stories, the swarm and the engine's own tests; no disks, no sockets. */
export default defineConfig({
  test: {
    include: [
      'test/narrative/*.test.ts',
      'test/sim/swarm.test.ts',
      'test/engine/*.test.ts',
      'test/engine/{database,replication,source}/*.test.ts',
    ],
    testTimeout: 60_000,
  },
})
