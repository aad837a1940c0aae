/** Somebody who can bring the logs of one directory into another. */
export interface Contender {
  readonly name: string
  /** What of it is verified end to end. */
  readonly verified: string
  /** What is durable when it says that it is done. */
  readonly durable: string
  /** Why it cannot run here, or null. */
  missing(): string | null
  /** Starts what runs beforehand. Not measured. */
  prepare(scene: Scene): Promise<PreparedContender>
}

/** The directories of one run; all on the same disk. */
export interface Scene {
  readonly source: string
  /** New and empty. */
  readonly target: string
  /** For configurations, sockets, and the like. */
  readonly scratch: string
  /** Names of the logs in `source`, ascending. */
  readonly names: readonly string[]
  /** The logs that come before them in the stream, for a service that ships some before the clock starts. */
  readonly warmUp: { readonly directory: string; readonly names: readonly string[] }
}

/** A contender whose daemons run. */
export interface PreparedContender {
  /** Daemons, whose CPU and memory count. */
  readonly daemons: readonly number[]
  /** Where the logs are afterwards. */
  readonly arrived: string
  /** Brings everything over. Answers the CPU seconds of commands that have ended by then. */
  run(started: (commandPid: number) => void): Promise<number>
  close(): Promise<void>
}
