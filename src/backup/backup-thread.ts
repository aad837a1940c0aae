import { type ErrorDocument, ReplicationError } from '../../engine/error.ts'
import type { BackupAnswers, BackupCommand, BackupQuery, BackupReport } from '../../workers/backup-messages.ts'
import { startBackupWorker, type WorkerHandle } from '../../workers/pool.ts'

/** How one query is watched. */
export interface BackupWatch {
  /** See the report `taken`. */
  readonly onTaken?: () => void
  /** Ten times in a second at most. */
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void
  /** Ends the query with `STATE_REFUSED` when it fires. */
  readonly signal?: AbortSignal
}

interface Pending {
  readonly watch: BackupWatch
  readonly resolve: (answer: BackupAnswers[keyof BackupAnswers]) => void
  readonly reject: (error: ReplicationError) => void
}

/**
 * A thread that writes, verifies or restores one backup set at a time. Start one for each backup, verification or restore, and close it
 * after that: what it has written without finishing is removed then.
 */
export class BackupThread {
  readonly #worker: WorkerHandle<BackupCommand>
  readonly #pending = new Map<number, Pending>()
  #lastRequest = 0
  #crash: ReplicationError | null = null

  private constructor() {
    this.#worker = startBackupWorker({
      onReport: (report) => this.#take(report),
      onCrash: ({ message }) => this.#fail(message),
    })
  }

  /** Starts the thread; resolves when it takes queries. */
  static async start(): Promise<BackupThread> {
    const thread = new BackupThread()
    await thread.#worker.ready
    return thread
  }

  /** Asks one thing. Errors: those that stand with the query, `INTERNAL` when the thread dies. */
  async ask<Query extends BackupQuery>(query: Query, watch: BackupWatch = {}): Promise<BackupAnswers[Query['ask']]> {
    if (this.#crash !== null) throw this.#crash
    this.#lastRequest += 1
    const request = this.#lastRequest
    const cancel = (): void => this.#worker.send({ kind: 'cancel', request })
    const answered = new Promise<BackupAnswers[keyof BackupAnswers]>((resolve, reject) => {
      this.#pending.set(request, { watch, resolve, reject })
      this.#worker.send({ kind: 'request', request, query })
    })
    watch.signal?.addEventListener('abort', cancel, { once: true })
    if (watch.signal?.aborted === true) cancel()
    try {
      return (await answered) as BackupAnswers[Query['ask']] // the worker answers each question with its own kind of answer
    } finally {
      watch.signal?.removeEventListener('abort', cancel)
    }
  }

  /** From now on so many bytes in a second are copied; null for no bound. Heeded within 50 ms. */
  setRate(bytesPerSecond: number | null): void {
    this.#worker.send({ kind: 'set-rate', bytesPerSecond })
  }

  /** Ends what is under way, removes a set that is not finished, and ends the thread. May be called twice. */
  close(): Promise<void> {
    return this.#worker.close()
  }

  #take(report: BackupReport): void {
    if (report.kind === 'stopped') {
      this.#fail('the thread was closed')
      return
    }
    const pending = this.#pending.get(report.request)
    if (pending === undefined) return
    if (report.kind === 'progressed') pending.watch.onProgress?.(report.doneBytes, report.totalBytes)
    else if (report.kind === 'taken') pending.watch.onTaken?.()
    else {
      this.#pending.delete(report.request)
      if (report.kind === 'answered') pending.resolve(report.answer)
      else pending.reject(errorOf(report.error))
    }
  }

  #fail(why: string): void {
    this.#crash = new ReplicationError({
      code: 'INTERNAL',
      message: `the backup thread has ended: ${why}`,
      hint: 'Take the backup anew; report it if it happens again.',
    })
    for (const { reject } of this.#pending.values()) reject(this.#crash)
    this.#pending.clear()
  }
}

function errorOf({ code, message, hint, retriable: _, ...fields }: ErrorDocument): ReplicationError {
  return new ReplicationError({ code, message, hint, fields })
}
