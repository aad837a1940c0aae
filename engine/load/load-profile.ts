import { assert } from '../assert.ts'
import { MESSAGE_BYTES_MAX } from '../database/store-layout.ts'
import type { Draw } from './load-draw.ts'

/** What is done to a message. */
export type ActionKind = 'deliver' | 'read' | 'replace' | 'delete'

/** Messages of one range of sizes; within it all sizes are equally likely. */
interface SizeClass {
  /** How many of the messages are of this class, in relation to the others. */
  readonly weight: number
  /** In bytes, both included. */
  readonly least: number
  readonly most: number
}

/** What a load does. */
export interface LoadProfile {
  /** How often each action occurs, in relation to the others. */
  readonly weights: Readonly<Record<ActionKind, number>>
  readonly sizes: readonly SizeClass[]
  /** Messages of a mailbox above which none is delivered before another one is deleted; bounds database and ledger. */
  readonly messagesMax: number
}

/** The names of the profiles that are offered. */
export type ProfileName = 'light' | 'average' | 'heavy'

/** The smallest message of a load, in bytes: below this, two seeds may make the same content. */
export const LOAD_BYTES_LEAST = 64

const KIBIBYTE = 1024

/**
 * Users as the sizing of Exchange 2007 knows them, who get 20, 40 or 80 messages a day and send a quarter of that; an average
 * message has 50 KB (Source: Microsoft, Mailbox Server Storage Design, Exchange 2007). That the tail is long (few attachments
 * are most of the bytes) and how often messages are read, changed and deleted is our own estimate.
 */
export const LOAD_PROFILES: Readonly<Record<ProfileName, LoadProfile>> = {
  light: {
    weights: { deliver: 25, read: 20, replace: 5, delete: 20 },
    sizes: classes([70, 25, 4, 1]),
    messagesMax: 200,
  },
  average: {
    weights: { deliver: 50, read: 60, replace: 15, delete: 40 },
    sizes: classes([50, 32, 14, 4]),
    messagesMax: 500,
  },
  heavy: {
    weights: { deliver: 100, read: 160, replace: 40, delete: 80 },
    sizes: classes([45, 32, 17, 6]),
    messagesMax: 1000,
  },
}

/** The profile with messages of `[least, most]` bytes, all as likely; both from {@link LOAD_BYTES_LEAST} to a MiB. */
export function withSizes(profile: LoadProfile, least: number, most: number): LoadProfile {
  assert(least >= LOAD_BYTES_LEAST && least <= most && most <= MESSAGE_BYTES_MAX, 'sizes are those of messages')
  return { ...profile, sizes: [{ weight: 1, least, most }] }
}

/** The mean size of a message, in bytes. */
export function meanSize({ sizes }: LoadProfile): number {
  const weight = sizes.reduce((sum, one) => sum + one.weight, 0)
  return sizes.reduce((sum, one) => sum + (one.weight * (one.least + one.most)) / 2, 0) / weight
}

/** The size of the next message, in bytes. */
export function drawSize({ sizes }: LoadProfile, draw: Draw): number {
  const { least, most } = drawWeighted(sizes, ({ weight }) => weight, draw)
  return least + draw.below(most - least + 1)
}

/** What is done next, of the actions in `allowed`, one of which at least occurs in the profile. */
export function drawAction<Kind extends ActionKind>(
  { weights }: LoadProfile,
  allowed: readonly Kind[],
  draw: Draw,
): Kind {
  return drawWeighted(allowed, (action) => weights[action], draw)
}

function drawWeighted<One>(ones: readonly One[], weightOf: (one: One) => number, draw: Draw): One {
  let left = draw.below(ones.reduce((sum, one) => sum + weightOf(one), 0))
  const drawn = ones.find((one) => {
    left -= weightOf(one)
    return left < 0
  })
  assert(drawn !== undefined, 'one of those that may be drawn has a weight')
  return drawn
}

/** Four classes of sizes, of which only the weights differ from profile to profile. */
function classes(
  weights: readonly [note: number, letter: number, document: number, attachment: number],
): readonly SizeClass[] {
  const [note, letter, document, attachment] = weights
  return [
    { weight: note, least: KIBIBYTE, most: 8 * KIBIBYTE },
    { weight: letter, least: 8 * KIBIBYTE, most: 40 * KIBIBYTE },
    { weight: document, least: 40 * KIBIBYTE, most: 200 * KIBIBYTE },
    { weight: attachment, least: 200 * KIBIBYTE, most: MESSAGE_BYTES_MAX },
  ]
}
