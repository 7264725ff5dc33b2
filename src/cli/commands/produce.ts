/** `samsa produce`: its options. What it does is in ../produce/run.ts. */
import { Command, InvalidArgumentError, Option } from 'commander'
import type { Acks } from '../../client/producer/options.ts'
import { collect, connectionOptions, formatOption, nonNegativeInteger, positiveInteger } from '../options.ts'
import type { HeaderToSend } from '../produce/record-maker.ts'
import type { ProduceOptions } from '../produce/run.ts'
import { COMPRESSIONS } from '../profile/properties.ts'

const HELP = `
Input: lines of standard input, or of the file of -f; files that are named as arguments are one record each (with -l: lines). With --json
each line is a JSON object as 'samsa consume --format json' (or -J, or kcat -J) prints it: key, value, headers.

With a transactional id all input is one transaction: committed at its end, aborted by Ctrl-C or an error.

Examples:
  echo hello | samsa produce -t greetings
  samsa produce -t orders -K: -f orders.txt           lines such as  42:{"item":"tea"}
  samsa produce -t images cat.jpg dog.jpg             a record for each file
  samsa produce -t logs -z zstd -H source=web < access.log
  echo 'k1:' | samsa produce -t users -K: -Z          a tombstone: key k1, value null
  samsa produce -t payments --transactional-id import-1 -f payments.txt
  samsa consume -t orders -o beginning -e --format json | samsa produce -t orders-copy --json

On a terminal, Ctrl-D ends the input.

Exit codes: 0 everything is acknowledged, 1 failed, 2 bad usage.`

export function command(): Command {
  const made = new Command('produce').description('Write lines, files or JSON as records to a topic.')
  made.argument('[file...]', 'files that are one record each')
  for (const option of connectionOptions()) made.addOption(option)
  made
    .requiredOption('-t, --topic <topic>', 'topic to write to')
    .option('-f, --file <path>', 'read lines from this file instead of standard input')
    .option('-l, --lines', 'the file named as argument has lines')
    .option('--json', 'lines are JSON objects; see below')
    .option('-k, --key <key>', 'key of all records that bring none')
    .addOption(
      new Option('-K, --key-separator <text>', 'what stands before it in a line is the key').argParser(nonEmpty),
    )
    .addOption(new Option('-D, --delimiter <text>', 'what ends a record (default: "\\n")').argParser(nonEmpty))
    .addOption(
      new Option(
        '-H, --header <name=value>',
        'header of all records; without = its value is null; may be repeated',
      ).argParser(collect(header)),
    )
    .addOption(
      new Option('-p, --partition <n>', 'write to this partition only (default: the key decides)').argParser(
        nonNegativeInteger,
      ),
    )
    .option('-Z, --null', 'an empty value (or key) becomes null')
    .addOption(new Option('-c, --count <n>', 'stop after so many records').argParser(positiveInteger))
    .option('-T, --tee', 'print what is sent to standard output, too')
  return withDelivery(made)
    .addOption(formatOption())
    .addHelpText('after', HELP)
    .action(async (files: string[], options: ProduceOptions) =>
      (await import('../produce/run.ts')).produce(files, options),
    )
}

function withDelivery(made: Command): Command {
  return made
    .addOption(new Option('-z, --compression <codec>', 'compress batches (default: none)').choices(COMPRESSIONS))
    .addOption(new Option('--level <n>', 'compression level').argParser(positiveInteger))
    .addOption(
      new Option(
        '--acks <acks>',
        'which replicas must have a record: all, 1 (the leader) or 0 (none) (default: all)',
      ).argParser(parseAcks),
    )
    .addOption(
      new Option('--linger <ms>', 'how long a record may wait for others (default: 5)').argParser(nonNegativeInteger),
    )
    .addOption(
      new Option('--batch-size <bytes>', 'size of a batch before compression (default: 262144)').argParser(
        positiveInteger,
      ),
    )
    .option('--transactional-id <id>', 'all input is one transaction of this id')
}

function parseAcks(text: string): Acks {
  if (text === 'all' || text === '-1') return 'all'
  if (text === '0') return 0
  if (text === '1') return 1
  throw new InvalidArgumentError('It must be all, 1 or 0.')
}

function nonEmpty(text: string): string {
  if (text === '') throw new InvalidArgumentError('It must not be empty.')
  return text
}

function header(text: string): HeaderToSend {
  const at = text.indexOf('=')
  if (text === '' || at === 0) throw new InvalidArgumentError(`'${text}' is not NAME=VALUE or NAME.`)
  return at < 0 ? { key: text, value: null } : { key: text.slice(0, at), value: Buffer.from(text.slice(at + 1)) }
}
