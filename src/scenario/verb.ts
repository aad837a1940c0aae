import type { Scope } from './scope.ts'
import type { JsonSchema, Shape } from './shape.ts'
import type { YamlNode } from './yaml-node.ts'

/** One verb of a scenario: what may stand behind it, and what it comes to. */
export interface Verb<Does> {
  readonly about: string
  /** As a manual shows it. */
  readonly example: string
  readonly sign: string
  readonly schema: JsonSchema
  /** Errors: `SCENARIO_INVALID`. */
  readonly read: (node: YamlNode, scope: Scope) => Does
}

/** What a verb is made of. */
interface VerbParts<Value, Does> {
  readonly about: string
  readonly example: string
  readonly shape: Shape<Value>
  readonly does: (value: Value, node: YamlNode) => Does
}

/** A verb whose value has a shape. */
export function verb<Value, Does>({ about, example, shape, does }: VerbParts<Value, Does>): Verb<Does> {
  const { sign, schema } = shape
  return { about, example, sign, schema, read: (node, scope) => does(shape.read(node, scope), node) }
}
