// Goal: a worker that dies is noticed, told once, and can be closed like any other; restarts have a limit.
// Method: a real thread that is brought down by a command that breaks its rules.
import { expect, it } from 'vitest'
import { startCopyWorker, startShareWorker } from '../../workers/pool.ts'
import { RestartBudget } from '../../workers/restart-budget.ts'

it('a worker that dies is told once, and closes at once', async () => {
  const crashes: string[] = []
  let died = (): void => undefined
  const death = new Promise<void>((resolve) => {
    died = resolve
  })
  const worker = startCopyWorker({
    onEvent: () => undefined,
    onCrash: (fault) => {
      crashes.push(fault.message)
      died()
    },
  })
  await worker.ready

  // A source URL that the main thread must have refused: the worker trusts it, so this is a fault of the program.
  const kept = {
    copy: 1,
    sourceUrl: 'ftp://nowhere',
    copyId: '',
    label: '',
    logsDirectory: '/',
    inspectorDirectory: '/',
  }
  worker.send({ kind: 'open-copy', kept: { ...kept, format: null } })
  await death
  worker.send({ kind: 'stop-copying', copy: 1 })
  await Promise.all([worker.close(), worker.close()])

  expect(crashes).toHaveLength(1)
  expect(crashes[0]).toMatch(/^copy-task has died: .*ftp:\/\/nowhere/s)
})

it('a share worker that cannot have its port says so and ends by itself', async () => {
  const reports: string[] = []
  const first = startShareWorker({
    listen: { host: '127.0.0.1', port: 0 },
    onReport: (report) => {
      if (report.kind === 'listening') reports.push(String(report.port))
    },
    onCrash: () => undefined,
  })
  await first.ready
  const faults: string[] = []

  const second = startShareWorker({
    listen: { host: '127.0.0.1', port: Number(reports[0]) },
    onReport: (report) => faults.push(report.kind === 'listen-failed' ? report.fault.code : report.kind),
    onCrash: ({ message }) => faults.push(message),
  })
  await second.ready
  await second.close()
  await first.close()

  expect(faults).toEqual(['PORT_IN_USE', 'stopped'])
})

it('five restarts in a minute are allowed, a sixth is not until the first is a minute old', () => {
  const budget = new RestartBudget()

  const allowed = [0, 1, 2, 3, 4, 5, 59_999, 60_000, 60_000].map((nowMs) => budget.mayRestart(nowMs))

  expect(allowed).toEqual([true, true, true, true, true, false, false, true, false])
})
