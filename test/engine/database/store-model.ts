/** What a message of the model is. */
export interface ModelMessage {
  readonly mailbox: number
  /** Its bytes as hexadecimal digits. */
  readonly bytes: string
}

/** Messages by number. */
export type Messages = ReadonlyMap<number, ModelMessage>

/** A store as a map would be one: the dumb twin of the real one. */
export class StoreModel {
  committed: Map<number, ModelMessage> = new Map()
  /** What each session has changed: null for a message that it has deleted. */
  readonly sessions: Map<number, Map<number, ModelMessage | null>> = new Map()

  /** The messages of changes that are under way, also of those that will be refused: they are locked until that is known. */
  readonly atWork: Map<number, number> = new Map()

  /** What a reader sees. */
  seenBy(reader: number | null): Messages {
    const seen = new Map(this.committed)
    for (const [id, message] of (reader === null ? undefined : this.sessions.get(reader)) ?? []) {
      if (message === null) seen.delete(id)
      else seen.set(id, message)
    }
    return seen
  }

  /** The number of the error that a change is refused with; 0 where it is made. */
  change(
    session: number,
    kind: 'insert' | 'replace' | 'remove',
    wanted: { id: number; message: ModelMessage },
  ): number {
    const { id, message } = wanted
    if ((this.atWork.get(id) ?? session) !== session) return -1102
    for (const [other, changes] of this.sessions) if (other !== session && changes.has(id)) return -1102
    const present = this.seenBy(session).get(id)
    if (kind === 'insert' && present !== undefined) return -1605
    if (kind !== 'insert' && present?.mailbox !== message.mailbox) return -1601
    this.sessions.get(session)?.set(id, kind === 'remove' ? null : message)
    return 0
  }

  /** A session's changes are everybody's. */
  commit(session: number): void {
    this.committed = new Map(this.seenBy(session))
    this.sessions.delete(session)
  }

  /** A session's changes are nobody's. */
  rollback(session: number): void {
    this.sessions.delete(session)
  }
}
