import { eventText } from '../engine/event-catalogue.ts'
import type { Generation } from '../engine/generation.ts'
import type { EventOrder } from '../engine/order.ts'
import { copyStatus } from '../engine/replication/copy-status.ts'
import { type DraftSight, runsOf, type SeenEvent, type Sight, seenHolds } from '../engine/scenario/sight.ts'
import { explainTruncation } from '../engine/source/explain-truncation.ts'
import type { CopyNode } from './copy-node.ts'
import type { World } from './world.ts'

/** An event of the toy world, with who raised it: `source`, `copy1`. */
export interface RaisedEvent {
  readonly who: string
  readonly order: EventOrder
}

/** Everything that a scenario may ask of a toy world, as it is now. */
export function sightOf(world: World, events: readonly RaisedEvent[]): Sight {
  const sight: DraftSight = { numbers: new Map(), words: new Map(), logs: new Map() }
  seeActive(world, sight)
  for (const copy of world.copies) seeCopy(copy, sight)
  const held = world.source.isUp ? explainTruncation(world.source.state).held : []
  return {
    ...sight,
    events: events.map(seenEvent),
    held: seenHolds(held),
    messages: null,
  }
}

function seeActive({ source, generated }: World, { numbers, words, logs }: DraftSight): void {
  logs.set('active.logs', runsOf(source.disk.logs.sortedNames()))
  words.set('active.status', source.isUp ? 'running' : 'ServiceDown')
  if (!source.isUp) return
  numbers.set('active.current', generated + 1)
  numbers.set('active.backedUp', source.state.mark?.through ?? 0)
  numbers.set('active.truncatable', explainTruncation(source.state).truncatableThrough)
  for (const [scope, backup] of Object.entries(source.state.backups)) {
    numbers.set(`active.slots.${scope}.first`, backup?.range.first ?? 0)
    numbers.set(`active.slots.${scope}.last`, backup?.range.last ?? 0)
  }
  if (source.disk.required !== null) numbers.set('active.checkpoint', source.disk.required)
}

function seeCopy({ label, isUp, state, disk }: CopyNode, { numbers, words, logs }: DraftSight): void {
  const see = (name: string, value: Generation | number | undefined): void => {
    if (value !== undefined) numbers.set(`${label}.${name}`, value)
  }
  logs.set(`${label}.logs`, runsOf(disk.logs.sortedNames()))
  const status = copyStatus(state)
  words.set(`${label}.status`, isUp ? status.summary : 'ServiceDown')
  if (!isUp) return
  words.set(`${label}.comment`, status.suspendComment)
  see('copyQueue', status.copyQueueLength)
  see('replayQueue', status.replayQueueLength)
  see('generated', status.lastLogGenerated)
  see('inspected', status.lastLogInspected)
  see('replayed', status.lastLogReplayed)
  see('required', status.requiredLogs?.low)
}

function seenEvent({ who, order }: RaisedEvent): SeenEvent {
  const of = who === 'source' ? 'active' : who
  return { id: order.id, of, text: eventText(order.id, 'SG1', order.values) }
}
