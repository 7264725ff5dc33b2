/**
 * The exported names as data: what each is declared as, what its comment says, and its members with theirs.
 *
 * What must hold: what nobody can reach from outside (private members, `#names`) is no member; what an options type takes over from types
 * that are not exported is.
 */
import {
  type ClassDeclaration,
  type Node,
  type ParameterDeclaration,
  SyntaxKind,
  type TypeAliasDeclaration,
  type TypeNode,
} from 'typescript/unstable/ast'
import { type Checker, NodeBuilderFlags, type Project, type Symbol as TypeSymbol } from 'typescript/unstable/async'
import { type ExportedName, type ExportedNames, fileOf } from './program.ts'

export type Kind = 'class' | 'interface' | 'type' | 'function' | 'constant'

export interface Member {
  readonly name: string
  readonly kind: 'constructor' | 'static' | 'method' | 'property'
  /** Of a method its whole signature, of a property its type. */
  readonly signature: string
  readonly isOptional: boolean
  readonly comment: string
}

export interface Entry {
  readonly name: string
  readonly kind: Kind
  readonly file: string
  readonly entries: readonly string[]
  readonly comment: string
  /** As TypeScript: what has members is named only. */
  readonly declaration: string
  readonly members: readonly Member[]
  /** Properties inside a declaration that is shown as it stands, and that have no comment. */
  readonly uncommented: readonly string[]
}

export async function readEntries(exported: ExportedNames): Promise<Entry[]> {
  const reader = new EntryReader(exported)
  const renames = renamesOf(exported.names)
  const entries: Entry[] = []
  for (const name of exported.names) entries.push(asSeenOutside(await reader.entry(name), renames))
  return entries.sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** What the source calls otherwise than the package does. */
function renamesOf(names: readonly ExportedName[]): Map<string, string> {
  return new Map(
    names.flatMap(({ name, declaration }) => {
      const own = (declaration as Declared).name?.getText() ?? name
      return own === name ? [] : [[own, name] as const]
    }),
  )
}

/** Without the names of modules (`topics.TopicOutcome`), and with the names under which things are exported. */
function asSeenOutside(entry: Entry, renames: ReadonlyMap<string, string>): Entry {
  const seen = (text: string): string =>
    text.replace(/\b[a-z]\w*\.(?=[A-Z])/g, '').replace(/\b[A-Z]\w*\b/g, (word) => renames.get(word) ?? word)
  const members = entry.members.map((member) => ({ ...member, signature: seen(member.signature) }))
  return { ...entry, declaration: seen(entry.declaration), members }
}

/** The parts of a declaration that are looked at here, whatever its kind. */
interface Declared extends Node {
  readonly name?: Node
  readonly type?: TypeNode
  readonly body?: Node
  readonly parameters?: readonly ParameterDeclaration[]
  readonly typeParameters?: readonly Node[]
  readonly modifiers?: readonly Node[]
  readonly questionToken?: Node
  /** The question mark of a member. */
  readonly postfixToken?: Node
  readonly initializer?: Node
}

const KINDS = new Map<SyntaxKind, Kind>([
  [SyntaxKind.ClassDeclaration, 'class'],
  [SyntaxKind.InterfaceDeclaration, 'interface'],
  [SyntaxKind.TypeAliasDeclaration, 'type'],
  [SyntaxKind.FunctionDeclaration, 'function'],
  [SyntaxKind.VariableDeclaration, 'constant'],
])
const HIDDEN = new Set<SyntaxKind>([SyntaxKind.PrivateKeyword, SyntaxKind.ProtectedKeyword])
/** What a member is declared as when it is a value, not a call. */
const PROPERTIES = new Set<SyntaxKind>([
  SyntaxKind.PropertyDeclaration,
  SyntaxKind.PropertySignature,
  SyntaxKind.GetAccessor,
  SyntaxKind.SetAccessor,
  SyntaxKind.PropertyAssignment,
])

class EntryReader {
  readonly #checker: Checker
  readonly #project: Project

  constructor({ checker, project }: ExportedNames) {
    this.#checker = checker
    this.#project = project
  }

  async entry({ name, symbol, declaration, file, entries }: ExportedName): Promise<Entry> {
    const kind = KINDS.get(declaration.kind)
    if (kind === undefined) throw new Error(`${name}: a declaration of kind ${SyntaxKind[declaration.kind]}`)
    const hasMembers = kind === 'class' || kind === 'interface' || isShape(declaration)
    const members = hasMembers ? await this.#members(symbol, declaration) : []
    return {
      name,
      kind,
      file,
      entries,
      comment: await this.#comment(symbol),
      declaration: await this.#declaration(name, kind, symbol, declaration, members),
      members,
      uncommented: members.length > 0 || kind === 'class' ? [] : uncommentedIn(declaration),
    }
  }

  async #declaration(
    name: string,
    kind: Kind,
    symbol: TypeSymbol,
    declaration: Declared,
    members: readonly Member[],
  ): Promise<string> {
    if (kind === 'constant') {
      const type = await this.#checker.getTypeOfSymbol(symbol)
      return `const ${name}: ${type === undefined ? 'unknown' : await this.#checker.typeToString(type)}`
    }
    if (kind === 'function') return `function ${await this.#call(name, declaration)}`
    if (kind === 'type' && members.length === 0) {
      const written = declaration.type!.getText()
      return `type ${name}${generics(declaration)} = ${isLookUp(written) ? await this.#spelledOut(symbol) : dedented(written)}`
    }
    return `${kind === 'type' ? 'interface' : kind} ${name}${generics(declaration)}${heritage(declaration)}`
  }

  async #members(symbol: TypeSymbol, declaration: Node): Promise<Member[]> {
    const members: Member[] = []
    if (declaration.kind === SyntaxKind.ClassDeclaration) {
      const own = [...(await symbol.getMembers())].find(([name]) => name === '__constructor')?.[1]
      if (own !== undefined) members.push(...(await this.#member(own, 'constructor')))
      for (const member of (await symbol.getExports()).values()) members.push(...(await this.#member(member, 'static')))
    }
    const type = await this.#checker.getDeclaredTypeOfSymbol(symbol)
    for (const member of await this.#checker.getPropertiesOfType(type)) members.push(...(await this.#member(member)))
    return members
  }

  /** None, if it cannot be reached from outside or is the runtime's. */
  async #member(symbol: TypeSymbol, special?: 'constructor' | 'static'): Promise<Member[]> {
    const handles = symbol.declarations.filter((handle) => /^(src|node_modules\/kafkajs)\//.test(fileOf(handle)))
    const found = await Promise.all(handles.map((handle) => handle.resolve(this.#project)))
    const declarations = found.filter((node): node is Node => node !== undefined) as Declared[]
    const [declaration] = declarations
    if (declaration === undefined || isHidden(declaration)) return []
    const name = special === 'constructor' ? 'constructor' : (declaration.name?.getText() ?? symbol.name)
    const isProperty = PROPERTIES.has(declaration.kind)
    const isOptional = declaration.postfixToken?.kind === SyntaxKind.QuestionToken
    const comment = await this.#comment(symbol)
    if (comment.startsWith('@internal')) return []
    if (isProperty) {
      const written = declaration.type?.getText()
      const signature = written === undefined || isLookUp(written) ? await this.#typeOf(symbol) : dedented(written)
      return [{ name, kind: 'property', signature, isOptional, comment }]
    }
    const shown = declarations.length > 1 ? declarations.filter(({ body }) => body === undefined) : declarations
    const calls = await Promise.all(shown.map((each) => this.#call(name, each)))
    return [{ name, kind: special ?? 'method', signature: calls.join('\n'), isOptional, comment }]
  }

  async #spelledOut(symbol: TypeSymbol): Promise<string> {
    const type = await this.#checker.getDeclaredTypeOfSymbol(symbol)
    return await this.#checker.typeToString(
      type,
      undefined,
      NodeBuilderFlags.InTypeAlias | NodeBuilderFlags.NoTruncation,
    )
  }

  async #typeOf(symbol: TypeSymbol): Promise<string> {
    const type = await this.#checker.getTypeOfSymbol(symbol)
    return type === undefined ? 'unknown' : await this.#checker.typeToString(type)
  }

  /** `name<T>(a: A, b?: B): R` */
  async #call(name: string, declaration: Declared): Promise<string> {
    const parameters = (declaration.parameters ?? []).map(parameter).join(', ')
    if (declaration.kind === SyntaxKind.Constructor) return `constructor(${parameters})`
    const optional = declaration.postfixToken?.kind === SyntaxKind.QuestionToken ? '?' : ''
    return `${name}${optional}${generics(declaration)}(${parameters}): ${await this.#result(declaration)}`
  }

  async #result(declaration: Declared): Promise<string> {
    if (declaration.type !== undefined) return dedented(declaration.type.getText())
    const signature = await this.#checker.getSignatureFromDeclaration(declaration)
    const type = signature && (await this.#checker.getReturnTypeOfSignature(signature))
    return type === undefined ? 'void' : await this.#checker.typeToString(type)
  }

  /** Paragraphs, each on one line. */
  async #comment(symbol: TypeSymbol): Promise<string> {
    const tags = await symbol.getJsDocTags(this.#checker)
    const texts = tags.map(({ name, text }) => `@${name}${text === undefined ? '' : ` ${text}`}`)
    return unwrapped([await symbol.getDocumentationComment(this.#checker), ...texts].join('\n\n'))
  }
}

/** A type that only says where to look: `keyof typeof NAMES`. */
function isLookUp(written: string): boolean {
  return /\btypeof [A-Z]/.test(written)
}

/** An object type, or several put together: its properties say more than its text. */
function isShape(declaration: Declared): boolean {
  if (declaration.kind !== SyntaxKind.TypeAliasDeclaration) return false
  const { type } = declaration as unknown as TypeAliasDeclaration
  return type.kind === SyntaxKind.TypeLiteral || type.kind === SyntaxKind.IntersectionType
}

function isHidden({ modifiers, name }: Declared): boolean {
  return (
    name?.kind === SyntaxKind.PrivateIdentifier || (modifiers?.some((modifier) => HIDDEN.has(modifier.kind)) ?? false)
  )
}

function generics({ typeParameters }: Declared): string {
  if (typeParameters === undefined || typeParameters.length === 0) return ''
  return `<${typeParameters.map((each) => each.getText()).join(', ')}>`
}

function heritage(declaration: Node): string {
  const clauses = (declaration as unknown as ClassDeclaration).heritageClauses ?? []
  return clauses.map((clause) => ` ${dedented(clause.getText())}`).join('')
}

function parameter({ name, type, questionToken, initializer, dotDotDotToken }: ParameterDeclaration): string {
  const isNamed = name.kind === SyntaxKind.Identifier
  const isOptional = questionToken !== undefined || initializer !== undefined
  const spread = dotDotDotToken === undefined ? '' : '...'
  return `${spread}${isNamed ? name.getText() : 'options'}${isOptional ? '?' : ''}: ${dedented(type?.getText() ?? 'unknown')}`
}

/** Properties of object types inside, if nobody says what they are. */
function uncommentedIn(declaration: Node): string[] {
  const found: string[] = []
  const visit = (node: Node): undefined => {
    // A shape on one line is what the comment of the whole is about.
    const isOnOneLine = !(node.parent?.getText() ?? '').includes('\n')
    if (node.kind === SyntaxKind.PropertySignature && node.jsDoc === undefined && !isOnOneLine) {
      const { name, type } = node as Declared
      if (type?.kind !== SyntaxKind.LiteralType) found.push(name?.getText() ?? '')
    }
    node.forEachChild(visit)
    return undefined
  }
  visit(declaration)
  return found
}

/** What was indented as part of a class is not, on a page. */
function dedented(text: string): string {
  const [first = '', ...rest] = text.split('\n')
  const indents = rest.filter((line) => line.trim() !== '').map((line) => line.length - line.trimStart().length)
  const least = Math.min(...indents, Number.MAX_SAFE_INTEGER)
  const last = rest.at(-1)
  const closes = last !== undefined && /^\s*[})\]>|]/.test(last)
  const cut = closes ? Math.max(0, last.length - last.trimStart().length) : Math.max(0, least - 2)
  return [first, ...rest.map((line) => line.slice(Math.min(cut, line.length - line.trimStart().length)))].join('\n')
}

function unwrapped(text: string): string {
  return text
    .trim()
    .replace(/\n{3,}/g, '\n\n')
    .replace(/([^\n])\n(?!\n|- |\* |\d+\. |```|@)(?=[^\n])/g, '$1 ')
}
