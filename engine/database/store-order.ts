import type { Generation } from '../generation.ts'
import type { CheckpointFile } from './checkpoint-file.ts'
import type { DatabaseHeader } from './database-header.ts'

/**
 * What a store asks of its disk. Three rules hold for all of it:
 *
 * 1. Orders of one lane run one after the other, in list order; an order has ended when its effect is durable, except for
 *    `write-pages`, which `sync-database` makes durable. The two lanes, of the log and of the database, run side by side: whatever
 *    one needs of the other, the store has waited for before it gave the order.
 * 2. No order is kept anywhere. After a crash nothing is done again: recovery looks at what lies there, which is made durable when the
 *    files are opened, since a killed process may have left what no sync has reached. Done twice, an order does no harm.
 * 3. An order that fails ends the store. It is closed without another write, and the next start recovers it.
 */
export type StoreOrder = LogOrder | DatabaseOrder

/** Orders of the lane of the log. */
export type LogOrder =
  | {
      /**
       * `bytes` go to byte `at` of the open log, both multiples of its sector. Inside one write the sectors may come to the disk in
       * any order. The memory is the store's again when the order has ended, and not changed before.
       */
      readonly order: 'write-log'
      readonly generation: Generation
      readonly at: number
      readonly bytes: Uint8Array
    }
  | {
      /**
       * The prepared log becomes the open one, as generation `opens`. Each of these is durable before the next, directory included:
       *
       * 1. `header` is written over the first bytes of the prepared log, which is otherwise the fill pattern, `fileBytes` long; where it
       *    is still being prepared, that is waited for;
       * 2. the open log gets the name of its generation, `closes`; null where there is none (a new stream, or a log that was lost);
       * 3. the prepared log gets the name of the open one.
       *
       * A crash between 2 and 3 leaves no open log but a prepared one; recovery knows that state. Done again, what is done is
       * skipped: an open log that begins with `header` ends the order.
       */
      readonly order: 'roll-log'
      readonly closes: Generation | null
      readonly opens: Generation
      readonly header: Uint8Array
      readonly fileBytes: number
    }
  | {
      /**
       * The next log is prepared under its temporary name: `fileBytes` of fill pattern, its header not written yet. May run on while
       * later orders run; `roll-log` waits for it. A prepared log that lies there already is made anew.
       *
       * With `reuse`, which no recovery needs any more, the file of this closed log becomes the prepared one (circular logging) and is
       * overwritten with the pattern; one that is not there is no fault. Where the disk is full a reserve log may take its place,
       * which the fact `log-prepared` then says.
       */
      readonly order: 'prepare-log'
      readonly fileBytes: number
      readonly reuse: Generation | null
    }
  | {
      /** Recovery: the open log is replaced by `bytes`, its whole file, as a file that appears whole or not at all. */
      readonly order: 'mend-log'
      readonly generation: Generation
      readonly bytes: Uint8Array
    }
  | {
      /**
       * Recovery of a loss that was accepted: the open log and closed logs from `from` on leave the directory, the highest generation
       * first, so that a crash leaves no gap. They are kept for the operator where there is a place for it.
       */
      readonly order: 'discard-logs'
      readonly from: Generation
    }

/** Orders of the lane of the database, and of the files that follow it. */
export type DatabaseOrder =
  | {
      /** A database without pages, both copies of `header`; it appears whole or not at all. One that lies there is replaced. */
      readonly order: 'create-database'
      readonly header: DatabaseHeader
    }
  | {
      /**
       * Copies of the pages that the next order writes go to a file of their own beside the database, over those of the time before. A
       * crash may tear a page that is written in place, and no log can mend half a page: its copy can. What the order before it wrote
       * in place is durable before the file is touched.
       *
       * Nothing needs to be whole after a crash in this order: each image proves itself by a digest. An image that is whole is always
       * the newest of its page that was ever written in place. A database that is replaced by another one takes the file with it.
       */
      readonly order: 'save-pages'
      readonly pages: readonly PageImage[]
      /** See {@link SavedPage}. */
      readonly headerDigest: bigint
    }
  | {
      /** Pages in ascending order; each is old, new or torn after a crash, in any order. Nothing is durable before `sync-database`. */
      readonly order: 'write-pages'
      readonly pages: readonly PageImage[]
    }
  | {
      /** All pages that were written are durable. */
      readonly order: 'sync-database'
    }
  | {
      /** Both copies of the header, the first durable before the shadow is begun. */
      readonly order: 'write-header'
      readonly header: DatabaseHeader
    }
  | {
      /** The checkpoint file, new or old after a crash. It comes behind the header that has risen with it. */
      readonly order: 'write-checkpoint'
      readonly checkpoint: CheckpointFile
    }
  | {
      /** Closed logs that no recovery needs any more are deleted, ascending, and what is missing is passed over (circular logging). */
      readonly order: 'delete-logs'
      readonly first: Generation
      readonly last: Generation
    }

/** A sealed page that goes to byte (number + 1) × page size. The memory is not changed before its order has ended. */
export interface PageImage {
  readonly number: number
  readonly bytes: Uint8Array
}

/** An image as `save-pages` left it, whole: no crash tore it. */
export interface SavedPage extends PageImage {
  /**
   * Of the header that was durable then: while that is the header of the file, the batch is the last thing that was written there. Null
   * in a file of the time before there were digests, where only the checksum of the page says whether the image is whole.
   */
  readonly headerDigest: bigint | null
}

/** What a recovery or a replay asks to be read. */
export type StoreQuestion =
  | {
      /** What the last `save-pages` left, as far as it is whole; nothing where there is no such file. Answered by a list of {@link SavedPage}. */
      readonly order: 'read-saved-pages'
    }
  | {
      /** One page, unverified; behind the end of the file it is all zero. Answered by its bytes, which the asker may keep and change. */
      readonly order: 'read-page'
      readonly number: number
    }
  | {
      /**
       * A whole log, unverified; null where there is none. Logs are asked for in ascending order, so the next ones up to `last` may
       * be read ahead. The memory may be used again for the next log.
       */
      readonly order: 'read-log'
      readonly generation: Generation
      /** Whether it is asked for as the open log, whatever generation it turns out to have. */
      readonly open: boolean
      readonly last: Generation
    }

/** Orders of one lane that belong together. Bundles of a lane are executed in the order in which they were given. */
export interface OrderBundle<Order extends StoreOrder> {
  /** Ascending in its lane. */
  readonly sequence: number
  /** At least one. */
  readonly orders: readonly Order[]
}

/** What a store hears of. */
export type StoreFact =
  /** All orders of the log's lane up to this bundle have ended. */
  | { readonly fact: 'log-written'; readonly sequence: number }
  /** All orders of the database's lane up to this bundle have ended. */
  | { readonly fact: 'database-written'; readonly sequence: number }
  /** The prepared log lies there; `reserve` says that it was made of a reserve log, as the disk is full. */
  | { readonly fact: 'log-prepared'; readonly reserve: boolean }
  /** A page that an operation needs; the memory is free afterwards. */
  | { readonly fact: 'page-read'; readonly number: number; readonly bytes: Uint8Array }
  /** Some time has passed, about a second. */
  | { readonly fact: 'clock-ticked'; readonly nowMs: number }
