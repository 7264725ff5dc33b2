/** `samsa dump`: its options. What it does is in ../dump/run.ts. */
import { Command, InvalidArgumentError, Option } from 'commander'
import { RECORD_KINDS } from '../dump/file-kinds.ts'
import type { DumpOptions, OffsetRange } from '../dump/run.ts'
import { formatOption } from '../options.ts'

const HELP = `
Files are known by their names:
  .log                          record batches; with --records what is in them
  .checkpoint                   snapshots of Kafka's metadata (bootstrap.checkpoint, too)
  .index .timeindex .txnindex   compared with the .log beside them
  .snapshot                     what is known of producers
  leader-epoch-checkpoint, *-offset-checkpoint, partition.metadata, meta.properties, quorum-state, .kafka_cleanshutdown

Records of __cluster_metadata, __consumer_offsets, __transaction_state and __share_group_state are decoded; --as says so of a file that
lies elsewhere.
Checksums are verified, indexes compared with their logs. Nothing is written, so a broker may run; the newest entries of its indexes
are then not in the files yet.

Examples:
  samsa dump samsa-data/orders-0                                                  all files of a partition
  samsa dump --records --offsets 100..120 samsa-data/orders-0/00000000000000000000.log
  samsa dump --records samsa-data/__consumer_offsets-12/00000000000000000000.log  commits and groups
  samsa dump --records kafka-data/__cluster_metadata-0                            what Kafka's controller has written
  samsa dump --check samsa-data/*/                                                only what is wrong
  samsa dump --records --format json samsa-data/orders-0/*.log | jq -r .value

Exit codes: 0 all is well, 1 something is damaged (file and position on stderr), 2 bad usage.`

export function command(): Command {
  return new Command('dump')
    .description("Show and check the files of a broker's data folder, Samsa's or Kafka's.")
    .argument('<file...>', 'files, or folders of partitions')
    .option('-r, --records', 'show the records of each batch, with keys, values and headers')
    .addOption(
      new Option('--offsets <range>', 'of logs only these: N, N.., ..N or N..M, both included').argParser(offsetRange),
    )
    .addOption(new Option('--as <kind>', "what a log's records are, if its folder does not say").choices(RECORD_KINDS))
    .option('--check', 'print only what is wrong, and how much was looked at')
    .addOption(formatOption())
    .addHelpText('after', HELP)
    .action(async (files: string[], options: DumpOptions) => (await import('../dump/run.ts')).dump(files, options))
}

function offsetRange(text: string): OffsetRange {
  const match = /^(\d*)(\.\.)?(\d*)$/.exec(text)
  const [from = '', dots, to = ''] = match?.slice(1) ?? []
  if (match === null || (from === '' && to === '')) {
    throw new InvalidArgumentError('It must be an offset or a range such as 100..120, 100.. or ..120.')
  }
  const first = from === '' ? 0 : Number(from)
  const last = dots === undefined ? first : to === '' ? Number.POSITIVE_INFINITY : Number(to)
  if (last < first) throw new InvalidArgumentError('It ends before it begins.')
  return { from: first, to: last }
}
