#!/usr/bin/env node
import { runCli } from './cli.ts'
import { processIo } from './cli-io.ts'

const ending = new AbortController()
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.on(name, () => {
    // The second time somebody does not want to wait any longer.
    if (ending.signal.aborted) process.exit(name === 'SIGINT' ? 130 : 143)
    ending.abort(name)
  })
}
// Whoever read our output has closed the pipe (`ccr events | head`): there is nobody left to write for.
process.stdout.on('error', () => process.exit(0))

process.exitCode = await runCli(process.argv.slice(2), processIo(ending.signal))
