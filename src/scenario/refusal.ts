import { type ActRefusal, eseErrorIn } from '../../engine/scenario/step.ts'

/** What was told of an error, as the refusal of an act. `exit` is the exit code of a command that it ends. */
export function refusalOf(told: Readonly<Record<string, unknown>>, exit: number): ActRefusal {
  const message = String(told['message'] ?? 'no reason was given')
  const number = Number(told['eseError'] ?? eseErrorIn(message))
  return { code: String(told['code'] ?? 'INTERNAL'), eseError: number, message, exit }
}
