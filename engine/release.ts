/** A release of Exchange 2007 that rules are told apart by: as it first came out, or with its first service pack. */
export type Release = 'rtm' | 'sp1'
