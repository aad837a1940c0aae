import type { CopyReport } from '../engine/fact.ts'
import {
  type Generation,
  type GenerationRange,
  higherOf,
  lowerOf,
  NO_GENERATION,
  nextGeneration,
  previousGeneration,
} from '../engine/generation.ts'
import type { AnswerOrder } from '../engine/order.ts'
import { copyStatus } from '../engine/replication/copy-status.ts'
import { BackupOracle } from './backup-oracle.ts'
import { beginsAnew, type CopyRecord, newRecord } from './copy-record.ts'
import type { Core } from './core.ts'
import { DivergenceOracle, type StrayLog } from './divergence-oracle.ts'
import type { CopySight } from './ports.ts'
import { ReplayOracle } from './replay-oracle.ts'
import { SeedOracle } from './seed-oracle.ts'
import type { SeedImage } from './seed-pages.ts'
import type { SourceDisk } from './source-disk.ts'
import type { ToyDatabase } from './toy-database.ts'
import type { ToyLog } from './toy-log.ts'
import { TrueLogs } from './true-logs.ts'

type OperatorRequest =
  | { readonly kind: 'suspend'; readonly copyId: string; readonly comment: string | null }
  | { readonly kind: 'resume' | 'freeze' | 'thaw'; readonly copyId: string }
  | { readonly kind: 'mark'; readonly through: Generation }
  | { readonly kind: 'disable'; readonly copyId: string }
  | { readonly kind: 'seed'; readonly copyId: string }
  | { readonly kind: 'backup' }

/** What is known of two nodes that change their roles. */
interface RoleChange {
  /** The lowest log that the former active has; 0 for none. */
  readonly lowestOfFormer: Generation
  /** How far truncation went on it. */
  readonly formerEdge: Generation
  /** The database that is mounted. */
  readonly mounted: ToyDatabase | null
}

/** How an operator's request ended. */
export interface Answered {
  readonly request: OperatorRequest
  readonly answer: AnswerOrder
}

/**
 * Sees everything, trusts nobody: checks the invariants of the product against both disks and the true content of every log.
 * A promise that does not hold ends the run. The numbers I1, I2… are those of docs/RELIABILITY.md.
 */
export class Oracle {
  /** Knows the true content of every log. */
  readonly logs: TrueLogs = new TrueLogs()
  /** Answers that came back, by request. */
  readonly answers: Map<number, Answered> = new Map<number, Answered>()
  /** Sees the databases. */
  readonly replay: ReplayOracle
  /** Sees what copies say that they have diverged. */
  readonly divergence: DivergenceOracle
  /** Sees the sets of backups. */
  readonly backups: BackupOracle
  /** Sees the seeds. */
  readonly seeds: SeedOracle
  readonly #core: Core
  readonly #copies = new Map<string, CopyRecord>()
  #source: SourceDisk | null = null
  readonly #requests = new Map<number, OperatorRequest>()
  #requestId = 0
  /** The deletion that the source is at, and how far it came. */
  #deletion: { readonly range: GenerationRange | null; readonly last: number } = { range: null, last: 0 }

  constructor(core: Core) {
    this.#core = core
    this.divergence = new DivergenceOracle(core, this.logs)
    this.replay = new ReplayOracle(core)
    this.backups = new BackupOracle(core)
    this.seeds = new SeedOracle(core, (generation) => this.#isGone(generation))
  }

  /** Lets the oracle see the source's disk. */
  watchSource(disk: SourceDisk): void {
    this.#source = disk
    this.divergence.watchSource(disk)
  }

  /** Lets the oracle see a copy. */
  watchCopy(sight: CopySight): void {
    this.#copies.set(sight.copyId, newRecord(sight))
  }

  /** The true content of every log of the present stream. */
  get truth(): ReadonlyMap<Generation, ToyLog> {
    return this.logs.now
  }

  /** Whether a fault took or spoilt this log of a copy. */
  isExcused(copyId: string, generation: Generation): boolean {
    return this.#copy(copyId).excused.has(generation)
  }

  /** Whether a copy has begun with or below this log, so that a hole there would be its own. */
  isOwed(copyId: string, generation: Generation): boolean {
    const { first } = this.#copy(copyId)
    return first !== 0 && generation >= first
  }

  /** A fault of the world takes or spoils a log of a copy: its loss is nobody's fault. */
  excuse(copyId: string, generation: Generation): void {
    this.#copy(copyId).excused.add(generation)
  }

  /**
   * A node that was a copy is the active from now on. The node of before has its place as a copy, of which nothing is known yet.
   */
  rolesChanged(sight: CopySight, last: ToyLog, known: RoleChange): void {
    const { copyId } = sight
    this.backups.restored()
    this.replay.forget(copyId)
    for (const [id, request] of this.#requests)
      if ('copyId' in request && request.copyId === copyId) this.#requests.delete(id)
    this.#copies.set(copyId, { ...newRecord(sight), first: known.lowestOfFormer })
    this.logs.exchanged(last, known.formerEdge, (generation) => this.#source?.logs.get(generation) !== undefined)
    this.divergence.mounts(copyId, known.mounted)
  }

  /** The source's logs above this one are no longer true: a backup was restored. */
  restored(through: Generation): void {
    this.backups.restored()
    this.logs.restored(through, this.#source?.truncatedBelow ?? NO_GENERATION)
  }

  /** Whether this is the content of its generation, now or in another stream. */
  wasTrue(log: ToyLog): boolean {
    return this.logs.isTrue(log) || this.logs.isFormer(log)
  }

  /** Notes a request of the operator and gives it its number. */
  operatorAsks(request: OperatorRequest): number {
    this.#requests.set(++this.#requestId, request)
    if (request.kind === 'mark' && request.through <= this.logs.newest) this.backups.marked(request.through)
    if (request.kind === 'thaw') this.#thaws(request.copyId)
    // From here on the operator expects I/O again, whether or not the answer reaches him.
    if (request.kind === 'resume') {
      const copy = this.#copy(request.copyId)
      copy.isQuiet = false
      copy.comment = null
      for (const [id, older] of this.#requests)
        if (older.kind === 'suspend' && older.copyId === request.copyId) this.#requests.delete(id)
    }
    return this.#requestId
  }

  /** Whatever is answered to a freeze that was asked for before counts no more. */
  #thaws(copyId: string): void {
    this.#copy(copyId).isFrozen = false
    for (const [id, older] of this.#requests)
      if (older.kind === 'freeze' && older.copyId === copyId) this.#requests.delete(id)
  }

  /** The answer to a request. Answered means: durable, and for a suspension: quiet. */
  operatorAnswered(answer: AnswerOrder): void {
    const request = this.#requests.get(answer.requestId)
    if (request === undefined) return
    this.#requests.delete(answer.requestId)
    this.answers.set(answer.requestId, { request, answer })
    if (answer.refusal !== null) return
    if (request.kind === 'freeze') this.#copy(request.copyId).isFrozen = true
    if (request.kind === 'seed') this.seeds.begun(request.copyId)
    if (request.kind === 'suspend') {
      const copy = this.#copy(request.copyId)
      copy.isQuiet = true
      copy.comment = request.comment ?? copy.comment
    }
    if (request.kind === 'mark' && (this.#source?.mark?.through ?? 0) < request.through)
      this.#core.fail('I17 marks', `mark ${request.through} was answered and is not durable`)
    if (request.kind === 'disable' && this.#source?.disabled.includes(request.copyId) !== true)
      this.#core.fail('I25 commands', `the disablement of ${request.copyId} was answered and is not durable`)
  }

  /** Whether the source has truncated a log, and nobody else has taken it. */
  #isGone(generation: Generation): boolean {
    return this.#source?.logs.get(generation) === undefined && this.logs.truncated.has(generation)
  }

  /** I5: the store of a suspended copy is not touched. */
  touched(copyId: string, what: string): void {
    if (this.#copy(copyId).isFrozen) this.#core.fail('I28 freeze', `${what} touches the frozen copy ${copyId}`)
    if (this.seeds.isUnderWay(copyId)) this.#core.fail('I30 seed', `${what} touches ${copyId}, which is being seeded`)
    if (this.#copy(copyId).isQuiet) this.#core.fail('I5 suspend', `${what} touches the suspended copy ${copyId}`)
  }

  /** The source lets a copy in: it holds truncation from now on. */
  accepted(copyId: string): void {
    const copy = this.#copy(copyId)
    copy.isAccepted = true
    if (!copy.isTold) copy.owedFrom = this.#source?.truncatedBelow ?? NO_GENERATION
    if (this.#source?.enrolled.some((copy) => copy.copyId === copyId) !== true)
      this.#core.fail('I1 deletion gate', `${copyId} is accepted before its enrolment is durable`)
  }

  /** I1, I6: a log of the source goes only when it is backed up and durable on every copy, and the lowest goes first. */
  sourceUnlinks(generation: Generation, range: GenerationRange): void {
    const source = this.#source
    if (source === null) return
    this.#checkAscending(generation, range)
    if (source.logs.get(generation) === undefined) return
    if (source.truncatedBelow <= generation)
      this.#core.fail('I6 truncation bounds', `log ${generation} goes, the durable edge is ${source.truncatedBelow}`)
    if (this.logs.truncated.has(generation)) return
    this.logs.truncated.add(generation)
    // A full backup of a passive that lags may take the mark back while a deletion is under way.
    if ((source.mark?.through ?? 0) < generation && this.backups.covered < generation)
      this.#core.fail('I1 deletion gate', `log ${generation} goes and is not backed up`)
    this.backups.sourceUnlinks(generation)
    if (source.required !== null && generation >= source.required)
      this.#core.fail(
        'I26 active recovery',
        `log ${generation} goes, the active needs its logs from ${source.required} on`,
      )
    // A copy that was disabled while the deletion was under way had been counted when it was planned.
    if (source.enrolled.length + source.disabled.length < this.#core.scenario.copiesExpected)
      this.#core.fail('I1 deletion gate', `log ${generation} goes with ${source.enrolled.length} copies enrolled`)
    for (const { copyId } of source.enrolled) {
      const copy = this.#copy(copyId)
      this.#mustHold(copy, generation)
      this.#mustBeOfThisStream(copy, generation)
      if (copy.isAccepted && generation >= copy.owedFrom) this.replay.sourceUnlinks(copy.sight, generation)
    }
  }

  /** I2, I11, I12: what gets a final name is the true log, and continues what is there. */
  published(sight: CopySight, generation: Generation): void {
    this.replay.standby.published(sight, generation)
    const copy = this.#copy(sight.copyId)
    const log = sight.logs.get(generation)?.log
    // The first log of an empty copy has no neighbour to be compared with: a changed header cannot be seen.
    const before = (generation - 1) as Generation // at least 0, and only looked up
    const hasNeighbour = sight.state.identity !== null && this.logs.isTrue(sight.logs.get(before)?.log)
    const isUnprovable = !hasNeighbour && log?.damage === null
    if (log !== this.truth.get(generation)) {
      if (!isUnprovable && !(log !== undefined && this.logs.isFormer(log)))
        this.#core.fail('I12 corruption', `log ${generation} of ${sight.copyId} is not the true one`)
      copy.excused.add(generation)
    }
    if (copy.first === 0) copy.first = generation
    copy.isTold = false
    const { lowest } = sight.state
    if (lowest !== 0 && generation > lowest && sight.logs.get(before) === undefined && !copy.excused.has(before))
      this.#core.fail('I2 one stream', `log ${generation} of ${sight.copyId} is published without log ${before}`)
  }

  /** I6: a copy deletes only what its source gave up for deletion, and what it has held until now. */
  copyUnlinks(sight: CopySight, generation: Generation): void {
    const copy = this.#copy(sight.copyId)
    if (higherOf(this.#source?.truncatedBelow ?? NO_GENERATION, this.logs.formerEdge) <= generation)
      this.#core.fail('I6 truncation bounds', `${sight.copyId} deletes log ${generation}, which its source keeps`)
    if (generation >= sight.state.inspected)
      this.#core.fail('I6 truncation bounds', `${sight.copyId} deletes its newest log ${generation}`)
    this.replay.copyUnlinks(sight, generation)
    copy.released.add(generation)
  }

  /** A log is set aside; what was owed of the stream before, is not owed of the one that the copy goes over to. */
  copyStrays(sight: CopySight, stray: StrayLog): void {
    const { generation } = stray
    this.divergence.strays(sight, stray)
    this.replay.copyStrays(sight, generation)
    const copy = this.#copy(sight.copyId)
    copy.owed = lowerOf(copy.owed, previousGeneration(generation))
    copy.checkedThrough = lowerOf(copy.checkedThrough, previousGeneration(generation))
  }

  /** I3: what a report calls inspected is durable and true. */
  copyReports(sight: CopySight, report: CopyReport): void {
    const copy = this.#copy(sight.copyId)
    // A copy whose files were replaced has said what it stands for: as much as both databases have, without a log; unless it has some left.
    if (copy.isTold && sight.state.lowest > 0) {
      copy.isTold = false
      copy.first = sight.state.lowest
    }
    if (copy.first === 0 && report.inspected > 0 && !copy.isTold) copy.first = report.inspected
    if (report.inspected > copy.reported) copy.reported = report.inspected
    if (report.inspected > copy.owed && !copy.isTold) copy.owed = report.inspected
    if (!copy.isTold) this.#mustBeDurable(copy, report.inspected)
    this.replay.reports(sight, report)
  }

  /** A report has reached the source. */
  acknowledged(copyId: string, report: CopyReport): void {
    if (report.inspected > this.#copy(copyId).reported)
      this.#core.fail('I18 retry-safe', `${copyId} is believed to have inspected ${report.inspected}`)
  }

  /** I3 after a crash: everything that was ever reported is still there. */
  copyDied(sight: CopySight, deletedBelow: Generation): void {
    const copy = this.#copy(sight.copyId)
    copy.checkedThrough = NO_GENERATION
    copy.isFrozen = false
    const from = Math.max(copy.first, deletedBelow, 1)
    for (let g = from; g <= copy.owed; g++) this.#mustHold(copy, g as Generation) // between two generations
  }

  /**
   * A scan found nothing: everything owed was taken by somebody, and the copy begins anew wherever its source begins. Until the
   * source hears of it, it rightly truncates what the copy had reported before.
   */
  foundEmpty(copyId: string): void {
    const copy = this.#copy(copyId)
    if (copy.reported >= copy.owedFrom && !copy.isTold) copy.owedFrom = nextGeneration(copy.reported)
    copy.first = NO_GENERATION
    copy.owed = NO_GENERATION
    copy.checkedThrough = NO_GENERATION
  }

  /** The files of a copy are about to be replaced: it is owed what it has said that it needs, of the old database and of the new one. */
  seedPinned({ copyId, state }: CopySight, from: Generation): void {
    const copy = this.#copy(copyId)
    const { passiveGate } = this.#core.scenario
    const required = state.database?.progress.requiredLow ?? NO_GENERATION
    const needed = passiveGate === 'inspected' ? from : lowerOf(from, required)
    copy.owedFrom = higherOf(needed, this.#source?.truncatedBelow ?? NO_GENERATION)
    beginsAnew(copy)
  }

  /** The new database is in its place: it is all that anything is owed to. */
  seedPublished(sight: CopySight, image: SeedImage): void {
    this.#copy(sight.copyId).owedFrom = image.low
    this.seeds.published(sight, image)
  }

  /** I16: a copy that does not hear its source is not called healthy; where RTM says so all the same, the remark tells it. */
  checkStatus(sight: CopySight): void {
    const { summary, connected, remark } = copyStatus(sight.state)
    if (summary === 'Healthy' && !connected && (sight.state.release === 'sp1' || remark === ''))
      this.#core.fail('I16 honest status', `${sight.copyId} is Healthy and its source cannot be reached`)
  }

  /** I5 across restarts: an answered suspension is in force, with its comment. */
  checkSuspensions(): void {
    for (const { isQuiet, comment, sight } of this.#copies.values()) {
      const { state, copyId } = sight
      if (!isQuiet || state.phase === 'unstarted') continue
      if (state.suspension === null) this.#core.fail('I5 suspend', `${copyId} forgot that it is suspended`)
      else if (comment !== null && this.#noSuspendUnderWay(copyId) && state.suspension.comment !== comment)
        this.#core.fail('I5 suspend', `${copyId} has the comment ${state.suspension.comment}, not ${comment}`)
    }
  }

  /** Logs that come late, below those already deleted, are no part of the deletion: it looks at each number once. */
  #checkAscending(generation: Generation, range: GenerationRange): void {
    const from = this.#deletion.range === range ? this.#deletion.last + 1 : range.first
    this.#deletion = { range, last: generation }
    if (generation < from) this.#core.fail('I6 truncation bounds', `log ${generation} goes after log ${from - 1}`)
    for (let g = from; g < generation; g++) {
      // Between two generations.
      if (this.#source?.logs.get(g as Generation) !== undefined)
        this.#core.fail('I6 truncation bounds', `log ${generation} goes before log ${g}`)
    }
  }

  #noSuspendUnderWay(copyId: string): boolean {
    for (const request of this.#requests.values())
      if (request.kind === 'suspend' && request.copyId === copyId) return false
    return true
  }

  #mustBeDurable(copy: CopyRecord, through: Generation): void {
    const from = Math.max(copy.first, copy.sight.state.lowest, copy.checkedThrough + 1, 1)
    for (let g = from; g <= through; g++) this.#mustHold(copy, g as Generation) // between two generations
    if (through > copy.checkedThrough) copy.checkedThrough = through
  }

  #mustHold(copy: CopyRecord, generation: Generation): void {
    if (copy.excused.has(generation) || copy.released.has(generation) || !copy.isAccepted) return
    // What was truncated before a copy came is not owed to it, also when somebody puts it back.
    if (generation < copy.owedFrom || (copy.first !== 0 && generation < copy.first)) return
    const durable = copy.sight.logs.durable(generation)
    if (durable?.isSynced !== true || !this.wasTrue(durable.log)) {
      const what = durable === undefined ? 'not durable' : durable.isSynced ? 'not the true log' : 'not synced'
      this.#core.fail('I3 ack is durable', `log ${generation} of ${copy.sight.copyId} is ${what}`)
    }
  }

  /** I27: what a copy had before the logs were restored is no second copy of what goes now. */
  #mustBeOfThisStream({ sight, isAccepted }: CopyRecord, generation: Generation): void {
    const held = sight.logs.get(generation)?.log
    if (isAccepted && held !== undefined && this.logs.isFormer(held))
      this.#core.fail('I27 restored logs', `log ${generation} goes, ${sight.copyId} has one of before the restore`)
  }

  #copy(copyId: string): CopyRecord {
    const copy = this.#copies.get(copyId)
    if (copy === undefined) throw new Error(`the oracle does not know ${copyId}`)
    return copy
  }
}
