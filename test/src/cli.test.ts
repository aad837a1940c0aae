// Goal: the command line keeps what it promises everywhere: help, version, exit codes, errors with hints, lines from Exchange.
// Method: command lines inside this process; nothing listens anywhere.
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { mayColour } from '../../src/cli-io.ts'
import { translateCmdlet } from '../../src/cmdlet.ts'
import { liveBlock } from '../../src/live-block.ts'
import { VERSION } from '../../src/version.ts'
import { ccr } from './cli-harness.ts'

describe('help', () => {
  it('goes to stdout and ends with 0, for the program and for each verb', async () => {
    const program = await ccr(['--help'])
    const verbs = [...program.stdout.matchAll(/^ {2}([a-z][a-z-]*)[ [<]/gm)].map((match) => match[1] ?? '')

    expect(program).toMatchObject({ exitCode: 0, stderr: '' })
    expect(verbs.length).toBeGreaterThan(8)
    for (const verb of verbs.filter((name) => name !== 'help')) {
      const { exitCode, stdout } = await ccr([verb, '--help'])

      expect({ verb, exitCode }).toEqual({ verb, exitCode: 0 })
      expect(stdout).toContain('--json')
    }
  })

  it.each([['status'], ['suspend'], ['events'], ['verify'], ['write-logs'], ['explain'], ['disable']])(
    'of %s has examples',
    async (verb) => {
      expect((await ccr([verb, '--help'])).stdout).toMatch(/Examples?:\n {2}ccr /)
    },
  )

  it('of nothing at all goes to stderr and ends with 2', async () => {
    const { exitCode, stdout, stderr } = await ccr([])

    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' })
    expect(stderr).toContain('Usage: ccr')
  })
})

describe('the version', () => {
  it('is that of the package', async () => {
    const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))

    expect(VERSION).toBe(manifest.version)
    expect(await ccr(['--version'])).toEqual({ exitCode: 0, stdout: `${VERSION}\n`, stderr: '' })
  })
})

describe('wrong usage', () => {
  it.each([
    [['stauts'], "unknown command 'stauts'", 'Did you mean status?'],
    [
      ['Get-StorageGrupCopyStatus'],
      "unknown command 'Get-StorageGrupCopyStatus'",
      'Did you mean Get-StorageGroupCopyStatus?',
    ],
    [['status', '--fromat', 'list'], "unknown option '--fromat'", 'Did you mean --format?'],
    [['status', '--format', 'xml'], 'Allowed choices are table, list', 'ccr --help'],
    [['suspend'], "missing required argument 'storage-group'", 'ccr --help'],
    [['suspend', 'SG1', 'SG2'], 'too many arguments', 'ccr --help'],
    [['suspend', 'SG1', '--comment'], 'argument missing', 'ccr --help'],
    [['explain', 'Helthy'], 'nothing is known of "Helthy"', 'Did you mean Healthy?'],
    [['explain', 'qqqqqq'], 'nothing is known', 'Give a value'],
    [['write-logs', 'x', '--rate', 'fast'], 'no rate of logs', '20/s'],
    [['write-logs', 'x', '--seed', '4294967296'], 'no whole number', '7'],
    [['events', '--newest', '0'], 'no number from 1', '20'],
    [['status', 'SG1', '-StandbyMachine', 'x'], 'no parameter -StandbyMachine', 'ccr status --help'],
    [['suspend', 'SG1', '-SuspendComent', 'x'], 'no parameter -SuspendComent', 'Did you mean -suspendcomment?'],
    [['eseutil', '/mm', 'x.edb'], 'eseutil /mm is not offered', '/mh'],
  ])('%j ends with 2, says what and what to do', async (line, message, hint) => {
    const { exitCode, stdout, stderr } = await ccr(line)

    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' })
    expect(stderr).toMatch(/^error: .+\nhint: .+\n$/)
    expect(stderr).toContain(message)
    expect(stderr).toContain(hint)
  })

  it('is an object with --json', async () => {
    const { stderr } = await ccr(['status', '--fromat', '--json'])

    expect(JSON.parse(stderr)).toEqual({
      code: 'USAGE',
      message: "unknown option '--fromat'",
      hint: 'Did you mean --format?',
      retriable: false,
    })
  })
})

describe('lines from the Exchange documentation', () => {
  it.each([
    ['Get-StorageGroupCopyStatus', 'status'],
    ['get-storagegroupcopystatus -Identity SG1', 'status SG1'],
    ['Suspend-StorageGroupCopy -Identity SG1 -SuspendComment why', 'suspend SG1 --comment why'],
    ['Suspend-StorageGroupCopy SG1 -Suspend why -Confirm:$false', 'suspend SG1 --comment why'],
    ['Suspend-StorageGroupCopy SG1 --suspend-comment why', 'suspend SG1 --comment why'],
    ['suspend SG1 -SuspendComment:why', 'suspend SG1 --comment why'],
    ['RESUME-STORAGEGROUPCOPY -ident SG1', 'resume SG1'],
    ['Disable-StorageGroupCopy -Identity SG1 -StandbyMachine node2', 'disable SG1 --copy node2'],
    ['Update-StorageGroupCopy -Identity SG1', 'seed SG1'],
    [
      'update-storagegroupcopy sg1 -DELETEEXISTINGFILES -manualresume',
      'seed sg1 --delete-existing-files --manual-resume',
    ],
    ['Update-StorageGroupCopy SG1 -Force', 'seed SG1 --force'],
    ['Update-StorageGroupCopy SG1 -Force:$true', 'seed SG1 --force'],
    ['Update-StorageGroupCopy SG1 -Force:$False -DeleteExistingFiles:$false', 'seed SG1'],
    ['Update-StorageGroupCopy SG1 -ManualResume:$FALSE -WhatIf:$false', 'seed SG1'],
    [
      'Update-StorageGroupCopy -TargetPath /disk -DataHostNames a,b SG1',
      'seed --target-path /disk --data-host-names a,b SG1',
    ],
    ['Update-StorageGroupCopy SG1 -StandbyMachine node2 -WhatIf', 'seed SG1 --standby-machine node2 --what-if'],
    ['Update-StorageGroupCopy SG1 -Confirm:$false -DomainController dc1.example', 'seed SG1'],
    ['Update-StorageGroupCopy SG1 -DeleteEx -Data:a', 'seed SG1 --delete-existing-files --data-host-names a'],
    ['seed SG1 -Force -TargetPath:/disk', 'seed SG1 --force --target-path /disk'],
    ['Get-EventLog Application -EntryType Warning', 'events --level warning'],
    ['--server http://h:1 Get-EventLog -Newest 5', '--server http://h:1 events --newest 5'],
    ['eseutil /ml E0000000001.log', 'dump log E0000000001.log'],
    ['eseutil /mh priv1.edb', 'dump database priv1.edb'],
    ['ESEUTIL /MK E00.chk', 'dump checkpoint E00.chk'],
    ['eseutil /mh pub', 'dump database pub'],
    ['ESEUTIL /K /logs', 'verify /logs'],
    ['eseutil -k E00', 'verify . --base-name E00'],
    ['status SG1 --json', 'status SG1 --json'],
    ['verify -x', 'verify -x'],
  ])('%s means %s', (typed, verb) => {
    expect(translateCmdlet(typed.split(' ')).join(' ')).toBe(verb)
  })

  it('refuses a parameter without its value', () => {
    expect(() => translateCmdlet(['Suspend-StorageGroupCopy', '-Identity'])).toThrow(/has no value/)
  })
})

describe('ccr explain', () => {
  it.each([
    ['Initializing', 'value of SummaryCopyStatus', 'No log was inspected'],
    ['copyqueuelength', 'field of the status', 'not yet copied and inspected'],
    ['2075', 'event id, MSExchangeRepl, error', 'three times'],
    ['LOG_REJECTED', 'error code, exit code 1', 'ccr verify'],
    ['-530', 'error number of ESE, JET_errBadLogSignature', 'another stream'],
    ['truncation.passiveGate', 'setting, in word', 'replayed'],
  ])('tells what %s is', async (word, kind, text) => {
    const { exitCode, stdout } = await ccr(['explain', word])

    expect(exitCode).toBe(0)
    expect(stdout).toContain(kind)
    expect(stdout).toContain(text)
    expect(stdout).toContain('Source: ')
  })

  it('tells both meanings of a word that has two', async () => {
    const { stdout } = await ccr(['explain', 'Failed', '--json'])

    expect(JSON.parse(stdout).explanations.map(({ kind }: { kind: string }) => kind)).toEqual([
      'value of SummaryCopyStatus',
      'field of the status',
    ])
  })
})

describe('a terminal', () => {
  const sink = (isTerminal: boolean) => ({ isTerminal, columns: 20, write: () => {} })

  it('is coloured only where somebody watches and NO_COLOR does not forbid it', () => {
    expect([mayColour(sink(true), {}), mayColour(sink(true), { NO_COLOR: '1' }), mayColour(sink(false), {})]).toEqual([
      true,
      false,
      false,
    ])
    expect([mayColour(sink(true), { NO_COLOR: '' }), mayColour(sink(true), { TERM: 'dumb' })]).toEqual([true, false])
  })

  it('sees an error in red, a file sees none', async () => {
    expect((await ccr(['stauts'], { isTerminal: true })).stderr).toContain('\u001b[31merror:\u001b[39m')
    expect((await ccr(['stauts'], { isTerminal: true, env: { NO_COLOR: '1' } })).stderr).not.toContain('\u001b')
  })

  it('gets blocks redrawn in place, with lines cut so that none wraps', () => {
    let written = ''
    const block = liveBlock({ isTerminal: true, columns: 10, write: (text) => (written += text) })

    block.show(['a line that is too long', 'b'])
    block.show(['c'])

    expect(written).toBe('a line th\nb\n\u001b[2A\u001b[Jc\n')
  })
})
