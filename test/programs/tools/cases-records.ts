// Records: console producer and consumer with their readers and formatters, get-offsets, delete-records, log-dirs, dump-log, the performance tools.
import type { Command, Sequence } from './sequence.ts'

const lines = (...each: string[]): string => each.map((line) => `${line}\n`).join('')

const consume = (topic: string, count: number, more = ''): Command => ({
  run: `kafka-console-consumer --topic ${topic} --from-beginning --max-messages ${count} --timeout-ms 30000 ${more}`,
})

const ALL_FIELDS = ['timestamp', 'key', 'offset', 'delivery', 'epoch', 'headers', 'partition', 'value']
  .map((field) => `--formatter-property print.${field}=true`)
  .join(' ')

/** The formatters of internal topics end no line. */
const documents = (output: readonly string[]): string[] => output.join('').split(/(?<=\})(?=\{"key")/)

/** How many records there are depends on how often the members of all the groups before have committed. */
const uncounted = (errors: readonly string[]): readonly string[] =>
  errors.map((line) => line.replace(/total of \d+/, 'total of <n>'))

/** A measured figure is replaced by its name; how many there are and what stands around them is compared. */
const unmeasured = (output: readonly string[]): readonly string[] =>
  output.map((line) =>
    line
      .replaceAll(/\d+\.\d+(E-?\d+)?|NaN|Infinity/g, '<figure>')
      .replaceAll(/\b\d+ (ms|records\/sec)/g, '<figure> $1')
      .replaceAll(/th = \d+/g, 'th = <figure>'),
  )

/** How many records come at once is chance: each kind of event once, with the names of what it tells, and how many records there were in all. */
function events(output: readonly string[]): string[] {
  const told = output
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line.replaceAll('<ms>', '0')) as Record<string, unknown>)
  const kinds = new Set(told.map((event) => `${event.name}: ${Object.keys(event).sort().join(', ')}`))
  const consumed = told.filter(({ name }) => name === 'records_consumed').map(({ count }) => Number(count))
  return [...[...kinds].sort(), `records: ${consumed.reduce((sum, count) => sum + count, 0)}`]
}

export const RECORDS: readonly Sequence[] = [
  {
    name: 'kafka-console-producer and kafka-console-consumer',
    steps: [
      'kafka-topics --create --topic console --partitions 1',
      'kafka-topics --describe --topic console',
      { run: 'kafka-console-producer --topic console', input: lines('one', 'two', '', 'four') },
      consume('console', 4),
      consume('console', 4, ALL_FIELDS),
      {
        run: 'kafka-console-producer --topic console --reader-property parse.key=true --reader-property parse.headers=true --reader-property null.marker=NULL --compression-codec zstd',
        input: lines('a:1,b:2\tkey\tvalue', 'a:1\tgone\tNULL', 'NULL\tNULL\tplain'),
      },
      consume('console', 7, ALL_FIELDS),
      consume(
        'console',
        3,
        '--formatter-property print.key=true --formatter-property key.separator=| --formatter-property null.literal=none',
      ),
      {
        run: 'kafka-console-producer --topic console --reader-property parse.key=true --reader-property key.separator=:',
        input: lines('k:v', 'no separator'),
      },
      {
        run: 'kafka-console-producer --topic console --reader-property parse.key=true --reader-property ignore.error=true',
        input: lines('no separator'),
      },
      'kafka-get-offsets --topic console',
      'kafka-console-consumer --topic console --partition 0 --offset 2 --max-messages 1 --timeout-ms 30000',
      'kafka-console-consumer --topic console --partition 0 --offset earliest --max-messages 1 --timeout-ms 30000',
      'kafka-console-consumer --topic console --partition 0 --offset latest --timeout-ms 500',
      'kafka-console-consumer --topic console --partition 0 --offset -1 --timeout-ms 500',
      'kafka-console-consumer --topic console --partition 0 --offset first --timeout-ms 500',
      'kafka-console-consumer --topic console --partition 7 --offset 0 --timeout-ms 500',
      "kafka-console-consumer --include 'cons.*' --from-beginning --max-messages 2 --timeout-ms 30000",
      consume('console', 2, '--formatter org.apache.kafka.tools.consumer.LoggingMessageFormatter'),
      consume('console', 2, '--formatter org.apache.kafka.tools.consumer.NoOpMessageFormatter'),
      consume('console', 2, '--formatter no.such.Formatter'),
      consume('console', 2, '--isolation-level read_committed'),
      consume('console', 2, '--isolation-level read_sometimes'),
      consume('console', 1, '--key-deserializer org.apache.kafka.common.serialization.LongDeserializer'),
      { run: 'kafka-console-consumer --topic console --from-beginning --timeout-ms 2000', again: true },
      { run: 'kafka-console-producer --topic made-by-producing', input: lines('x') },
      consume('made-by-producing', 1),
      { run: "kafka-console-producer --topic 'not valid'", input: lines('x') },
      {
        run: 'kafka-console-producer --topic console --sync --request-required-acks 0',
        input: lines('unacknowledged'),
      },
      { run: 'kafka-console-producer --topic console --request-required-acks 7', input: lines('x') },
      'kafka-console-producer',
      'kafka-console-consumer',
      'kafka-console-consumer --topic a --include b',
      'kafka-console-consumer --topic a --offset 1',
      'kafka-console-consumer --topic a --partition 1 --from-beginning --offset 1',
      'kafka-console-consumer --topic a --from-beginning --group g --command-property auto.offset.reset=latest',
    ],
  },
  {
    name: 'kafka-console-consumer: formatters of internal topics',
    steps: [
      'kafka-topics --create --topic told --partitions 1',
      'kafka-topics --describe --topic told',
      { run: 'kafka-console-producer --topic told', input: lines('1', '2', '3') },
      consume('told', 3, '--group told-classic'),
      consume('told', 3, '--group told-consumer --command-property group.protocol=consumer'),
      'kafka-consumer-groups --describe --group told-classic',
      'kafka-consumer-groups --describe --group told-consumer',
      'kafka-topics --create --topic copied --partitions 1',
      'kafka-topics --describe --topic copied',
      {
        run: 'transactional-message-copier --broker-list {bootstrap} --input-topic told --input-partition 0 --output-topic copied --consumer-group told-copier --transactional-id copier-id --max-messages 3 --transaction-size 3',
        only: (output) => output.slice(-1),
      },
      {
        run: 'kafka-console-consumer --topic __consumer_offsets --from-beginning --timeout-ms 3000 --formatter org.apache.kafka.tools.consumer.OffsetsMessageFormatter',
        again: true,
        errors: uncounted,
        only: (output) =>
          documents(output)
            .filter((line) => line.includes('told-'))
            .sort(),
      },
      {
        run: 'kafka-console-consumer --topic __consumer_offsets --from-beginning --timeout-ms 3000 --formatter org.apache.kafka.tools.consumer.GroupMetadataMessageFormatter',
        again: true,
        errors: uncounted,
        only: (output) =>
          documents(output)
            .filter((line) => line.includes('"told-'))
            .map((line) =>
              line.replaceAll(/"(clientId|memberId|leader|subscription|assignment)":"[^"]*"/g, '"$1":"<$1>"'),
            )
            .sort(),
      },
      {
        only: () => [],
        run: 'kafka-producer-perf-test --topic told --num-records 2 --record-size 1 --throughput -1 --transactional-id told-id --transaction-duration-ms 1000',
      },
      {
        run: 'kafka-transactions list',
        until: /told-id.*CompleteCommit/,
        only: (output) => output.filter((line) => line.startsWith('told-id')),
      },
      {
        run: 'kafka-console-consumer --topic __transaction_state --from-beginning --timeout-ms 3000 --formatter org.apache.kafka.tools.consumer.TransactionLogMessageFormatter',
        again: true,
        errors: uncounted,
        only: (output) =>
          documents(output)
            .filter((line) => line.includes('"told-id"'))
            .map((line) => line.replaceAll(/"(producerId|previousProducerId|nextProducerId)":\d+/g, '"$1":<id>')),
      },
    ],
  },
  {
    name: 'kafka-get-offsets, kafka-delete-records, kafka-log-dirs',
    files: {
      'delete.json': {
        version: 1,
        partitions: [
          { topic: 'counted', partition: 0, offset: 2 },
          { topic: 'counted', partition: 1, offset: -1 },
        ],
      },
      'beyond.json': { version: 1, partitions: [{ topic: 'counted', partition: 0, offset: 2000 }] },
      'nowhere.json': { version: 1, partitions: [{ topic: 'nowhere', partition: 0, offset: 1 }] },
      'twice.json': {
        version: 1,
        partitions: [
          { topic: 'counted', partition: 0, offset: 2 },
          { topic: 'counted', partition: 0, offset: 3 },
        ],
      },
      'compacted.json': { version: 1, partitions: [{ topic: 'counted-compact', partition: 0, offset: 0 }] },
      'broken.json': '{"partitions":',
      'version.json': { version: 9, partitions: [] },
    },
    steps: [
      'kafka-topics --create --topic counted --partitions 3',
      'kafka-topics --create --topic counted-compact --partitions 1 --config cleanup.policy=compact',
      { run: 'kafka-topics --describe --topic counted.*', until: /counted-compact\tPartition: 0/ },
      { run: 'kafka-get-offsets --topic counted', until: /counted:2:0/ },
      {
        run: 'kafka-console-producer --topic counted --reader-property parse.key=true',
        input: lines(...Array.from({ length: 12 }, (_, index) => `key ${index}\tvalue ${index}`)),
      },
      'kafka-get-offsets --topic counted',
      'kafka-topics --create --topic newest --partitions 1',
      { run: 'kafka-get-offsets --topic newest', until: /newest:0:0/ },
      'kafka-get-offsets --topic newest --time max-timestamp',
      { run: 'kafka-console-producer --topic newest', input: lines('older') },
      { run: 'kafka-console-producer --topic newest', input: lines('newer') },
      'kafka-get-offsets --topic newest --time max-timestamp',
      'kafka-get-offsets --topic newest --time -3',
      ...[
        '-1',
        'latest',
        '-2',
        'earliest',
        '-4',
        'earliest-local',
        '-5',
        'latest-tiered',
        '-6',
        'earliest-pending-upload',
        '0',
        '4102444800000',
        'sometime',
        '-9',
      ].map((time) => `kafka-get-offsets --topic counted --time ${time}`),
      'kafka-get-offsets --topic counted --partitions 0,2',
      'kafka-get-offsets --topic counted --partitions 7',
      'kafka-get-offsets --topic-partitions counted:0-2,counted-compact',
      "kafka-get-offsets --topic-partitions 'counted:1-,coun.*t:-1'",
      {
        run: "kafka-get-offsets --topic-partitions ':0' --exclude-internal-topics",
        // Which partitions the records without keys of other sequences went to is chance.
        only: (output) => output.filter((line) => /^(counted|newest)/.test(line)),
      },
      "kafka-get-offsets --topic 'counted.*' --exclude-internal-topics",
      'kafka-get-offsets --topic nowhere',
      'kafka-get-offsets --topic counted --topic-partitions counted:0',
      'kafka-get-offsets --topic counted --partitions first',
      { run: 'kafka-get-offsets', alone: true, again: false },
      { run: 'kafka-delete-records --offset-json-file {files}/delete.json', anyOrder: true },
      'kafka-get-offsets --topic counted --time earliest',
      'kafka-delete-records --offset-json-file {files}/beyond.json',
      'kafka-delete-records --offset-json-file {files}/twice.json',
      'kafka-delete-records --offset-json-file {files}/compacted.json',
      'kafka-delete-records --offset-json-file {files}/broken.json',
      'kafka-delete-records --offset-json-file {files}/version.json',
      'kafka-delete-records --offset-json-file {files}/none.json',
      'kafka-delete-records',
      'kafka-log-dirs --describe --topic-list counted',
      'kafka-log-dirs --describe --topic-list counted,counted-compact --broker-list 1',
      'kafka-log-dirs --describe --topic-list nowhere',
      'kafka-log-dirs --describe --topic-list counted --broker-list 1,9',
      'kafka-log-dirs --topic-list counted',
    ],
  },
  {
    name: 'performance tools and verifiable programs',
    files: { 'payloads.txt': 'one\ntwo\nthree\n' },
    steps: [
      'kafka-topics --create --topic fast --partitions 2',
      'kafka-topics --describe --topic fast',
      {
        run: 'kafka-producer-perf-test --topic fast --num-records 3000 --record-size 100 --throughput -1',
        only: unmeasured,
      },
      {
        run: 'kafka-producer-perf-test --topic fast --num-records 100 --payload-file {files}/payloads.txt --throughput 1000 --print-metrics',
        only: (output) =>
          unmeasured(output)
            .map((line) =>
              line
                .replace(/ +: .*/, ' : <value>')
                .replace(/client-id=perf-producer-client|node-id=node-\S+?(?=[,}])/, ''),
            )
            .slice(0, 1),
      },
      'kafka-producer-perf-test --topic fast --num-records 10 --throughput -1',
      {
        run: 'kafka-consumer-perf-test --topic fast --num-records 3100 --timeout 20000',
        only: (output) => output.map((line) => line.replaceAll(/\d+\.\d+|-?\d{4,}|\b\d+(?=,)/g, '<figure>')),
      },
      {
        run: 'kafka-consumer-perf-test --topic fast --num-records 3100 --timeout 20000 --hide-header',
        only: (output) => output.map((line) => line.replaceAll(/\d+\.\d+|-?\d{4,}|\b\d+(?=,)/g, '<figure>')),
      },
      'kafka-consumer-perf-test --topic fast',
      {
        run: 'kafka-e2e-latency --bootstrap-server {bootstrap} --topic fast --num-records 20 --producer-acks all --record-size 20',
        only: unmeasured,
      },
      'kafka-e2e-latency --topic fast',
      {
        run: 'kafka-replica-verification --broker-list {bootstrap} --topics-include fast --report-interval-ms 100000 --max-wait-ms 100',
        alone: true,
        again: false,
      },
    ],
  },
  {
    name: 'kafka-verifiable-producer, -consumer and -share-consumer',
    steps: [
      'kafka-topics --create --topic verified --partitions 1',
      'kafka-topics --describe --topic verified',
      {
        run: 'kafka-verifiable-producer --topic verified --max-messages 30 --acks -1 --value-prefix 7 --repeating-keys 3',
        only: (output) => output.map((line) => line.replace(/"avg_throughput":[\d.]+/, '"avg_throughput":<figure>')),
      },
      {
        run: 'kafka-verifiable-consumer --topic verified --group-id verifiers --max-messages 30 --reset-policy earliest',
        only: events,
      },
      {
        run: 'kafka-verifiable-consumer --topic verified --group-id new-verifiers --group-protocol consumer --max-messages 30 --reset-policy earliest',
        only: events,
      },
      {
        run: 'kafka-verifiable-share-consumer --topic verified --group-id share-verifiers --max-messages 30 --offset-reset-strategy earliest',
        only: events,
      },
      { run: 'kafka-consumer-groups --describe --group verifiers', until: / 30 {2}30 {2}0/ },
      { run: 'kafka-consumer-groups --describe --group new-verifiers', until: / 30 {2}30 {2}0/ },
    ],
  },
]
