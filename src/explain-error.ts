import type { ErrorCode } from '../engine/error.ts'

/** What a person wants to know of an error code. */
export interface ErrorExplanation {
  readonly cause: string
  readonly cure: string
}

/** Every error code with its cause and its cure. docs/ERRORS.md is made from it, and `ccr explain CODE` prints it. */
export const ERROR_EXPLANATIONS: Readonly<Record<ErrorCode, ErrorExplanation>> = {
  USAGE: entry(
    'The command line cannot be understood: an unknown verb or option, a missing argument, a value that is none.',
    'Follow the hint, or run ccr COMMAND --help.',
  ),
  CONFIG_INVALID: entry(
    'The configuration file, a CCR_ variable or a flag has an unknown key, a value out of bounds, or YAML that is none.',
    'Mend the place that the message names by line and column; ccr config print shows every key.',
  ),
  SCENARIO_INVALID: entry(
    'A scenario file has an unknown verb or field, a value that is none, a name that nothing has given, or YAML that is none.',
    'Mend the place that the message names by line and column; docs/SCENARIOS.md has every verb, and ccr scenario check FILE looks without running it.',
  ),
  LOG_FORMAT_INVALID: entry(
    'The base name is not three letters or digits, or the pattern of a numbered format has no group for the number or could take too long to match.',
    'Give --base-name E00, or a --pattern with one group (?<hex>…) or (?<decimal>…).',
  ),
  NAME_INVALID: entry(
    'The name of a storage group has characters that could be read as a path, or is too long.',
    'Use at most 64 letters, digits, spaces, dots, hyphens and underscores.',
  ),
  URL_INVALID: entry(
    'The URL of a source or of a management API is not of the form that is taken.',
    'Write http://HOST:PORT/shares/SG1 for a source, http://HOST:PORT for --server.',
  ),
  BIND_REFUSED: entry(
    'A listener was to bind an address that is not loopback, or a port that the system forbids.',
    'Use 127.0.0.1 and a port above 1023; for another machine, a tunnel such as ssh -L.',
  ),
  DIRECTORY_MISSING: entry(
    'A directory does not exist or has vanished, for example because a disk was unmounted.',
    'Make it, or mount the disk. A running service goes on by itself once it is back.',
  ),
  DIRECTORY_NOT_WRITABLE: entry(
    'Files cannot be made in a directory: its rights, or a file system that is mounted read-only.',
    'Change the rights of the directory or the mount. A running service goes on by itself.',
  ),
  DIRECTORY_CONFLICT: entry(
    'Two directories that must be apart are the same, or one lies in the other: the logs of a source and the store of its copy, or the folder of a storage group and a backup set. Or directories that must lie on one volume do not: logs and database of a folder that is restored.',
    'Give the copy a store of its own, and the set a directory outside the folders of storage groups, best on another disk. Restore into a folder whose directories are no mounts of their own.',
  ),
  FILE_NOT_REGULAR: entry(
    'Something with the name of a log is a directory, a symbolic link, a pipe or a device.',
    'Move it away. Nothing but regular files is ever read as a log.',
  ),
  FILE_EXISTS: entry(
    'A file that was to be made new is there already, with other content.',
    'Look at both files; move the one that does not belong there away.',
  ),
  FILE_HELD: entry(
    'Another program holds a file open or locked, or has replaced it.',
    'Find and stop the other program (fuser -v FILE); it is tried again by itself.',
  ),
  READ_FAILED: entry(
    'A file or directory cannot be read: it is not there, not permitted, or the disk reports an error.',
    'Check the path and the rights; for an input/output error, check the disk (dmesg, smartctl).',
  ),
  WRITE_FAILED: entry(
    'A file cannot be written for a reason other than a full disk.',
    'Check the disk and the rights; a running service tries again by itself.',
  ),
  SYNC_FAILED: entry(
    'The disk did not confirm that data is durable. What was written since the last confirmation counts as lost.',
    'Check the disk. The logs concerned are copied again; nothing unconfirmed was reported to the source.',
  ),
  DISK_FULL: entry(
    'The disk or the quota is full.',
    'Free space. On a source: back up, and let ccr explain truncation tell what holds the logs. It goes on by itself.',
  ),
  STORE_LOCKED: entry(
    'Another process works on the same store or share.',
    'Stop that one, or use another directory. A lock that a crash left behind is given up after a few seconds.',
  ),
  STORE_FOREIGN: entry(
    'The store belongs to another storage group or another format, or the directory is no store of this program.',
    'Give the path of the right store, or of an empty directory.',
  ),
  JOURNAL_CORRUPT: entry(
    'A line of intent.ndjson in the middle of the file is none that this program wrote.',
    'Read the file, it is text; restore it from a backup, or move it away, which forgets suspensions, marks and enrolments.',
  ),
  LOG_REJECTED: entry(
    'A log is damaged or does not belong where it stands: checksum, size, name, signature or chain.',
    'Run ccr verify on it. A copy fetches it again, three times in all; what failed lies in IgnoredLogs/InspectionFailed with a note.',
  ),
  LOG_MISSING: entry(
    'A log that is needed is not there although later ones are.',
    'Put the file back into the log directory of the source; the copy goes on by itself. Without it the copy must be made new.',
  ),
  LOG_CHANGED: entry(
    'A log was changed, cut or replaced after it was closed, while it was read.',
    'Find out what writes into closed logs; it is read again by itself.',
  ),
  STREAM_MISMATCH: entry(
    'The logs of the source do not continue those of the copy: another stream, or a history that has split.',
    'Compare both with ccr verify. If the source is the right one, give the copy an empty store.',
  ),
  DATABASE_REJECTED: entry(
    'A database cannot be used: neither copy of its header is whole, or it is of a format that this program does not know.',
    'Look at it with ccr dump database. A passive copy is made new by seeding it; an active one is restored from a backup.',
  ),
  PAGE_REJECTED: entry(
    'A page of the database of a mailbox store is damaged (-1018): what needs it cannot be done, everything else can.',
    'Check the disk, look at the database with ccr verify, and restore it from a backup; a passive copy has the page whole.',
  ),
  BACKUP_REJECTED: entry(
    'A backup set is not whole, or cannot be used for what was asked: a file is missing or damaged, the manifest is none, a log lies in no set, or it belongs to another storage group, stream or version.',
    'Look at it with ccr verify DIR; restore another set, or take the backup anew. Nothing was changed.',
  ),
  TOOL_FAILED: entry(
    'A backup command that ccr writer run has started ended with another code than 0, by a signal, or could not be started.',
    'Look at what the command says. Its backup was given up: nothing is recorded, and no log goes. Take it again.',
  ),
  FILE_UNKNOWN: entry(
    'A file is neither a log, nor a checkpoint, nor a database of the ESE engine, or not the one that the command is for.',
    'Check the path; the hint says which command shows the file, where there is one.',
  ),
  PORT_IN_USE: entry(
    'Another process listens on the port already.',
    'Stop it, or choose another port; port 0 takes any free one.',
  ),
  NODE_UNREACHABLE: entry(
    'No service answers at the address.',
    'Start it (ccr share, ccr copy), or give its management address with --server or CCR_SERVER.',
  ),
  SHARE_UNKNOWN: entry(
    'The source answers, but shares no storage group of that name.',
    'Check the end of the URL against the --name of ccr share.',
  ),
  WIRE_PROTOCOL: entry(
    'The other side said something that this protocol does not know: another program, another version, or damage on the way.',
    'Check that the address belongs to ccr share or ccr copy, and that both sides have the same version.',
  ),
  TRANSFER_TIMEOUT: entry(
    'The other side stopped sending in the middle, or sends too slowly.',
    'Check the network. The log is fetched again by itself.',
  ),
  REQUEST_INVALID: entry(
    'A request breaks the rules of HTTP or of the API: an unknown member, a duplicate header, a body that is too large.',
    'Check it against /openapi.json of the service.',
  ),
  STORAGE_GROUP_UNKNOWN: entry(
    'The service has no storage group of that name.',
    'Run ccr status for the names that it has; the source answers at another port than the copy.',
  ),
  STATE_REFUSED: entry(
    'What was asked for is not allowed in the state that the copy or the share is in.',
    'The message says which state; change it first, for example with ccr suspend or ccr resume.',
  ),
  STORE_UNAVAILABLE: entry(
    'The mailbox store is recovering, stopping, or has failed, so that it takes no request. What it had not answered may or may not be committed.',
    'Look at its state with GET /api/v1/stores; a store that has failed is started again by itself, and recovers.',
  ),
  STORE_BUSY: entry(
    'More requests wait for the mailbox store than it keeps, by their number or by the bytes that they bring.',
    'Send fewer at a time, or wait for answers before sending more. Nothing of the request was done.',
  ),
  MESSAGE_EXISTS: entry(
    'A message is to be inserted under a number that another message of the database has (-1605).',
    'Choose another number, or replace the message. Nothing of the transaction was done.',
  ),
  MESSAGE_MISSING: entry(
    'The mailbox has no message of that number (-1601).',
    'List the messages of the mailbox. Nothing of a transaction that is refused so was done.',
  ),
  MESSAGE_TOO_LONG: entry(
    'A message is longer than any may be (-1026): 1 MiB, as much as one log of Exchange 2007 holds.',
    'Send it in several messages. Nothing of the transaction was done.',
  ),
  WRITE_CONFLICT: entry(
    'Another transaction is changing the message, and has not ended yet (-1102).',
    'Send the transaction again. Nothing of it was done.',
  ),
  WAIT_TIMED_OUT: entry(
    'What was waited for did not come in time. It may still come.',
    'Look with ccr status; wait longer with client.timeout.',
  ),
  INTERNAL: entry(
    'A rule of this program itself was broken: a fault of ours.',
    'Report it with the command line and the lines printed below the error.',
  ),
}

function entry(cause: string, cure: string): ErrorExplanation {
  return { cause, cure }
}
