import type { FileFacts } from './file-operations.ts'

/** Why a scan of the whole directory is wanted, the most urgent first. */
export type ScanWish = 'now' | 'soon' | 'if-changed'

/** What the next wait is for. */
export interface Wait {
  readonly ms: number
  readonly purpose: 'scan' | 'look at unready files'
}

/** How often the directory is looked at as a whole. Exchange's own scan has the same period. */
export const RECONCILE_MS = 30_000

/** How often a missing directory is looked for: one look-up a second costs nothing. */
const MISSING_LOOK_MS = 1000
/** The first look again at a file that is not ready; the pause doubles from look to look, up to the reconcile period. */
const UNREADY_LOOK_MS = 250
/** Between two scans that events asked for. */
const SOON_PAUSE_MS = 200
/** As a multiple of how long the scan before took: somebody waits for what the events did not tell. */
const SOON_PAUSE_FACTOR = 10
/** Scans on the timer take one part in this many of the time: 100,000 logs then cost no more CPU than a few. */
const SCAN_PAUSE_FACTOR = 300
/** However long a scan took on a loaded machine, the next comes after this. */
const SCAN_PAUSE_MS_MAX = 300_000
/** An unchanged time of modification is believed when it is this much older than the last scan: clocks of files are coarse. */
const SETTLED_MS = 2000
/** Once an hour it is not believed at all. */
const UNCONDITIONAL_SCAN_MS = 3_600_000

/** A scan as it was made. */
interface ScanMade {
  readonly atMs: number
  readonly tookMs: number
  /** Time of day at its start, to compare with times of files. */
  readonly wallMs: number
  /** The directory as it was before the scan. */
  readonly directory: FileFacts
}

/** Decides when a directory is scanned as a whole: pure but for the clock that it is given. */
export class ScanSchedule {
  readonly #clock: () => number
  readonly #reconcileMs: number
  #wish: ScanWish | null = 'now'
  #made: ScanMade | null = null
  #unreadyLookMs = UNREADY_LOOK_MS

  constructor(clock: () => number, reconcileMs: number) {
    this.#clock = clock
    this.#reconcileMs = reconcileMs
  }

  /** Whether any scan was made yet. */
  get scanned(): boolean {
    return this.#made !== null
  }

  get wish(): ScanWish | null {
    return this.#wish
  }

  /** Asks for a scan; a more urgent wish stays. */
  want(wish: ScanWish): void {
    const urgency: readonly (ScanWish | null)[] = [null, 'if-changed', 'soon', 'now']
    if (urgency.indexOf(wish) > urgency.indexOf(this.#wish)) this.#wish = wish
  }

  /** Takes the wish away: it is being fulfilled, or cannot be. */
  takeWish(): ScanWish | null {
    const wish = this.#wish
    this.#wish = null
    return wish
  }

  isDue(): boolean {
    return this.#wish === 'soon' ? this.#soonPauseMs() <= 0 : this.#wish !== null
  }

  /** A scan begins; call the answer at its end. */
  begin(directory: FileFacts): () => void {
    const atMs = this.#clock()
    const wallMs = Date.now()
    return () => {
      this.#made = { atMs, wallMs, tookMs: this.#clock() - atMs, directory }
    }
  }

  /** Whether the path leads to another directory than at the last scan. */
  isOther(directory: FileFacts): boolean {
    const before = this.#made?.directory
    return before !== undefined && (before.inode !== directory.inode || before.device !== directory.device)
  }

  /** Whether nothing has come or gone since the last scan, as the directory's own time of modification tells. */
  isSettled(directory: FileFacts): boolean {
    const made = this.#made
    if (made === null || this.isOther(directory)) return false
    if (made.directory.modifiedMs !== directory.modifiedMs) return false
    const settled = Math.abs(made.wallMs - directory.modifiedMs) > SETTLED_MS
    return settled && this.#clock() - made.atMs < UNCONDITIONAL_SCAN_MS
  }

  /** How long to wait when nothing happens, and for what. */
  nextWait(state: { readonly missing: boolean; readonly unready: boolean }): Wait {
    if (this.#wish === 'soon') return { ms: Math.max(1, this.#soonPauseMs()), purpose: 'scan' }
    if (state.missing) return { ms: Math.min(MISSING_LOOK_MS, this.#reconcileMs), purpose: 'scan' }
    const pauseMs = Math.min(SCAN_PAUSE_FACTOR * (this.#made?.tookMs ?? 0), SCAN_PAUSE_MS_MAX)
    const scanMs = Math.max(this.#reconcileMs, pauseMs)
    if (!state.unready) this.#unreadyLookMs = UNREADY_LOOK_MS
    if (!state.unready || this.#unreadyLookMs >= scanMs) return { ms: scanMs, purpose: 'scan' }
    const ms = this.#unreadyLookMs
    this.#unreadyLookMs = 2 * ms
    return { ms, purpose: 'look at unready files' }
  }

  /** How long a scan that events asked for still waits. */
  #soonPauseMs(): number {
    if (this.#made === null) return 0
    const pauseMs = Math.max(SOON_PAUSE_MS, SOON_PAUSE_FACTOR * this.#made.tookMs)
    return this.#made.atMs + this.#made.tookMs + pauseMs - this.#clock()
  }
}
