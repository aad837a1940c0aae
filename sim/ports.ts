import type { Announcement, CopyReport, Fault } from '../engine/fact.ts'
import type { Generation, GenerationRange } from '../engine/generation.ts'
import type { ReplicaState } from '../engine/replication/replica-state.ts'
import type { StandbyOptions } from '../engine/replication/standby-lag.ts'
import type { ToyDatabase } from './toy-database.ts'
import type { ToyDirectory } from './toy-directory.ts'
import type { ToyLog } from './toy-log.ts'

/** What came back for a log that was asked for: its bytes, or why there are none. */
export type Served = { readonly log: ToyLog; readonly fault: null } | { readonly log: null; readonly fault: Fault }

/** What a link needs of the copy at its end. */
export interface CopyEnd {
  readonly copyId: string
  readonly label: string
  readonly isUp: boolean
  sourceConnected(): void
  sourceLost(fault: Fault): void
  sourceRefused(fault: Fault): void
  logsAnnounced(announcement: Announcement): void
  logArrived(session: number, generation: Generation, served: Served): void
}

/** What a link needs of the source at its end. */
export interface SourceEnd {
  readonly isUp: boolean
  copyIntroduced(link: CopyLink): void
  copyReported(link: CopyLink, report: CopyReport): void
  copyLost(link: CopyLink): void
  serve(generation: Generation): Served
}

/** What the source sees of a link. */
export interface CopyLink {
  readonly copyId: string
  readonly label: string
  accept(announcement: Announcement | null): void
  refuse(message: string): void
  announce(announcement: Announcement): void
}

/** What a copy sees of a link. */
export interface SourceLink {
  readonly isOpen: boolean
  connect(): void
  request(session: number, range: GenerationRange): void
  report(report: CopyReport): void
}

/** What the oracle sees of a copy: its disk as it is, whatever anybody reports. */
export interface CopySight {
  readonly copyId: string
  readonly state: ReplicaState
  /** Its lags; null for one that is no standby target. */
  readonly standby: StandbyOptions | null
  readonly logs: ToyDirectory<Generation>
  readonly inspector: ToyDirectory<string>
  /** Null for a copy that keeps logs only. */
  readonly database: ToyDatabase | null
}
