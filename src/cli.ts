import { Command, CommanderError, type CommandUnknownOpts } from '@commander-js/extra-typings'
import { ReplicationError } from '../engine/error.ts'
import type { Act, CommandHandler, GlobalOptions } from './cli-context.ts'
import { reportError, usageError } from './cli-error.ts'
import type { CliIo } from './cli-io.ts'
import { translateCmdlet } from './cmdlet.ts'
import { addBackupCommand } from './command/backup.ts'
import { addCompareCommand } from './command/compare.ts'
import { addConfigCommand } from './command/config.ts'
import { addCopyCommand } from './command/copy.ts'
import { addDisableCommand } from './command/disable.ts'
import { addDumpCommand } from './command/dump.ts'
import { addEventsCommand } from './command/events.ts'
import { addExplainCommand } from './command/explain.ts'
import { addLoadCommand } from './command/load.ts'
import { addDismountCommand, addMountCommand } from './command/mount.ts'
import { addNodeCommand } from './command/node.ts'
import { addRestoreCommand } from './command/restore.ts'
import { addScenarioCommand } from './command/scenario.ts'
import { addSeedCommand, addSeedRateCommand } from './command/seed.ts'
import { addShareCommand } from './command/share.ts'
import { addStatusCommand } from './command/status.ts'
import { addStoreCommand } from './command/store.ts'
import { addResumeCommand, addSuspendCommand } from './command/suspend.ts'
import { addUpCommand } from './command/up.ts'
import { addVerifyCommand } from './command/verify.ts'
import { addWriteLogsCommand } from './command/write-logs.ts'
import { addWriterCommand } from './command/writer.ts'
import { VERSION } from './version.ts'

/** Exit codes of commands that a signal ended. */
const SIGNAL_EXITS: Readonly<Record<string, number>> = { SIGINT: 130, SIGTERM: 143 }
/** The exit code of a line that cannot be understood. */
const USAGE_EXIT = 2

/**
 * Runs one command line and gives its exit code: 0 done, 1 failed at run time, 2 wrong usage, 3 a check failed, 4 node
 * unreachable, 5 wait timed out, 6 refused by the state it is in, 130 and 143 ended by a signal. Never throws.
 *
 * @param line the words behind `ccr`
 */
export async function runCli(line: readonly string[], io: CliIo): Promise<number> {
  try {
    const { handler, globals } = parseLine(line, io)
    const exitCode = handler === null ? 0 : await handler({ io, globals })
    return exitCode === 0 && io.signal.aborted ? signalExit(io.signal) : exitCode
  } catch (error) {
    if (error instanceof CommanderError && isHelp(error)) return error.exitCode === 0 ? 0 : USAGE_EXIT
    // What was interrupted throws the reason of the signal, or an AbortError: neither is a fault.
    if (io.signal.aborted && !(error instanceof ReplicationError)) return signalExit(io.signal)
    return reportError(error instanceof CommanderError ? usageError(error) : error, io, line.includes('--json'))
  }
}

/** The whole command tree; each command hands its handler to `act`. Also what docs/CLI.md is checked against. */
export function commandTree(io: CliIo, act: Act): CommandUnknownOpts {
  const program = new Command('ccr')
    .description(
      'Log-shipping replication that behaves as Exchange Server 2007 continuous replication (CCR) does. Modelled on it, not made by Microsoft.',
    )
    .version(VERSION, '-V, --version', 'print the version')
    .option('--json', 'print one JSON document; with --watch or --follow one on each line')
    .option('--server <url>', 'management address of the service to ask (else CCR_SERVER, else the default port)')
    .option('--config <file>', 'configuration file (else CCR_CONFIG, else the user’s own)')
    .helpOption('-h, --help', 'print help')
    .helpCommand('help [command]', 'print help of a command')
    .exitOverride()
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      // The error is thrown as well, and printed in our own form.
      outputError: () => {},
      getOutHelpWidth: () => io.stdout.columns,
      getErrHelpWidth: () => io.stderr.columns,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .addHelpText('after', HELP_AFTER)
  for (const add of COMMANDS) add(program, act)
  return program
}

const COMMANDS = [
  addUpCommand,
  addNodeCommand,
  addShareCommand,
  addCopyCommand,
  addStatusCommand,
  addStoreCommand,
  addDismountCommand,
  addMountCommand,
  addSuspendCommand,
  addResumeCommand,
  addSeedCommand,
  addSeedRateCommand,
  addDisableCommand,
  addBackupCommand,
  addWriterCommand,
  addRestoreCommand,
  addExplainCommand,
  addEventsCommand,
  addWriteLogsCommand,
  addLoadCommand,
  addCompareCommand,
  addScenarioCommand,
  addVerifyCommand,
  addDumpCommand,
  addConfigCommand,
] as const

const HELP_AFTER = `
Lines from the Exchange documentation work too: Get-StorageGroupCopyStatus, Suspend-StorageGroupCopy,
Resume-StorageGroupCopy, Update-StorageGroupCopy, Disable-StorageGroupCopy, Get-EventLog, eseutil /ml, /mk, /mh, /k.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 a check failed, 4 node unreachable, 5 wait timed out,
6 refused by the state it is in, 130 and 143 ended by a signal.`

interface ParsedLine {
  readonly handler: CommandHandler | null
  readonly globals: GlobalOptions
}

function parseLine(line: readonly string[], io: CliIo): ParsedLine {
  let handler: CommandHandler | null = null
  const program = commandTree(io, (given) => {
    handler = given
  })
  program.parse(translateCmdlet(line), { from: 'user' })
  return { handler, globals: globalsOf(program.opts()) }
}

function globalsOf(options: Readonly<Record<string, unknown>>): GlobalOptions {
  const { json, server, config } = options
  return {
    ...(json === true ? { json } : {}),
    ...(typeof server === 'string' ? { server } : {}),
    ...(typeof config === 'string' ? { config } : {}),
  }
}

function isHelp(error: CommanderError): boolean {
  return ['commander.helpDisplayed', 'commander.help', 'commander.version'].includes(error.code)
}

function signalExit(signal: AbortSignal): number {
  return SIGNAL_EXITS[String(signal.reason)] ?? 1
}
