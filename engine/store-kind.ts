/**
 * Whose logs a storage group ships, as its source says and its copies keep to:
 *
 * - `mailbox`: a store of ours writes them, and they hold all that its database needs from log 1 on; a copy has a database and
 *   replays them;
 * - `external`: another program closes them; a copy keeps logs only. Also what a source of an earlier version means, which
 *   says nothing.
 */
export type StoreKind = 'mailbox' | 'external'

/** Takes in what another process said; anything but a word that we know asks for nothing more than to keep the logs. */
export function storeKindOf(said: unknown): StoreKind {
  return said === 'mailbox' ? 'mailbox' : 'external'
}
