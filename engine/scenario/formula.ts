/**
 * A whole number that a scenario writes down or has worked out: `81`, `${chk}`, `${active.current - 1}`, `${min(chk, 40)}`. It
 * knows numbers, names, `+`, `-`, `*`, brackets, `min` and `max`.
 */
export type Formula =
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'name'; readonly name: string; readonly offset: number }
  | { readonly kind: 'sum'; readonly sign: 1 | -1; readonly left: Formula; readonly right: Formula }
  | { readonly kind: 'product'; readonly left: Formula; readonly right: Formula }
  | { readonly kind: 'extreme'; readonly which: 'min' | 'max'; readonly of: readonly Formula[] }

/** Why a text is no formula, and where in it, counted from 0. */
export interface FormulaProblem {
  readonly problem: string
  readonly offset: number
}

/** Nested brackets of one formula, at most: nobody reads more. */
const DEPTH_MAX = 20

/**
 * Reads a whole number, or a formula between `${` and `}`, with nothing before or behind it.
 *
 * @param base added to the offsets of names and problems: where the text begins in what somebody wrote
 */
export function parseFormula(text: string, base = 0): Formula | FormulaProblem {
  const before = text.length - text.trimStart().length
  const trimmed = text.trim()
  if (/^-?\d{1,15}$/.test(trimmed)) return { kind: 'number', value: Number(trimmed) }
  if (!trimmed.startsWith('${') || !trimmed.endsWith('}'))
    return { problem: `${JSON.stringify(text)} is no whole number and no \${formula}`, offset: base + before }
  const reader = new FormulaReader(trimmed.slice(2, -1), base + before + 2)
  return reader.read()
}

/** Whether a text was no formula. */
export function isProblem(read: object): read is FormulaProblem {
  return 'problem' in read
}

/** The names of a formula, with their offsets. */
export function namesIn(formula: Formula): readonly { readonly name: string; readonly offset: number }[] {
  switch (formula.kind) {
    case 'number':
      return []
    case 'name':
      return [formula]
    case 'sum':
    case 'product':
      return [...namesIn(formula.left), ...namesIn(formula.right)]
    case 'extreme':
      return formula.of.flatMap(namesIn)
  }
}

/** What a formula comes to; the name that nothing is known of where it comes to nothing. */
export function evaluate(formula: Formula, numberOf: (name: string) => number | undefined): number | string {
  switch (formula.kind) {
    case 'number':
      return formula.value
    case 'name':
      return numberOf(formula.name) ?? formula.name
    case 'sum':
    case 'product': {
      const left = evaluate(formula.left, numberOf)
      const right = evaluate(formula.right, numberOf)
      if (typeof left === 'string') return left
      if (typeof right === 'string') return right
      return formula.kind === 'product' ? left * right : left + formula.sign * right
    }
    case 'extreme': {
      const values = formula.of.map((each) => evaluate(each, numberOf))
      const unknown = values.find((value) => typeof value === 'string')
      if (unknown !== undefined) return unknown
      return Math[formula.which](...values.map(Number))
    }
  }
}

/** The first fault of a formula ends its reading. */
class FormulaFault extends Error {
  readonly offset: number

  constructor(message: string, offset: number) {
    super(message)
    this.offset = offset
  }
}

interface Token {
  readonly text: string
  readonly offset: number
}

/** Recursive descent over the tokens of one formula. */
class FormulaReader {
  readonly #tokens: readonly Token[]
  readonly #end: number
  #at = 0
  #depth = 0

  constructor(text: string, base: number) {
    const matches = text.matchAll(/[A-Za-z][A-Za-z0-9]*(?:\.[A-Za-z][A-Za-z0-9]*)*|\d{1,15}|\S/g)
    this.#tokens = [...matches].map((match) => ({ text: match[0], offset: base + match.index }))
    this.#end = base + text.length
  }

  read(): Formula | FormulaProblem {
    try {
      const formula = this.#sum()
      const excess = this.#tokens[this.#at]
      if (excess !== undefined) throw new FormulaFault(`${excess.text} is too much here`, excess.offset)
      return formula
    } catch (fault) {
      if (!(fault instanceof FormulaFault)) throw fault
      return { problem: fault.message, offset: fault.offset }
    }
  }

  #sum(): Formula {
    let left = this.#product()
    for (;;) {
      const sign = this.#takes('+') ? 1 : this.#takes('-') ? -1 : null
      if (sign === null) return left
      left = { kind: 'sum', sign, left, right: this.#product() }
    }
  }

  #product(): Formula {
    let left = this.#single()
    while (this.#takes('*')) left = { kind: 'product', left, right: this.#single() }
    return left
  }

  #single(): Formula {
    const token = this.#tokens[this.#at]
    if (token === undefined) throw new FormulaFault('the formula ends too early', this.#end)
    this.#at++
    if (/^\d/.test(token.text)) return { kind: 'number', value: Number(token.text) }
    if (token.text === '(') return this.#bracketed(() => this.#sum())
    if (!/^[A-Za-z]/.test(token.text)) throw new FormulaFault(`${token.text} is no number and no name`, token.offset)
    const isCall = this.#tokens[this.#at]?.text === '('
    return isCall ? this.#extreme(token) : { kind: 'name', name: token.text, offset: token.offset }
  }

  #extreme({ text, offset }: Token): Formula {
    if (text !== 'min' && text !== 'max')
      throw new FormulaFault(`${text} is no function: there are min and max`, offset)
    this.#at++
    return this.#bracketed(() => {
      const of = [this.#sum()]
      while (this.#takes(',')) of.push(this.#sum())
      return { kind: 'extreme', which: text, of }
    })
  }

  #bracketed(read: () => Formula): Formula {
    if (++this.#depth > DEPTH_MAX) throw new FormulaFault('too many brackets', this.#end)
    const formula = read()
    if (!this.#takes(')'))
      throw new FormulaFault('a bracket is not closed', this.#tokens[this.#at]?.offset ?? this.#end)
    this.#depth--
    return formula
  }

  #takes(text: string): boolean {
    if (this.#tokens[this.#at]?.text !== text) return false
    this.#at++
    return true
  }
}
