/** Writes docs/cli.md from the commands themselves: `bun src/cli/reference.ts`. A test says when it is no longer what they are. */
import type { Command, Option } from 'commander'
import { JSON_FIELDS } from './json-fields.ts'
import { connectionOptions } from './options.ts'
import { environmentName, PROPERTIES } from './profile/properties.ts'
import { wholeProgram } from './program.ts'

/** Lines of the help are not broken at any terminal's width. */
const WIDTH = 10_000

const HEAD = `# The command line

\`samsa\` is the broker and its tools in one program: \`bun src/cli/main.ts\` in the repository, \`samsa\` where the package is installed, one file
after \`npm run build\`. This page is written from the commands themselves (\`bun src/cli/reference.ts\`); \`--help\` says the same.

\`\`\`sh
samsa serve                                        # a broker on 127.0.0.1:9092
samsa topics create orders --partitions 3
echo 'o-1:{"total": 12}' | samsa produce -t orders -K:
samsa consume -t orders -o beginning -e -f '%p:%o %k %s\\n'
samsa completion bash                              # also zsh, fish: names of topics and groups, too
\`\`\`

## What all commands have in common

- Results go to standard output and nothing else does: notes, progress and errors go to standard error. A reader that has seen enough (\`| head\`) ends the command quietly.
- Exit codes: **0** done, **1** failed or something is wrong (of several things, what failed is named and the others are done), **2** bad usage or configuration. Ctrl-C ends \`consume\` with 0 after what it has printed; a password prompt ends with 130.
- Errors are one line that begins with \`samsa:\` and, where there is one, ends with what to try next in brackets. \`SAMSA_DEBUG=1\` adds where in the code it was.
- \`--format text\` (tables, the columns of Kafka's own tools) or \`--format json\`, everywhere.
- Colour only on a terminal, and not with \`NO_COLOR\` or \`TERM=dumb\`.
- Options of the connection may also stand before the command: \`samsa --profile prod topics list\`. \`--bootstrap-server\` is \`--bootstrap\`.
`

const PRECEDENCE = `## Clusters and profiles

What holds, from strongest to weakest:

1. an option of the command: \`-b\`, \`--timeout\`, \`-z\`, \`--acks\`, ...
2. \`-X property=value\`, which may be repeated
3. the environment, as in the table
4. the profile: \`--profile NAME\`, else \`SAMSA_PROFILE\`, else the one chosen with \`samsa profile use\`
5. the default

\`samsa profile show\` tells what holds, and where each value comes from. Profiles are kept in \`samsa/profiles.yaml\` in \`XDG_CONFIG_HOME\` (\`~/.config\`), or in the file that \`--profiles-file\` or \`SAMSA_PROFILES_FILE\` name:

\`\`\`yaml
current: prod
profiles:
  local:
    bootstrap.servers: 127.0.0.1:9092
  prod:
    bootstrap.servers: broker-1.example:9093,broker-2.example:9093
    security.protocol: SASL_SSL
    ssl.ca.location: ca.pem              # relative to this file
    sasl.mechanism: SCRAM-SHA-512
    sasl.username: alice
    sasl.password.file: /run/secrets/kafka
    compression.type: zstd
\`\`\`

Secrets: the file is written for its owner only (0600), and a warning says when others can read one that holds secrets. Better than \`sasl.password\` in it are
\`sasl.password.file\`, \`SAMSA_CLIENT_SASL_PASSWORD\`, or nothing: then it is asked for at the terminal. On a command line (\`-X sasl.password=\`) everybody on the machine can read it. Secrets are never printed.
`

const COMING_FROM = `## Coming from other tools

| there | here |
|---|---|
| \`kcat -L\` | \`samsa cluster info\`, \`samsa topics describe\` |
| \`kcat -P -t T -K: -z lz4 -H a=b -l FILE\` | \`samsa produce -t T -K: -z lz4 -H a=b -f FILE\` (also \`-l FILE\`, \`-D\`, \`-Z\`, \`-T\`, \`-c\`, \`-k\`, \`-p\`) |
| \`kcat -C -t T -o -5 -e -f FORMAT\`, \`-J\`, \`-s\` | \`samsa consume -t T -o -5 -e -f FORMAT\`, \`-J\`, \`-s\` (the same bytes; \`-o\` is \`end\` where it is not given) |
| \`kcat -G GROUP T\` | \`samsa consume -G GROUP -t T\` |
| \`kcat -Q -t T:0:TIME\` | \`samsa offsets list T --at @TIME\` |
| \`kcat -X name=value\`, \`-F FILE\` | \`-X name=value\`, \`samsa profile\` |
| \`rpk topic consume T -o @-1h:end -f '%v{hex}'\` | \`samsa consume T -o @-1h:end -f '%v{hex}'\` |
| \`rpk profile create prod --set brokers=...\` | \`samsa profile create prod --set brokers=...\` |
| \`rpk group seek G --to start\` | \`samsa groups seek G --to start\` |
| \`kafka-topics --create\`, \`--describe\` | \`samsa topics create\`, \`samsa topics describe\` |
| \`kafka-consumer-groups --describe --group G --members\` | \`samsa groups describe G --members\` (share and streams groups, too) |
| \`kafka-consumer-groups --reset-offsets --shift-by -10 --execute\` | \`samsa groups seek G --shift-by -10\` |
| \`kafka-configs --alter --entity-type topics --add-config\` | \`samsa configs set topic T name=value\` |
| \`kafka-dump-log --print-data-log --files FILE\` | \`samsa dump --records FILE\` |
| \`kafka-delete-records\`, \`kafka-get-offsets\` | \`samsa offsets trim\`, \`samsa offsets list\` |
| \`kafka-acls\`, \`kafka-transactions\`, \`kafka-features\`, \`kafka-log-dirs\` | \`samsa acls\`, \`samsa transactions\`, \`samsa cluster features\`, \`samsa cluster log-dirs\` |
`

export async function renderReference(): Promise<string> {
  const program = await wholeProgram()
  const commands = program.commands.filter((command) => isShown(program, command))
  const list = commands.map(
    (command) => `| [\`samsa ${command.name()}\`](#samsa-${command.name()}) | ${command.summary()} |`,
  )
  return [
    HEAD,
    ['## Commands', '', '| command | what it does |', '|---|---|', ...list, ''].join('\n'),
    PRECEDENCE,
    properties(),
    connection(),
    jsonTable(),
    COMING_FROM,
    ...commands.flatMap((command) => sections(command, `samsa ${command.name()}`, 2)),
  ].join('\n')
}

/** What a command's help says behind its options: notes and examples. */
export function afterHelp(command: Command): string {
  let shown = ''
  command.configureOutput({ writeOut: (text) => (shown += text), getOutHelpWidth: () => WIDTH })
  command.outputHelp()
  return shown.slice(command.helpInformation().length).trim()
}

export function isShown(parent: Command, command: Command): boolean {
  return command.name() !== 'help' && parent.createHelp().visibleCommands(parent).includes(command)
}

function properties(): string {
  const rows = PROPERTIES.map((property) => {
    const others =
      property.otherNames === undefined ? '' : `; also ${property.otherNames.map((name) => `\`${name}\``).join(', ')}`
    const secret = property.isSecret === true ? ' (secret)' : ''
    const standard = property.standard === undefined ? '' : `\`${property.standard}\``
    return `| \`${property.name}\`${secret} | ${standard} | \`${environmentName(property)}\` | ${property.summary}${others} |`
  })
  return ['| property | default | environment | meaning |', '|---|---|---|---|', ...rows, ''].join('\n')
}

function connection(): string {
  const rows = connectionOptions().map((option) => `| \`${option.flags}\` | ${option.description} |`)
  const head =
    '## Options of the connection\n\nEvery command that talks to a cluster has them; they are not repeated below.\n'
  return [head, '| option | meaning |', '|---|---|', ...rows, ''].join('\n')
}

function jsonTable(): string {
  const shapes = { array: 'a list of objects', object: 'one object', lines: 'one object per line' } as const
  const rows = Object.entries(JSON_FIELDS).map(([command, { shape, fields }]) => {
    return `| \`${command}\` | ${shapes[shape]} | ${fields.map((field) => `\`${field}\``).join(', ')} |`
  })
  const head = `## JSON

\`--format json\` prints one line (indented on a terminal), except where records come one after the other. Names stay; new ones may be added. A field with \`?\` may be missing: \`error\`
where nothing failed, \`key\` and \`value\` where the bytes are no UTF-8 and come in \`keyBase64\` and \`valueBase64\`. \`null\` is null. Times are milliseconds since 1970, offsets numbers.
`
  return [head, '| command | prints | fields |', '|---|---|---|', ...rows, ''].join('\n')
}

const SHARED = new Set(connectionOptions().map(({ long }) => long))

function sections(command: Command, name: string, level: number): string[] {
  const options = command
    .createHelp()
    .visibleOptions(command)
    .filter(({ long }) => !SHARED.has(long) && long !== '--help')
  const lines = [`${'#'.repeat(level)} ${name}`, '', command.description(), '']
  const isGroup = command.commands.length > 0 && command.registeredArguments.length === 0
  if (!isGroup) lines.push('```', `${name} ${command.usage()}`, '```', '')
  const arguments_ = command.registeredArguments.filter(({ description }) => description !== '')
  const rows = [
    ...arguments_.map((argument) => `| \`${argument.name()}\` | ${escaped(argument.description)} |`),
    ...options.map((option) => `| \`${option.flags.replaceAll('|', '\\|')}\` | ${optionText(option)} |`),
  ]
  if (rows.length > 0) lines.push('| | |', '|---|---|', ...rows, '')
  lines.push('```text', afterHelp(command), '```', '')
  const children = command.commands.filter((child) => isShown(command, child))
  return [lines.join('\n'), ...children.flatMap((child) => sections(child, `${name} ${child.name()}`, level + 1))]
}

function optionText(option: Option): string {
  const standard = option.defaultValueDescription ?? option.defaultValue
  const isTold = standard !== undefined && standard !== false && option.description.includes('default') === false
  const notes = [
    ...(option.argChoices === undefined ? [] : [option.argChoices.map((choice) => `\`${choice}\``).join(', ')]),
    ...(isTold && option.long?.startsWith('--no-') !== true ? [`default: \`${String(standard)}\``] : []),
    ...(option.envVar === undefined ? [] : [`environment: \`${option.envVar}\``]),
  ]
  return escaped(`${option.description}${notes.length === 0 ? '' : ` (${notes.join('; ')})`}`)
}

function escaped(text: string): string {
  return text.replaceAll('|', '\\|').replace(/<(?=\w)/g, '&lt;')
}

if (import.meta.main) {
  const path = new URL('../../docs/cli.md', import.meta.url).pathname
  await Bun.write(path, await renderReference())
  console.log(`written: ${path}`)
}
