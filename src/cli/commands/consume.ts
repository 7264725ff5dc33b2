/** `samsa consume`: its options. What it does is in ../consume/run.ts. */
import { Command, InvalidArgumentError, Option } from 'commander'
import type { ConsumeOptions, UnpackOption } from '../consume/run.ts'
import { parseHeaderFilter, parseKeyFilter, parseValueFilter, type RecordFilter } from '../filters.ts'
import { type OffsetSpec, parseOffsetSpec } from '../offset-spec.ts'
import { collect, connectionOptions, formatOption, positiveInteger } from '../options.ts'
import { ISOLATION_LEVELS } from '../profile/properties.ts'
import { formatPrinter } from '../record-format.ts'
import { parseUnpack } from '../unpack.ts'

const HELP = `
Format strings (kcat's -f):
  %s value   %k key   %t topic   %p partition   %o offset   %T timestamp (ms)   %h headers   %% a percent sign
  %S and %K size in bytes of value and key (-1: null)   %R size of the value as four bytes, big-endian
  \\n \\t \\r \\e \\xHH and so on; the format alone decides about line ends
  Here only: %v value   %V its size   %d time (ISO; {ms}, {s})   %e leader epoch   %H number of headers   %i count
  Modifiers: %k %s %v {hex} {base64} {json} {unpack[>iq]}   numbers {hex} {big64} {big32} {little64} {byte} ...

Where to begin and to stop (-o, may be repeated):
  beginning  end  N (an offset)  -N (the last N of each partition)  +N (N after the beginning)
  @TIME (the first record of that time or younger; kcat's s@TIME); a time: milliseconds, 2026-01-31T12:00:00Z, -2h
  FROM:UNTIL, as in 100:200, @-2h:@-1h or :end; e@TIME is kcat's name for the end
  stored (what the group of -G or --offsets-of has committed)

Filters: TEXT that must be contained, or /EXPRESSION/ (RE2; flags i, m, s) that must match; all of them must be met. A header: NAME,
NAME=TEXT or NAME=/EXPRESSION/. All partitions are searched; a terminal shows how far it is, Ctrl-C ends it with a summary.

Topics: several with commas or -t; ^EXPRESSION means all that match.

Examples:
  samsa consume -t orders                               what comes from now on
  samsa consume -t orders -o beginning -e               all there is, then exit
  samsa consume -t orders -o -5 -e                      the last five records of each partition
  samsa consume -t orders -p 0 -o 1000 -c 10            ten records from offset 1000
  samsa consume -t orders -o @2026-01-31T12:00:00Z -e   since that time
  samsa consume -t orders -o @-2h:@-1h                  of one hour
  samsa consume -t orders -f '%p %o %k: %s\\n'           with position and key
  samsa consume -t orders -f '%d %k{hex} %v{json}\\n'    time, key in hex, value quoted
  samsa consume -t orders --format json | jq .value
  samsa consume -t orders -o beginning -e --value-filter '/"total":\\s*[0-9]{4,}/' --header-filter source=web
  samsa consume -t '^orders\\..*' -o beginning -e --key-filter 4711 --max-scanned 1000000
  samsa consume -t users -o -1 -e -s value=registry -r http://127.0.0.1:8081   Avro, JSON Schema or Protobuf
  samsa consume -G billing -t orders -o beginning       as a member of a group, which commits

Exit codes: 0 done or interrupted, 1 failed, 2 bad usage.`

export function command(): Command {
  const made = new Command('consume').description('Print the records of topics.')
  made.argument('[topic...]', 'topics to read, the same as -t')
  made.addOption(new Option('-t, --topic <topic>', 'topic to read; may be repeated').argParser(collect(String)))
  for (const option of connectionOptions()) made.addOption(option)
  made
    .addOption(new Option('-p, --partition <n,...>', 'only these partitions').argParser(partitionList))
    .addOption(
      new Option('-o, --offset <where>', 'where to begin and to stop; see below (default: end)').argParser(
        offsetOption,
      ),
    )
    .option('-G, --group <group>', 'read as a member of this group, and commit')
    .option('--offsets-of <group>', 'with -o stored: begin where this group is, without joining it')
    .addOption(new Option('-c, --count <n>', 'exit after so many records').argParser(positiveInteger))
    .addOption(new Option('-n <n>', 'the same').argParser(positiveInteger).hideHelp())
    .option('-e, --exit', 'exit at the end of what is there now')
  withPrinting(made)
  withSearch(made)
  return made
    .addOption(formatOption())
    .addHelpText('after', HELP)
    .action(async (topics: string[], { n, ...options }: ConsumeOptions & { n?: number }) => {
      const { consume } = await import('../consume/run.ts')
      await consume(topics, n === undefined ? options : { ...options, count: n })
    })
}

function withPrinting(made: Command): void {
  made
    .addOption(
      new Option('-f, --format-string <format>', 'how to print a record; see below (default: "%s\\n")').argParser(
        checkedFormat,
      ),
    )
    .option('-J, --envelope', "kcat's JSON envelope, one line a record")
    .option('-D, --delimiter <text>', 'what ends a record (default: "\\n")')
    .option('-K, --key-separator <text>', 'print the key and this text before the value')
    .option('-Z, --null', 'print NULL for keys and values that are null or empty')
    .addOption(
      new Option(
        '-s, --unpack <[key=|value=]how>',
        'show binary keys or values as numbers, by a pack string: -s value=>iq; or, with registry, as JSON by their schema',
      ).argParser(collect(unpackOption)),
    )
    .option('-r, --registry <url>', 'the schema registry for -s registry')
    .option('-u, --unbuffered', 'write every record at once')
    .option('-q, --quiet', 'no remarks on stderr')
}

function withSearch(made: Command): void {
  made
    .addOption(filterOption('--key-filter <text>', 'only records whose key contains it', parseKeyFilter))
    .addOption(filterOption('--value-filter <text>', 'only records whose value contains it', parseValueFilter))
    .addOption(filterOption('--header-filter <name=text>', 'only records with such a header', parseHeaderFilter))
    .addOption(new Option('--max-scanned <n>', 'stop after looking at so many records').argParser(positiveInteger))
    .option('--progress', 'tell how far it is on stderr, also where that is no terminal')
    .addOption(
      new Option(
        '--isolation <level>',
        'read_committed: hide what is not committed (default: read_uncommitted)',
      ).choices(ISOLATION_LEVELS),
    )
    .option('--read-committed', 'the same as --isolation read_committed')
    .option('--rack <rack>', 'where this is, to read from a replica nearby')
}

function filterOption(flags: string, description: string, parse: (text: string) => RecordFilter | string): Option {
  return new Option(flags, `${description}, or /EXPRESSION/; may be repeated`).argParser(
    collect((text: string) => {
      const filter = parse(text)
      if (typeof filter === 'string') throw new InvalidArgumentError(filter)
      return filter
    }),
  )
}

function offsetOption(text: string, previous: OffsetSpec | undefined): OffsetSpec {
  const spec = parseOffsetSpec(text, Date.now())
  if (typeof spec === 'string') throw new InvalidArgumentError(spec)
  return { ...previous, ...spec }
}

function checkedFormat(text: string): string {
  const printer = formatPrinter(text)
  if (typeof printer === 'string') throw new InvalidArgumentError(printer)
  return text
}

/** kcat calls it avro; the registry knows what it is. */
const BY_SCHEMA = new Set(['registry', 'avro'])

function unpackOption(text: string): UnpackOption {
  const [, of = 'both', how = text] = /^(key|value)=(.*)$/.exec(text) ?? []
  const unpacker = BY_SCHEMA.has(how) ? 'registry' : parseUnpack(how)
  if (typeof unpacker === 'string' && unpacker !== 'registry') throw new InvalidArgumentError(unpacker)
  return { of: of as UnpackOption['of'], unpacker: unpacker as UnpackOption['unpacker'] }
}

function partitionList(text: string): number[] {
  const partitions = text.split(',').map((part) => (/^\d+$/.test(part.trim()) ? Number(part) : Number.NaN))
  if (partitions.some(Number.isNaN)) throw new InvalidArgumentError('It must be a list of numbers such as 0 or 0,2.')
  return [...new Set(partitions)]
}
