/** How fast something goes on, smoothed, so that an estimate of its end does not jump. A value: each call answers the next one. */
export interface ProgressRate {
  readonly atMs: number
  readonly bytes: number
  /** Null before two looks that lie apart. */
  readonly bytesPerSecond: number | null
}

/** After this long a change of the rate counts for two thirds, in milliseconds. */
const SMOOTHED_MS = 5_000
/** Looks that are nearer to each other say nothing, in milliseconds. */
const LOOK_MS_MIN = 50

/** A progress at its beginning. */
export function startProgress(bytes: number, nowMs: number): ProgressRate {
  return { atMs: nowMs, bytes, bytesPerSecond: null }
}

/** The progress after another look. Bytes that go back begin anew. */
export function lookAt(progress: ProgressRate, bytes: number, nowMs: number): ProgressRate {
  const elapsedMs = nowMs - progress.atMs
  if (bytes < progress.bytes) return startProgress(bytes, nowMs)
  if (elapsedMs < LOOK_MS_MIN) return progress
  const now = ((bytes - progress.bytes) * 1_000) / elapsedMs
  const weight = 1 - Math.exp(-elapsedMs / SMOOTHED_MS)
  const before = progress.bytesPerSecond
  return { atMs: nowMs, bytes, bytesPerSecond: before === null ? now : before + (now - before) * weight }
}

/** How long the rest takes at this rate, in milliseconds; null while nothing says it. */
export function remainingMs({ bytesPerSecond, bytes }: ProgressRate, totalBytes: number): number | null {
  if (bytesPerSecond === null || bytesPerSecond <= 0) return null
  return Math.max(0, ((totalBytes - bytes) * 1_000) / bytesPerSecond)
}
