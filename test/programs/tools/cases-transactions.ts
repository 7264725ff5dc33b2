// kafka-transactions, with open and ended transactions, and kafka-streams-application-reset.
import type { Sequence } from './sequence.ts'

/** Columns are as wide as their widest figure. */
const columns = (output: readonly string[]): string[] => output.map((line) => line.replaceAll(/\s+/g, ' '))

const described = (output: readonly string[]): string[] =>
  columns(output).map((line) => line.replace(/(<ms>|None) \d+/, '$1 <duration>'))

export const TRANSACTIONS: readonly Sequence[] = [
  {
    name: 'kafka-transactions: what has ended',
    files: { 'quick.properties': 'default.api.timeout.ms=3000\nrequest.timeout.ms=2000\n' },
    steps: [
      'kafka-topics --create --topic watched --partitions 1',
      'kafka-topics --describe --topic watched',
      'kafka-transactions list',
      {
        run: 'kafka-producer-perf-test --topic watched --num-records 4 --record-size 1 --throughput -1 --transactional-id watched-id --transaction-duration-ms 60000',
        only: () => [],
      },
      { run: 'kafka-transactions list', until: /CompleteCommit/, only: columns },
      { run: 'kafka-transactions list --duration-filter 600000', only: columns },
      { run: "kafka-transactions list --transactional-id-pattern 'wat.*'", only: columns },
      { run: "kafka-transactions list --transactional-id-pattern 'nothing'", only: columns },
      { run: "kafka-transactions list --transactional-id-pattern '('", again: false, only: columns },
      { run: 'kafka-transactions describe --transactional-id watched-id', only: described },
      { run: 'kafka-transactions describe --transactional-id nobody', again: false },
      { run: 'kafka-transactions describe-producers --topic watched --partition 0', only: columns },
      'kafka-transactions describe-producers --topic watched --partition 0 --broker-id 1',
      {
        run: 'kafka-transactions --command-config {files}/quick.properties describe-producers --topic watched --partition 9 --broker-id 1',
        again: false,
      },
      {
        run: 'kafka-transactions --command-config {files}/quick.properties describe-producers --topic watched --partition 0 --broker-id 7',
        again: false,
      },
      { run: 'kafka-transactions find-hanging --topic watched', only: columns },
      { run: 'kafka-transactions find-hanging --broker-id 1', only: columns },
      {
        run: 'kafka-transactions find-hanging --topic watched --partition 0 --max-transaction-timeout 1',
        only: columns,
      },
      'kafka-transactions forceTerminateTransaction --transactionalId watched-id',
      { run: 'kafka-transactions describe --transactional-id watched-id', only: described },
      'kafka-transactions forceTerminateTransaction --transactionalId nobody',
      'kafka-transactions abort --topic watched --partition 0 --start-offset 0',
      'kafka-transactions abort --topic watched --partition 0 --producer-id 1 --producer-epoch 5 --coordinator-epoch 0',
    ],
  },
  {
    name: 'kafka-transactions: what is open',
    steps: [
      'kafka-topics --create --topic open --partitions 1',
      'kafka-topics --describe --topic open',
      {
        start:
          'kafka-producer-perf-test --topic open --num-records 100000 --record-size 1 --throughput 5 --transactional-id open-id --transaction-duration-ms 600000 --command-property linger.ms=0',
        as: 'producer',
      },
      { run: "kafka-transactions list --transactional-id-pattern 'open.*'", until: /open-id.*Ongoing/, only: columns },
      {
        run: 'kafka-transactions describe --transactional-id open-id',
        until: /open-0/,
        only: described,
      },
      {
        run: 'kafka-transactions describe-producers --topic open --partition 0',
        until: /<ms>\s+0/,
        only: (output) => columns(output).map((line) => line.replace(/(^\d+ \d+ \S+) \d+/, '$1 <sequence>')),
      },
      { run: 'kafka-transactions find-hanging --topic open --max-transaction-timeout 0', only: () => [] },
      'kafka-get-offsets --topic open --time earliest',
      'kafka-console-consumer --topic open --from-beginning --isolation-level read_committed --timeout-ms 1000',
      'kafka-transactions abort --topic open --partition 0 --start-offset 0',
      {
        run: 'kafka-transactions describe-producers --topic open --partition 0',
        only: (output) => columns(output).slice(0, 1),
      },
      'kafka-transactions forceTerminateTransaction --transactionalId open-id',
      { run: "kafka-transactions list --transactional-id-pattern 'open.*'", until: /Empty/, only: columns },
      {
        run: 'kafka-console-consumer --topic open --from-beginning --isolation-level read_committed --timeout-ms 1000',
      },
    ],
  },
  {
    name: 'kafka-streams-application-reset',
    steps: [
      'kafka-topics --create --topic app-input --partitions 2',
      'kafka-topics --create --topic app-store-changelog --partitions 2',
      'kafka-topics --create --topic app-store-repartition --partitions 2',
      { run: 'kafka-topics --describe --topic app.*', until: /app-store-repartition\tPartition: 1/ },
      {
        run: 'kafka-console-producer --topic app-input --reader-property parse.key=true',
        input: 'a\t1\nb\t2\nc\t3\nd\t4\n',
      },
      'kafka-console-consumer --topic app-input --group app --from-beginning --max-messages 4 --timeout-ms 20000',
      {
        run: 'kafka-streams-application-reset --application-id app --input-topics app-input --dry-run',
        anyOrder: true,
      },
      {
        run: 'kafka-streams-application-reset --application-id app --input-topics app-input --to-offset 1',
        anyOrder: true,
      },
      'kafka-consumer-groups --describe --group app',
      'kafka-topics --list',
      {
        run: 'kafka-streams-application-reset --application-id app --input-topics app-input --to-latest',
        anyOrder: true,
      },
      { run: 'kafka-streams-application-reset --application-id app --input-topics nowhere', anyOrder: true },
      'kafka-streams-application-reset --application-id nobody --input-topics app-input',
      'kafka-streams-application-reset',
      'kafka-streams-application-reset --application-id app --input-topics app-input --to-earliest --to-latest',
    ],
  },
]
