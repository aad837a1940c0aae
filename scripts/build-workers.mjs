// Bundles each worker entry into one CommonJS file: a worker thread that loads as CommonJS starts faster and, unlike an
// ES module, can be destroyed while it is still loading (docs/decisions/0002-workers-are-bundled.md).
import { readdirSync } from 'node:fs'
import { build } from 'esbuild'

const entries = readdirSync('workers')
  .filter((name) => name.endsWith('-task.ts'))
  .map((name) => `workers/${name}`)

if (entries.length > 0)
  await build({
    entryPoints: entries,
    outdir: 'dist/workers',
    outExtension: { '.js': '.cjs' },
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    sourcemap: true,
    logLevel: 'warning',
  })
