/**
 * The pages of docs/api: which name stands on which page, and how it looks there.
 *
 * What must hold: the same declarations give the same bytes, so that the committed pages can be compared with fresh ones.
 */
import type { Entry, Member } from './model.ts'

export interface Page {
  /** Relative to docs/api. */
  readonly path: string
  readonly text: string
}

interface Topic {
  readonly file: string
  readonly title: string
  readonly about: string
  /** Paths of sources whose names stand there; the first page that fits has them. */
  readonly sources: RegExp
  /** The API of another library: the same names mean something else on other pages, and its documentation explains them. */
  readonly isForeign?: boolean
}

const TOPICS: readonly Topic[] = [
  {
    file: 'kafkajs.md',
    title: 'The kafkajs adapter',
    about:
      'What `samsa/kafkajs` exports: the API of kafkajs 2 over this client, with its names, its shapes and its meanings. Comments only say what is different here. ' +
      '[Guide](../migration-from-kafkajs.md).',
    sources: /^src\/kafkajs\//,
    isForeign: true,
  },
  {
    file: 'testing.md',
    title: 'A broker for tests',
    about:
      'The broker inside a process (`samsa`), and the program `samsa` as a child process (`samsa/testing`). [Guide](../embedded.md).',
    sources: /^src\/(broker|storage|testing)/,
  },
  {
    file: 'share-consumer.md',
    title: 'Share consumer',
    about: 'Share groups (KIP-932). [Guide](../client.md#share-groups).',
    sources: /^src\/client\/consumer\/share\//,
  },
  {
    file: 'consumer.md',
    title: 'Consumer',
    about: 'Reading, alone or in groups. [Guide](../client.md#consuming).',
    sources: /^src\/client\/consumer\//,
  },
  {
    file: 'producer.md',
    title: 'Producer',
    about: 'Writing, also in transactions. [Guide](../client.md#producing).',
    sources: /^src\/client\/producer\//,
  },
  { file: 'admin.md', title: 'Admin', about: 'Asking and changing a cluster.', sources: /^src\/client\/admin\// },
  {
    file: 'serdes.md',
    title: 'Serdes',
    about: 'From values to bytes and back. [Guide](../client.md#types-and-serdes).',
    sources: /^src\/client\/serdes\//,
  },
  {
    file: 'connecting.md',
    title: 'Connections, errors and metrics',
    about: 'What producers, consumers and the admin client have in common. [Guide](../client.md#errors).',
    sources: /^src\/client\//,
  },
]

interface Chapter {
  readonly topic: Topic
  /** In the order in which they stand there. */
  readonly entries: readonly Entry[]
}

const HEAD = '<!-- Generated from the comments in src by `npm run docs`: change those. -->'

/** Throws for a name that belongs to no page. */
export function pagesOf(entries: readonly Entry[]): Page[] {
  const chapters = TOPICS.map((topic) => ({
    topic,
    entries: entries.filter((entry) => topicOf(entry) === topic).sort(byWeight),
  })).filter((chapter) => chapter.entries.length > 0)
  const shared = new Map(chapters.filter(({ topic }) => topic.isForeign !== true).flatMap(placesIn))
  const placesFor = (chapter: Chapter): Map<string, string> => new Map([...shared, ...placesIn(chapter)])
  const pages = chapters.map((chapter) => ({ path: chapter.topic.file, text: topicPage(chapter, placesFor(chapter)) }))
  return [{ path: 'README.md', text: indexPage(chapters, placesFor) }, ...pages]
}

/** Names and members without a comment, as a reader would call them. */
export function uncommented(entries: readonly Entry[]): string[] {
  const own = entries.filter((entry) => topicOf(entry).isForeign !== true)
  return own.flatMap(({ name, comment, members, uncommented, file }) => [
    ...(comment === '' ? [`${file}: ${name}`] : []),
    ...members.filter((member) => member.comment === '').map((member) => `${file}: ${name}.${member.name}`),
    ...uncommented.map((property) => `${file}: ${name}, its ${property}`),
  ])
}

function topicOf(entry: Entry): Topic {
  const topic = TOPICS.find(({ sources }) => sources.test(entry.file))
  if (topic === undefined) throw new Error(`${entry.name} of ${entry.file} belongs to no page of docs/api`)
  return topic
}

/** Classes first, then functions, then what they take and give. */
const WEIGHTS = { class: 0, function: 1, constant: 2, interface: 3, type: 3 }

function byWeight(a: Entry, b: Entry): number {
  return WEIGHTS[a.kind] - WEIGHTS[b.kind] || (a.name < b.name ? -1 : 1)
}

/** Where each name is. A heading's anchor is its text in small letters, numbered where it is not the first of its kind. */
function placesIn({ topic, entries }: Chapter): [string, string][] {
  const seen = new Map<string, number>()
  const anchor = (title: string): string => {
    const plain = title
      .toLowerCase()
      .replace(/[^\w -]/g, '')
      .replaceAll(' ', '-')
    const count = seen.get(plain) ?? 0
    seen.set(plain, count + 1)
    return count === 0 ? plain : `${plain}-${count}`
  }
  anchor(topic.title)
  return entries.map(({ name, members }) => {
    const place = `${topic.file}#${anchor(name)}`
    for (const member of members) if (member.kind !== 'property') anchor(callTitle(name, member))
    return [name, place]
  })
}

function indexPage(chapters: readonly Chapter[], placesFor: (chapter: Chapter) => Map<string, string>): string {
  const sections = chapters.map((chapter) => {
    const { topic, entries } = chapter
    const places = placesFor(chapter)
    const links = entries.map(({ name }) => `[\`${name}\`](${places.get(name)})`)
    return `## [${topic.title}](${topic.file})\n\n${topic.about}\n\n${links.join(', ')}\n`
  })
  return [HEAD, '# API reference', INTRODUCTION, sections.join('\n')].join('\n\n')
}

const INTRODUCTION =
  'Everything that the package exports, from the comments in its source. Times are in milliseconds and sizes in bytes unless a name or a comment says ' +
  'otherwise; offsets are numbers. A promise rejects, and a call throws, with a [`KafkaError`](connecting.md#kafkaerror) unless a comment names another error.'

function topicPage({ topic, entries }: Chapter, places: ReadonlyMap<string, string>): string {
  const sections = entries.map((entry) => section(entry, topic, places))
  return `${[HEAD, `# ${topic.title}`, topic.about, ...sections].join('\n\n')}\n`
}

function section(entry: Entry, topic: Topic, places: ReadonlyMap<string, string>): string {
  const { name, members, declaration, comment } = entry
  const parts = [`## ${name}`, `From ${entry.entries.map((each) => `\`${each}\``).join(', ')}.`, comment]
  // The table says it all.
  if (declaration !== `interface ${name}`) parts.push(`\`\`\`ts\n${declaration}\n\`\`\``)
  const properties = members.filter(({ kind }) => kind === 'property')
  const calls = members.filter(({ kind }) => kind !== 'property')
  if (properties.length > 0) parts.push(propertyTable(properties))
  for (const call of calls) parts.push(callSection(name, call))
  const mentioned = namesIn([declaration, ...members.map(({ signature }) => signature)], places)
  const links = mentioned
    .filter((other) => other !== name)
    .map((other) => `[${other}](${places.get(other)!.replace(new RegExp(`^${topic.file}`), '')})`)
  if (links.length > 0) parts.push(`See ${links.join(', ')}.`)
  return parts.filter((part) => part !== '').join('\n\n')
}

function propertyTable(properties: readonly Member[]): string {
  const rows = properties.map(({ name, signature, isOptional, comment }) => {
    const cells = [`\`${name}${isOptional ? '?' : ''}\``, `\`${oneLine(signature)}\``, comment.replace(/\n+/g, '<br>')]
    return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  })
  return ['| | type | |', '|---|---|---|', ...rows].join('\n')
}

function callTitle(owner: string, { name, kind }: Member): string {
  if (kind === 'constructor') return `new ${owner}`
  return kind === 'static' ? `${owner}.${name}` : name
}

function callSection(owner: string, member: Member): string {
  const { kind, signature, comment } = member
  const text = kind === 'constructor' ? signature.replace(/^constructor/gm, `new ${owner}`) : signature
  return [`### ${callTitle(owner, member)}`, `\`\`\`ts\n${text}\n\`\`\``, comment]
    .filter((part) => part !== '')
    .join('\n\n')
}

function oneLine(text: string): string {
  return text.replace(/\/\*\*[\s\S]*?\*\/\s*/g, '').replace(/\s*\n\s*/g, ' ')
}

/** Exported names that the texts use, in order of appearance. */
function namesIn(texts: readonly string[], places: ReadonlyMap<string, string>): string[] {
  const words = texts.flatMap((text) => text.match(/\b[A-Z]\w+/g) ?? [])
  return [...new Set(words)].filter((word) => places.has(word))
}
