/** `samsa export`: its options. What it does is in ../export/run.ts. */
import { Command, Option } from 'commander'
import type { ExportOptions } from '../export/run.ts'
import { address, formatOption, nonNegativeInteger, profileOptions } from '../options.ts'

const HELP = `
Writes DIR/TOPIC-PARTITION/OFFSET.log, the broker's own files up to the high watermark; kafka-dump-log reads them. Every batch's
checksum is verified before a file gets its name.
A run that was cut short is continued by the next one with the same DIR; what has been exported already is not fetched again, and of a
segment that has grown only the rest.

Examples:
  samsa export orders --output backup
  samsa export orders --output backup --partition 0 --partition 3
  samsa export orders --output backup --from 120000                the segment with offset 120000 and all after it
  samsa export orders --output backup --http 127.0.0.1:19080 --format json
  kafka-dump-log.sh --print-data-log --files backup/orders-0/00000000000000000000.log

Exit codes: 0 exported, 1 failed or incomplete (run it again), 2 bad usage.`

export function command(): Command {
  const made = new Command('export')
    .description("Copy a topic's log files from a broker's HTTP port into a folder.")
    .argument('<topic>', 'topic to export')
    .requiredOption('-o, --output <dir>', 'folder to write to; made if it is not there')
    .addOption(new Option('-p, --partition <n,...>', 'only these partitions; may be repeated').argParser(partitions))
    .addOption(
      new Option('--from <offset>', 'begin with the segment that holds this offset').argParser(nonNegativeInteger),
    )
    .addOption(
      new Option('--http <host:port>', "address of the broker's HTTP port (default: 127.0.0.1:9080)").argParser(
        address,
      ),
    )
  for (const option of profileOptions()) made.addOption(option)
  return made
    .addOption(formatOption())
    .addHelpText('after', HELP)
    .action(async (topic: string, options: ExportOptions) =>
      (await import('../export/run.ts')).exportTopic(topic, options),
    )
}

function partitions(text: string, previous: readonly number[] | undefined): number[] {
  return [...(previous ?? []), ...text.split(',').map((part) => nonNegativeInteger(part.trim()))]
}
