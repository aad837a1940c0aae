import type { Generation } from '../engine/generation.ts'
import type { FileFacts } from '../storage/file-operations.ts'

/** A checksum, and the file that it was computed of. */
interface KnownChecksum {
  readonly checksum: bigint
  readonly facts: FileFacts
}

/** A log that was just hashed. */
export interface HashedLog {
  readonly share: string
  readonly generation: Generation
  readonly facts: FileFacts
  readonly checksum: bigint
  /** Whether checksums inside the log show damage to whoever reads it. */
  readonly provesItself: boolean
}

/** Checksums kept, over all shares: about 8 MB. Copies that lag further behind make the source hash again. */
const CHECKSUMS_KEPT_MAX = 32_768

/**
 * The checksums of closed logs, each computed once, however many copies ask. A closed log never changes; so a file that is not
 * the one hashed before, and whose content is another one, is noticed here.
 */
export class ChecksumCache {
  /** In the order of their last use. */
  readonly #known = new Map<string, KnownChecksum>()

  /** Whether one more is kept without forgetting another. */
  get hasRoom(): boolean {
    return this.#known.size < CHECKSUMS_KEPT_MAX
  }

  /** The checksum of a log, when this very file was hashed before; otherwise null. */
  find(share: string, generation: Generation, facts: FileFacts): bigint | null {
    const known = this.#known.get(keyOf(share, generation))
    return known !== undefined && isSameFile(known.facts, facts) ? known.checksum : null
  }

  /**
   * Keeps the checksum of a log. Answers false when the log had another content before: it was changed after it was closed. A
   * file that was touched, or put back from a backup, with the same content is the same log.
   *
   * A changed log whose bytes prove themselves (`provesItself`: the ESE format) is refused once and taken as it is from then on,
   * so that a damaged log which somebody mended can be copied again: the inspector of the copy judges it. Any other changed log
   * is refused until the first content is back or the share is opened anew.
   */
  keep(log: HashedLog): boolean {
    const key = keyOf(log.share, log.generation)
    const known = this.#known.get(key)
    const isSame = known === undefined || known.checksum === log.checksum
    if (!isSame && !log.provesItself) return false
    this.#known.delete(key)
    this.#known.set(key, { checksum: log.checksum, facts: log.facts })
    if (this.#known.size > CHECKSUMS_KEPT_MAX) this.#forgetOldest()
    return isSame
  }

  /** Forgets a share: when it is opened again its logs are taken as they are then. */
  forget(share: string): void {
    const prefix = `${share}/`
    for (const key of this.#known.keys()) if (key.startsWith(prefix)) this.#known.delete(key)
  }

  #forgetOldest(): void {
    for (const key of this.#known.keys()) {
      this.#known.delete(key)
      return
    }
  }
}

/** Whether two looks saw the same file with nothing written in between. */
export function isSameFile(a: FileFacts, b: FileFacts): boolean {
  return a.sizeBytes === b.sizeBytes && a.modifiedMs === b.modifiedMs && a.inode === b.inode && a.device === b.device
}

/** A share's name has no slash. */
function keyOf(share: string, generation: Generation): string {
  return `${share}/${generation}`
}
