import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

/** The checkout that this test runs in. */
export const ROOT: string = join(dirname(fileURLToPath(import.meta.url)), '../..')

/** One TypeScript file of the project, read and parsed once. */
export interface SourceFile {
  /** Path from the root, such as `engine/generation.ts`. */
  readonly path: string
  readonly room: string
  readonly text: string
  readonly lines: readonly string[]
  readonly tree: ts.SourceFile
}

/** A function with a body, and how large it is. */
export interface MeasuredFunction {
  readonly name: string
  readonly path: string
  readonly lines: number
  readonly parameters: number
}

/** Every TypeScript file that git knows or does not ignore. */
export function sourceFiles(): readonly SourceFile[] {
  const listed = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '*.ts'], { cwd: ROOT, encoding: 'utf8' })
  return listed
    .split('\n')
    .filter((path) => path !== '')
    .map((path) => {
      const text = readFileSync(join(ROOT, path), 'utf8')
      const tree = ts.createSourceFile(path, text, ts.ScriptTarget.ES2023, true)
      return { path, room: path.split('/')[0] ?? '', text, lines: text.split('\n'), tree }
    })
}

/** All functions of a file. Callbacks of `describe` are containers, not functions, and are left out. */
export function functionsOf(file: SourceFile): readonly MeasuredFunction[] {
  const found: MeasuredFunction[] = []
  const visit = (node: ts.Node): void => {
    if (isFunctionWithBody(node) && !isContainer(node)) {
      const first = file.tree.getLineAndCharacterOfPosition(node.getStart(file.tree)).line
      const last = file.tree.getLineAndCharacterOfPosition(node.end).line
      const name = node.name !== undefined && ts.isIdentifier(node.name) ? node.name.text : `line ${first + 1}`
      found.push({ name, path: file.path, lines: last - first + 1, parameters: node.parameters.length })
    }
    ts.forEachChild(node, visit)
  }
  visit(file.tree)
  return found
}

/** Names of exported declarations that have no doc comment. */
export function undocumentedExports(file: SourceFile): readonly string[] {
  const bare: string[] = []
  for (const statement of file.tree.statements) {
    if (!ts.canHaveModifiers(statement)) continue
    const isExported = ts.getModifiers(statement)?.some((modifier) => modifier.kind === ts.SyntaxKind.ExportKeyword)
    if (isExported !== true || ts.getJSDocCommentsAndTags(statement).length > 0) continue
    bare.push(statement.getText(file.tree).split('\n')[0] ?? '')
  }
  return bare
}

/** The modules that a file imports or re-exports. */
export function importsOf(file: SourceFile): readonly string[] {
  const modules: string[] = []
  for (const statement of file.tree.statements) {
    if (!ts.isImportDeclaration(statement) && !ts.isExportDeclaration(statement)) continue
    const specifier = statement.moduleSpecifier
    if (specifier !== undefined && ts.isStringLiteral(specifier)) modules.push(specifier.text)
  }
  return modules
}

/** Share of lines that carry a comment, from 0 to 1. */
export function commentShare(file: SourceFile): number {
  const comments = file.lines.filter((line) => /^\s*(\/\/|\/\*|\*)/.test(line)).length
  return comments / file.lines.length
}

type FunctionWithBody = ts.FunctionDeclaration | ts.FunctionExpression | ts.ArrowFunction | ts.MethodDeclaration

function isFunctionWithBody(node: ts.Node): node is FunctionWithBody {
  const isFunction =
    ts.isFunctionDeclaration(node) ||
    ts.isFunctionExpression(node) ||
    ts.isArrowFunction(node) ||
    ts.isMethodDeclaration(node)
  return isFunction && node.body !== undefined
}

function isContainer(node: FunctionWithBody): boolean {
  const call = node.parent
  return ts.isCallExpression(call) && /^describe\b/.test(call.expression.getText())
}
