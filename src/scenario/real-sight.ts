import { ReplicationError } from '../../engine/error.ts'
import { type DraftSight, runsOf, type SeenEvent, type Sight, seenHolds } from '../../engine/scenario/sight.ts'
import type { EventDocument, JsonObject, TruncationDocument } from '../api-answer.ts'
import { logsIn } from './log-damage.ts'
import { type RealNode, STORAGE_GROUP } from './real-node.ts'
import type { RealWorld } from './real-world.ts'

/** Looks at a world of processes, as far as names and subjects are asked for. What a node that is down would know is not there. */
export class RealSight {
  readonly #world: RealWorld
  readonly #events: SeenEvent[] = []

  constructor(world: RealWorld) {
    this.#world = world
  }

  /** Looks once. `messages` is what came of reading them back, where they are asked for. */
  async look(names: readonly string[], messages: Sight['messages']): Promise<Sight> {
    const draft: DraftSight = { numbers: new Map(), words: new Map(), logs: new Map() }
    const wants = (start: string): boolean => names.some((name) => name.startsWith(start))
    const { active, copies } = this.#world
    if (wants('active.')) await this.#seeStore(draft)
    const truncation = wants('active.') || wants('explain') ? await this.#truncation(draft) : null
    for (const copy of copies) if (wants(`${copy.name}.`)) await seeCopy(copy, draft)
    if (wants('events') || wants('noEvents')) for (const node of [active, ...copies]) await this.#fetchEvents(node)
    return {
      ...draft,
      events: [...this.#events],
      held: seenHolds(truncation?.held ?? []),
      messages,
    }
  }

  /** The last events of every node, with their text. */
  async lastEvents(most: number): Promise<readonly string[]> {
    const { active, copies } = this.#world
    for (const node of [active, ...copies]) await this.#fetchEvents(node)
    return this.#events.slice(-most).map(({ id, of, text }) => `${of.padEnd(6)} ${id}  ${text}`)
  }

  async #fetchEvents(node: RealNode): Promise<void> {
    const events = (await unlessDown(() => node.newEvents())) ?? []
    this.#events.push(...events.map((event: EventDocument) => ({ id: event.id, of: node.name, text: event.text })))
  }

  async #seeStore({ numbers, words, logs }: DraftSight): Promise<void> {
    const { active } = this.#world
    const store = await unlessDown(() => active.client.store(STORAGE_GROUP))
    logs.set('active.logs', runsOf(logsIn(active.logs)))
    words.set('active.status', store === null ? 'ServiceDown' : String(store['state']))
    setNumber(numbers, 'active.current', store?.['openGeneration'])
    setNumber(numbers, 'active.checkpoint', store?.['lowestRequired'])
    // The slots are objects of our own document, or null.
    const slots = (store?.['backups'] ?? {}) as Readonly<Record<string, JsonObject | null>>
    for (const [scope, slot] of Object.entries(slots)) {
      numbers.set(`active.slots.${scope}.first`, Number(slot?.['first'] ?? 0))
      numbers.set(`active.slots.${scope}.last`, Number(slot?.['last'] ?? 0))
    }
  }

  async #truncation({ numbers }: DraftSight): Promise<TruncationDocument | null> {
    const truncation = await unlessDown(() => this.#world.active.client.truncation(STORAGE_GROUP))
    setNumber(numbers, 'active.backedUp', truncation?.backedUpThrough)
    setNumber(numbers, 'active.truncatable', truncation?.truncatableThrough)
    return truncation
  }
}

async function seeCopy(copy: RealNode, { numbers, words, logs }: DraftSight): Promise<void> {
  const { name } = copy
  const status = await unlessDown(() => copy.client.copy(STORAGE_GROUP))
  logs.set(`${name}.logs`, runsOf(logsIn(copy.logs)))
  words.set(`${name}.status`, status?.SummaryCopyStatus ?? 'ServiceDown')
  if (status === null) return
  words.set(`${name}.comment`, String(status['SuspendComment'] ?? ''))
  for (const [known, field] of Object.entries(COPY_FIELDS)) setNumber(numbers, `${name}.${known}`, status[field])
}

const COPY_FIELDS = {
  copyQueue: 'CopyQueueLength',
  replayQueue: 'ReplayQueueLength',
  generated: 'LastLogGenerated',
  inspected: 'LastLogInspected',
  replayed: 'LastLogReplayed',
  required: 'LowestRequiredLog',
} as const

function setNumber(numbers: Map<string, number>, name: string, value: unknown): void {
  if (typeof value === 'number') numbers.set(name, value)
}

/** What a node answers; null while it is down. */
async function unlessDown<Answer>(ask: () => Promise<Answer>): Promise<Answer | null> {
  try {
    return await ask()
  } catch (error) {
    if (error instanceof ReplicationError && error.code === 'NODE_UNREACHABLE') return null
    throw error
  }
}
