import type { Choices } from './choices.ts'
import { damagedLog, type ToyLog } from './toy-log.ts'

/** A file apart from its names: what a hard link shares. */
export interface ToyInode {
  readonly log: ToyLog
  /** Whether the content was synced; one that was not may be torn after a power cut. */
  isSynced: boolean
}

/** Which of the names that no directory sync has reached a power cut leaves. */
export type NameSurvival =
  /** The oldest ones up to some point: a file system with an ordered journal (ext4, xfs). */
  | 'prefix'
  /** Any of them: the worst that POSIX allows. */
  | 'any'

/** A directory with the two views of a disk: what programs see now, and what a power cut leaves. */
export class ToyDirectory<Name extends number | string> {
  readonly #names = new Map<Name, ToyInode>()
  readonly #durable = new Map<Name, ToyInode>()
  #unsynced: { readonly name: Name; readonly inode: ToyInode | null }[] = []

  /** How many names programs see. */
  get size(): number {
    return this.#names.size
  }

  /** The file that programs see under this name. */
  get(name: Name): ToyInode | undefined {
    return this.#names.get(name)
  }

  /** The file that a power cut leaves for certain under this name. */
  durable(name: Name): ToyInode | undefined {
    return this.#durable.get(name)
  }

  /** The names that programs see, ascending. */
  sortedNames(): Name[] {
    return [...this.#names.keys()].sort((a, b) => (a < b ? -1 : 1))
  }

  /** Gives a file a name; the name lasts only after {@link sync}. */
  link(name: Name, inode: ToyInode): void {
    this.#names.set(name, inode)
    this.#unsynced.push({ name, inode })
  }

  /** Takes a name away; answers whether it was there. */
  unlink(name: Name): boolean {
    if (!this.#names.delete(name)) return false
    this.#unsynced.push({ name, inode: null })
    return true
  }

  /** Makes every name durable: fsync of the directory. */
  sync(): void {
    for (const { name, inode } of this.#unsynced) this.#apply(name, inode)
    this.#unsynced = []
  }

  /** A file that somebody else puts here durably: the log writer, an operator. */
  place(name: Name, log: ToyLog): void {
    this.link(name, { log, isSynced: true })
    this.sync()
  }

  /** Another disk is in its place, with these files, durable all of them. */
  exchange(files: ReadonlyMap<Name, ToyLog>): void {
    this.#names.clear()
    this.#durable.clear()
    this.#unsynced = []
    for (const [name, log] of files) this.place(name, log)
  }

  /** A power cut: unsynced names survive as the policy says, unsynced content is torn. */
  losePower(choices: Choices, survival: NameSurvival): void {
    const lost = survival === 'prefix' ? choices.below(this.#unsynced.length + 1) : 0
    const kept = this.#unsynced.slice(0, this.#unsynced.length - lost)
    for (const { name, inode } of kept) if (survival === 'prefix' || choices.below(2) === 0) this.#apply(name, inode)
    this.#unsynced = []
    this.#names.clear()
    for (const [name, inode] of this.#durable) this.#names.set(name, this.#settled(name, inode))
  }

  #settled(name: Name, inode: ToyInode): ToyInode {
    if (inode.isSynced) return inode
    const torn = { log: damagedLog(inode.log, 'torn'), isSynced: true }
    this.#durable.set(name, torn)
    return torn
  }

  #apply(name: Name, inode: ToyInode | null): void {
    if (inode === null) this.#durable.delete(name)
    else this.#durable.set(name, inode)
  }
}
