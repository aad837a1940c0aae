import { type EventId, SHADOW_FREEZE_STARTED } from '../engine/event-catalogue.ts'

/** Why an event is raised and what an operator does about it. Its source, level and text stand in the catalogue. */
export interface EventExplanation {
  readonly causes: string
  readonly cure: string
}

const NOTHING_TO_DO = 'Nothing to do.'

/** Every event of the catalogue. docs/EVENTS.md is made from it, and `ccr explain NUMBER` prints it. */
export const EVENT_EXPLANATIONS: Readonly<Record<EventId, EventExplanation>> = {
  102: row('The mailbox store of the storage group is started.', NOTHING_TO_DO),
  103: row('The mailbox store was stopped in order: its database is in Clean Shutdown.', NOTHING_TO_DO),
  104: row(
    'The mailbox store could not be started, or has ended: a disk failed or is full, a log is missing or corrupt, or the lock was lost.',
    'The text says why. The store is started again by itself, after a wait that grows to a minute, and recovers then.',
  ),
  206: row(
    'An incremental or differential backup was asked for, and the last full one is none of its own method, or there is none.',
    'Take a full backup with the same method first.',
  ),
  210: row('A backup was begun, of either copy.', NOTHING_TO_DO),
  211: row('A backup was begun, of either copy.', NOTHING_TO_DO),
  213: row(
    'The header of the database knows of the backup; what may go, goes now or as the copies catch up.',
    NOTHING_TO_DO,
  ),
  214: row(
    'The one who took the backup gave it up or ended, or a file could not be read.',
    'Nothing was truncated and no backup is recorded. Take it again.',
  ),
  217: row(
    'A page does not verify although it was read again several times.',
    'Fail over to the copy if it has the page whole, or restore the database; until then the older backups are the good ones.',
  ),
  220: row('A backup has begun to read the file.', NOTHING_TO_DO),
  221: row('A backup has read the file.', NOTHING_TO_DO),
  223: row('A streaming backup has read the database; the log was rolled for it.', NOTHING_TO_DO),
  224: row('Backed up and processed by every copy, so they may go.', NOTHING_TO_DO),
  225: row(
    'A backup was reported, but a rule holds every log.',
    'ccr explain truncation SG tells which rule, and what would release them.',
  ),
  227: row(
    'Somebody deleted logs by hand before truncation did.',
    'Find out who; a log that a copy still needs must not be deleted.',
  ),
  240: row('A copy is seeded with the database of the active, which goes on.', NOTHING_TO_DO),
  243: row('The last page of a seed was read, and the log was closed behind it.', NOTHING_TO_DO),
  244: row(
    'The copy has the database and the logs that it needs. A seed is no backup: nothing is truncated by it.',
    NOTHING_TO_DO,
  ),
  300: row('The copy started, was resumed, or goes on after a fault.', NOTHING_TO_DO),
  302: row(
    'The mailbox store had not been stopped in order; its logs were redone, and what was not committed was undone.',
    NOTHING_TO_DO,
  ),
  325: row('The storage group is new.', 'Take a full backup; until then nothing is truncated.'),
  326: row('The mailbox store is open: it takes messages.', NOTHING_TO_DO),
  327: row('The mailbox store was stopped.', NOTHING_TO_DO),
  399: row(
    'The disk gave back a page in which bits were turned; the checksum tells which.',
    'Nothing was lost. Check the disk: the next page may have two turned bits, and these cannot be turned back.',
  ),
  452: row(
    'Somebody deleted a log that the database of the copy still needs.',
    'The store is looked at anew and the log is copied again; where the source has it no more, the copy has to be seeded.',
  ),
  454: row(
    'A disk or the worker that replays failed; the text names the error.',
    'It is tried again by itself, at the latest after 30 s. ccr explain knows the error number.',
  ),
  459: row(
    'Somebody deleted logs by hand, or restored an older database.',
    'Take a full backup; an incremental one would leave a hole.',
  ),
  465: row(
    'A log was sound when it was inspected and has changed since: a failing disk, or somebody wrote into it.',
    'It is set aside and copied again, three times in all. Check the disk of the copy.',
  ),
  474: row(
    'The disk of the copy gave back a page that differs from what was written.',
    'Check the disk, then seed the copy. The active database is not concerned.',
  ),
  494: row('The database and the logs come from different streams.', 'Seed the copy.'),
  516: row(
    'The copy has diverged: its database holds changes that its source never made, or lacks some.',
    'Seed the copy. Find out who wrote into it, or lost a write.',
  ),
  517: row('The database is that of another history than the logs.', 'Seed the copy.'),
  520: row(
    'The tool that took the backup said that it has completed, and had not read all of its logs.',
    'Nothing was truncated. Take the backup again, and look into the tool.',
  ),
  524: row(
    'Committed logs were lost at a failover, and that was accepted. The database is consistent, without what they held.',
    'Nothing for the database. What was lost may be in the transport dumpster.',
  ),
  717: row('The maintenance window opened, and the pass before had come to the end.', NOTHING_TO_DO),
  718: row('As 717, with zeroing.', NOTHING_TO_DO),
  719: row('The maintenance window opened, and the pass under way goes on where it stopped.', NOTHING_TO_DO),
  720: row('As 719, with zeroing.', NOTHING_TO_DO),
  721: row('The pass has come to the end of the database; the next one begins with the next window.', NOTHING_TO_DO),
  722: row('As 721, with zeroing.', NOTHING_TO_DO),
  723: row(
    'The disk of the active database refused to be read.',
    'Check the disk of the database. Its copy has every page.',
  ),
  724: row('As 723, with zeroing.', 'Check the disk of the database. Its copy has every page.'),
  725: row(
    'The pass takes longer than one window.',
    'Nothing to do, unless it never comes to an end: then it needs a longer window or a shorter throttle.',
  ),
  726: row('As 725, with zeroing.', 'As 725.'),
  727: row(
    'The disk of the active database gave back a page that differs from what was written. A backup of the copy never notices.',
    'What lies on this page can be read no more unless memory has it, and then the page is written again; the store goes on with all others, and its copy has the page still. Check the disk.',
  ),
  2001: row('The service began to share or to copy the storage group.', NOTHING_TO_DO),
  2002: row('The service was stopped.', 'Start it again if nobody meant it.'),
  2003: row('The store goes on after a snapshot.', NOTHING_TO_DO),
  2004: row(
    'The snapshot took longer than the store may stand still, or nobody thawed it.',
    'The backup fails. Use a file system with reflinks or a faster disk, raise the limit, or look into the tool.',
  ),
  2005: row('A snapshot of the active is about to be taken.', NOTHING_TO_DO),
  2006: row(
    'The header of the database knows of the backup; what may go, goes now or as the copies catch up.',
    NOTHING_TO_DO,
  ),
  2007: row(
    'The one who took the backup gave it up or ended, the freeze timed out, or the service was stopped.',
    'Nothing was truncated and no backup is recorded. Take it again.',
  ),
  2008: row('A snapshot of the active is about to be taken, for its logs.', NOTHING_TO_DO),
  2021: row('A backup tool has asked what can be backed up.', NOTHING_TO_DO),
  2023: row('A backup of the passive copy was begun.', NOTHING_TO_DO),
  2025: row('The copy is about to be frozen.', NOTHING_TO_DO),
  2027: row('Copying and replay stand still while the snapshot is taken.', NOTHING_TO_DO),
  2029: row('Copying and replay go on.', NOTHING_TO_DO),
  2033: row(
    'The tool gave the backup up, the active refused it, or the freeze timed out.',
    'Nothing was truncated. The text says why; take the backup again.',
  ),
  2035: row('The files of the snapshot are in the backup set.', NOTHING_TO_DO),
  2046: row(
    'The active has recorded the backup.',
    'Nothing to do. The header of the passive learns of it when it replays the log that the active has rolled.',
  ),
  2058: row(
    'The copy and its source have no common history any more, or the database of the copy has changes of logs that its source does not have.',
    'Compare both with ccr verify; give the copy an empty store.',
  ),
  2059: row(
    'Somebody deleted or moved a log that the copy still needs.',
    'Put the file back; the copy goes on by itself. Without it give the copy an empty store.',
  ),
  2060: row(
    'A disk or the network failed for a while.',
    'The copy tries again by itself, at the latest after 30 s. Check the cause that the text names.',
  ),
  2073: row(
    'A disk is not mounted, or the directory was removed or renamed.',
    'Bring it back; the copy goes on by itself.',
  ),
  2074: row('A log could not be fetched or written.', 'The text names the cause. It is tried again by itself.'),
  2075: row(
    'The bytes that arrived, or the log on the source, are damaged or do not belong to the stream.',
    'It is copied again, three times in all. Then run ccr verify on the log at the source.',
  ),
  2080: row('The copy started and has scanned its store.', NOTHING_TO_DO),
  2081: row('The copy was stopped or is being started anew.', NOTHING_TO_DO),
  2104: row(
    'The source could not open or read a log that a copy asked for.',
    'Check the file at the source. It is tried again by itself.',
  ),
  2114: row('The first log after a start or a resume was copied.', NOTHING_TO_DO),
  9001: row(
    'ccr suspend, with the comment in the text.',
    'ccr resume SG when the work is done: until then the source keeps its logs.',
  ),
  9002: row('ccr resume.', NOTHING_TO_DO),
  9003: row(
    'A copy connected for the first time.',
    'From now on it holds truncation; ccr disable SG --copy ID if it is gone for good.',
  ),
  9004: row('ccr disable.', 'Its files stay where they are; delete them by hand when nobody needs them.'),
  9005: row('A backup product, or ccr backup mark, said so.', NOTHING_TO_DO),
  9006: row(
    'The log failed inspection for good.',
    'Look at it in IgnoredLogs/InspectionFailed; the note beside it says why.',
  ),
  9007: row(
    'A log could not be deleted: rights, a read-only disk, or a program that holds it.',
    'Remove the cause that the text names; it is tried again by itself every 30 s.',
  ),
  9008: row(
    'The log decayed on the disk of the copy, or somebody wrote into it.',
    'Look at it in IgnoredLogs/InspectionFailed. It is copied again as long as the source has it.',
  ),
  [SHADOW_FREEZE_STARTED]: row('The store stands still while a snapshot is taken.', NOTHING_TO_DO),
  9020: row(
    'A backup was restored on the source while the copy went on: the service keeps outdated numbers of logs, as that of Exchange does.',
    'ccr suspend SG and ccr resume SG: the copy looks at its source again. It is Failed then if it has logs that the source lacks now; such a copy has to be seeded, or emptied while it is suspended.',
  ),
  9021: row(
    'ccr restore put a backup into the place of the database, to an earlier state.',
    'Suspend and resume every copy, after removing the files of those that were ahead of the backup.',
  ),
  9022: row(
    'The node of the copy was not heard of for a minute, has begun another seed, or the store was stopped.',
    'Nothing: the seed goes on in another session where the logs that it needs are still there. Run ccr seed again if it failed.',
  ),
  9023: row('An operator ran ccr seed (Update-StorageGroupCopy).', NOTHING_TO_DO),
  9024: row('The database was copied whole, verified page by page, and put into its place.', NOTHING_TO_DO),
  9025: row(
    'The text names it: the source could not be reached, a disk is full, a page is damaged on the source, or somebody gave it up.',
    'Remove the cause and run ccr seed again: it goes on where it was, if the source still has the logs that it needs.',
  ),
  9030: row(
    'The source has gone another way from this log on: it was restored to an earlier state, or logs were lost at a failover. The copy was compared with it after a start, a Resume or a change of roles.',
    'Nothing to do: the copy goes on by itself. What was set aside lies in logs/IgnoredLogs/E00OutOfDate, with a note; look there for what is missing on the source, and delete it when nobody needs it.',
  ),
}

function row(causes: string, cure: string): EventExplanation {
  return { causes, cure }
}
