import { setImmediate } from 'node:timers/promises'
import type { Rules } from '../../sim/rules.ts'
import { ScenarioStage } from '../../sim/scenario-stage.ts'
import { VERSION } from '../version.ts'
import type { Stage } from './stage.ts'

/** How a stage of the toy world is made. */
export interface VirtualStageOptions {
  /** Varies all delays; null for the shortest ones. */
  readonly seed: number | null
  readonly signal: AbortSignal
  /** Those of the product unless a test plants bugs. */
  readonly rules?: Rules
}

/** As long as the toy world keeps the thread to itself, in milliseconds: hours of virtual time may take minutes. */
const TURN_MS = 100

/** The toy world as a stage; it has nothing to close. */
export function virtualStage({ seed, signal, rules }: VirtualStageOptions): Stage {
  const stage = new ScenarioStage(seed, VERSION, rules)
  let turnEndsMs = performance.now() + TURN_MS
  return {
    mode: 'virtual',
    answer: async (question) => {
      if (performance.now() >= turnEndsMs) {
        await setImmediate() // whoever interrupts is heard
        turnEndsMs = performance.now() + TURN_MS
      }
      signal.throwIfAborted()
      return stage.answer(question)
    },
    trace: () => stage.trace,
    close: async () => undefined,
  }
}
