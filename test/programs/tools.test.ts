// Kafka's command-line tools, unmodified: the same sequences of commands against a real Kafka and against Samsa print the same.
import { afterAll, beforeAll, expect } from 'bun:test'
import { interopDescribe, interopTest } from '../support/tools.ts'
import { CLUSTER } from './tools/cases-cluster.ts'
import { CONFIGS } from './tools/cases-configs.ts'
import { CONSUMER_GROUPS } from './tools/cases-consumer-groups.ts'
import { DUMP_LOG } from './tools/cases-dump-log.ts'
import { RECORDS } from './tools/cases-records.ts'
import { SHARE_GROUPS, STREAMS_GROUPS } from './tools/cases-share-groups.ts'
import { TOPICS } from './tools/cases-topics.ts'
import { TRANSACTIONS } from './tools/cases-transactions.ts'
import { Comparison } from './tools/comparison.ts'

const SETUP_TIMEOUT_MS = 180_000
const SEQUENCE_TIMEOUT_MS = 300_000
/** The same for both: no waiting, and internal topics of few partitions, which are made and read in less time. */
const SETTINGS = {
  'group.initial.rebalance.delay.ms': '0',
  'group.consumer.assignment.interval.ms': '0',
  'offsets.topic.num.partitions': '5',
  'transaction.state.log.num.partitions': '5',
  'share.coordinator.state.topic.num.partitions': '5',
}
const SEQUENCES = [
  ...[...TOPICS, ...CONFIGS, ...CLUSTER],
  ...[...CONSUMER_GROUPS, ...SHARE_GROUPS, ...STREAMS_GROUPS],
  ...[...RECORDS, ...TRANSACTIONS, ...DUMP_LOG],
]
const COMMANDS_MIN = 600

interopDescribe("Kafka's tools print what they print against Kafka", ['java'], () => {
  let comparison: Comparison

  beforeAll(async () => {
    comparison = await Comparison.start(SETTINGS)
  }, SETUP_TIMEOUT_MS)

  afterAll(() => comparison?.stop(), SETUP_TIMEOUT_MS)

  for (const sequence of SEQUENCES) {
    interopTest(
      sequence.name,
      ['java'],
      async () => {
        const compared = await comparison.run(sequence)
        const different = compared.filter(({ kafka, samsa }) => !Bun.deepEquals(kafka, samsa))
        expect(different.map(({ command, samsa }) => ({ command, ...samsa }))).toEqual(
          different.map(({ command, kafka }) => ({ command, ...kafka })),
        )
        // What is said to differ does.
        expect(
          compared.filter(({ deliberate }) => deliberate?.differed === false).map(({ command }) => command),
        ).toEqual([])
      },
      { timeoutMs: SEQUENCE_TIMEOUT_MS },
    )
  }

  interopTest(`there are at least ${COMMANDS_MIN} commands`, ['java'], async () => {
    const commands = SEQUENCES.flatMap(({ steps }) => steps).filter((step) => typeof step === 'string' || 'run' in step)
    expect(commands.length).toBeGreaterThanOrEqual(COMMANDS_MIN)
  })
})
