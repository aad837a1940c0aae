import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Of better-sqlite3, which brings SQLite with it. */
const VERSION = '12.11.1'
const INSTALL_MS = 300_000

/**
 * The directory with better-sqlite3. It is installed here the first time, beside the project's own dependencies and never by its
 * `npm ci`; it compiles SQLite where there is no binary to fetch, which takes a minute.
 *
 * @returns the directory, or why it is not there
 */
export function installSqlite(
  tell: (text: string) => void,
): { readonly modules: string } | { readonly missing: string } {
  const modules = cacheDirectory()
  if (existsSync(join(modules, 'node_modules/better-sqlite3/build/Release/better_sqlite3.node'))) return { modules }
  tell(`installing better-sqlite3 ${VERSION} in ${modules}`)
  mkdirSync(modules, { recursive: true })
  writeFileSync(join(modules, 'package.json'), '{"private":true}\n')
  const words = ['install', '--no-audit', '--no-fund', '--no-save', `better-sqlite3@${VERSION}`]
  const { status, stderr } = spawnSync('npm', words, { cwd: modules, encoding: 'utf8', timeout: INSTALL_MS })
  if (status === 0) return { modules }
  return { missing: `better-sqlite3 could not be installed: ${stderr.trim().split('\n')[0] ?? ''}` }
}

/** Where packages of the bench lie: in the directory for what tools keep between their runs. */
function cacheDirectory(): string {
  const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/dist\/$/, '/')
  return join(root, 'node_modules/.cache/ccr-bench-sqlite')
}
