// kafka-dump-log with every decoder, on copies of both brokers' folders.
import type { Command, Sequence, Step } from './sequence.ts'

const SEALED = '{copied}/dumped-0/00000000000000000000'
const LAST = '{copied}/dumped-0/00000000000000000005'

/** How many bytes a record has depends on the milliseconds between it and the first one. */
const unnumbered = (output: readonly string[]): string[] =>
  output.map((line) => line.replaceAll(/\b(crc|size|position|producerId): \d+/g, '$1: <n>'))

const dump = (args: string): Step => ({ run: `kafka-dump-log ${args}`, alone: true, only: unnumbered })

/** Each record once, without what stands around it: those of this sequence, with what each broker makes up itself by its name. */
function ownRecords(output: readonly string[]): string[] {
  const records = output
    .filter((line) => line.includes('dumped'))
    .map((line) => line.replace(/^.*? key: /, 'key: '))
    .map((line) => line.replaceAll(/"(\w*[pP]roducerId|\w*[eE]poch|metadataHash)":\d+/g, '"$1":<n>'))
    .map((line) => line.replaceAll(/"(clientId|memberId|leader|subscription|assignment)":"[^"]*"/g, '"$1":"<$1>"'))
    .map((line) => (/^key: \{"type":"[0-2]"/.test(line) ? line : fieldsOnly(line)))
  return [...new Set(records)].sort()
}

/** How many steps an assignment or an acknowledgement takes is a matter of milliseconds: which fields there are, not what they hold. */
function fieldsOnly(line: string): string {
  return line.replaceAll(/:\[.*?\](?=[,}])/g, ':<list>').replaceAll(/:(\d+|-\d+)(?=[,}])/g, ':<n>')
}

const decoded = (decoder: string, topic: string): Command => ({
  run: `kafka-dump-log ${decoder} --print-data-log --files ${five(topic)
    .map((partition) => `{copied}/${partition}/00000000000000000000.log`)
    .join(',')}`,
  alone: true,
  only: ownRecords,
})

const five = (topic: string): string[] => Array.from({ length: 5 }, (_, index) => `${topic}-${index}`)

export const DUMP_LOG: readonly Sequence[] = [
  {
    name: 'kafka-dump-log',
    steps: [
      // Whatever comes later than a moment goes to a new segment.
      'kafka-topics --create --topic dumped --partitions 1 --config segment.ms=10 --config file.delete.delay.ms=0',
      'kafka-topics --describe --topic dumped',
      {
        run: 'kafka-console-producer --topic dumped --command-property linger.ms=60000 --reader-property parse.key=true --reader-property parse.headers=true',
        input: 'h:1\tk1\tone\nh:2\tk2\ttwo\nh:3\tk3\tthree\n',
      },
      {
        run: 'kafka-console-producer --topic dumped --command-property linger.ms=60000 --compression-codec gzip',
        input: 'four\nfive\n',
      },
      {
        run: 'kafka-console-producer --topic dumped --command-property linger.ms=60000 --compression-codec zstd',
        input: 'six\n',
      },
      { run: 'kafka-get-offsets --topic dumped', until: /dumped:0:6/ },
      'kafka-console-consumer --topic dumped --group dumped-classic --from-beginning --max-messages 6 --timeout-ms 20000',
      'kafka-console-consumer --topic dumped --group dumped-consumer --from-beginning --max-messages 6 --timeout-ms 20000 --command-property group.protocol=consumer',
      'kafka-topics --create --topic dumped-ended --partitions 1',
      'kafka-topics --describe --topic dumped-ended',
      {
        run: 'kafka-producer-perf-test --topic dumped-ended --num-records 2 --record-size 1 --throughput -1 --transactional-id dumped-id --transaction-duration-ms 60000 --command-property linger.ms=500',
        only: () => [],
      },
      { run: 'kafka-transactions list', until: /dumped-id.*CompleteCommit/, only: () => [] },
      'kafka-topics --create --topic dumped-open --partitions 1',
      'kafka-topics --describe --topic dumped-open',
      {
        start:
          'kafka-producer-perf-test --topic dumped-open --num-records 100000 --record-size 1 --throughput 5 --transactional-id dumped-open-id --transaction-duration-ms 600000',
        as: 'producer',
      },
      { run: 'kafka-transactions list', until: /dumped-open-id.*Ongoing/, only: () => [] },
      'kafka-transactions forceTerminateTransaction --transactionalId dumped-open-id',
      { run: 'kafka-transactions list', until: /dumped-open-id.*(Empty|CompleteAbort)/, only: () => [] },
      'kafka-configs --alter --entity-type groups --entity-name dumped-share --add-config share.auto.offset.reset=earliest',
      { run: 'kafka-configs --describe --entity-type groups --entity-name dumped-share', until: /earliest/ },
      'kafka-console-share-consumer --topic dumped --group dumped-share --max-messages 6 --timeout-ms 20000',
      { run: 'kafka-share-groups --describe --group dumped-share', until: / 0$/m },
      {
        copy: [
          ...['dumped-0', 'dumped-ended-0', 'dumped-open-0'],
          ...five('__consumer_offsets'),
          ...five('__transaction_state'),
          ...five('__share_group_state'),
        ],
      },
      dump(`--files ${SEALED}.log,${LAST}.log`),
      dump(`--files ${SEALED}.log --print-data-log`),
      {
        run: `kafka-dump-log --files ${SEALED}.log,{copied}/dumped-0/00000000000000000003.log,${LAST}.log --print-data-log --deep-iteration`,
        alone: true,
        only: unnumbered,
        // What is found in each file comes at the end, in no particular order.
        anyOrder: true,
      },
      dump(`--files ${SEALED}.log --deep-iteration --skip-record-metadata --print-data-log`),
      dump(`--files ${SEALED}.log --max-bytes 10`),
      dump(`--files ${SEALED}.index --index-sanity-check`),
      dump(`--files ${SEALED}.index --verify-index-only`),
      dump(`--files ${SEALED}.index`),
      dump(`--files ${SEALED}.timeindex`),
      dump(`--files ${SEALED}.timeindex --index-sanity-check`),
      dump(`--files ${SEALED}.timeindex --verify-index-only`),
      dump('--files {copied}/dumped-0/00000000000000000003.snapshot'),
      dump('--files {copied}/dumped-ended-0/00000000000000000000.log --print-data-log'),
      {
        run: 'kafka-dump-log --files {copied}/dumped-open-0/00000000000000000000.txnindex',
        alone: true,
        only: (output) =>
          output.map((line) => line.replaceAll(/(producerId|lastOffset|lastStableOffset): \d+/g, '$1: <n>')),
      },
      dump(`--files ${SEALED}.log --print-data-log --value-decoder-class org.apache.kafka.tools.api.LongDecoder`),
      dump(`--files ${SEALED}.log --print-data-log --key-decoder-class org.apache.kafka.tools.api.StringDecoder`),
      decoded('--offsets-decoder', '__consumer_offsets'),
      decoded('--transaction-log-decoder', '__transaction_state'),
      {
        ...decoded('--share-group-state-decoder', '__share_group_state'),
        only: (output) => [...new Set(ownRecords(output).map(fieldsOnly))],
      },
      dump(`--files ${SEALED}.log --transaction-log-decoder`),
      dump('--files {copied}/nothing.log'),
      dump('--files {copied}/dumped-0/partition.metadata'),
      dump('--print-data-log'),
    ],
  },
]
