// The same requests go to a real Kafka 4.3.1 and to Samsa; the decoded answers must be the same, errors included.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { startKafka } from '../support/kafka-process.ts'
import { startSamsa } from '../support/samsa-process.ts'
import { interopDescribe } from '../support/tools.ts'
import { DifferentialBroker, type Outcome, outcomeOf } from './broker.ts'
import type { CaseGroup } from './case.ts'
import { CASE_GROUPS } from './cases.ts'
import { normalise } from './normalise.ts'

const SETUP_TIMEOUT_MS = 180_000
/** Both brokers get the same, where their defaults differ or a test would have to wait. */
const SETTINGS = {
  'group.initial.rebalance.delay.ms': '0',
  'group.max.size': '3',
  'group.consumer.assignment.interval.ms': '0',
  'group.consumer.max.size': '3',
  'group.consumer.min.heartbeat.interval.ms': '500',
  'group.consumer.min.session.timeout.ms': '1000',
  'group.min.session.timeout.ms': '1000',
  'group.streams.assignment.interval.ms': '0',
  'group.streams.initial.rebalance.delay.ms': '0',
  'group.streams.max.size': '3',
  'group.streams.min.heartbeat.interval.ms': '500',
  'group.streams.min.session.timeout.ms': '1000',
  'offsets.topic.num.partitions': '5',
  'group.share.max.size': '4',
  'offsets.topic.replication.factor': '1',
  'share.coordinator.state.topic.min.isr': '1',
  'share.coordinator.state.topic.num.partitions': '3',
  'share.coordinator.state.topic.replication.factor': '1',
}

/** Kafka against Kafka shows which cases depend on chance. */
const JUDGED_BY_KAFKA = process.env.SAMSA_INTEROP_TARGET === 'kafka'

type Outcomes = Map<string, Outcome>

async function runGroup(broker: DifferentialBroker, group: CaseGroup, outcomes: Outcomes): Promise<void> {
  const prepared = await outcomeOf(group.prepare?.(broker) ?? Promise.resolve())
  for (const each of group.cases) {
    const outcome = 'answer' in prepared ? await outcomeOf(each.ask(broker)) : prepared
    const ordered = each.ordered ?? false
    outcomes.set(`${group.api} ${each.name}`, normalise(outcome, broker, { ordered }) as Outcome)
  }
}

async function runAll(broker: DifferentialBroker): Promise<Outcomes> {
  const outcomes: Outcomes = new Map()
  for (const group of CASE_GROUPS) await runGroup(broker, group, outcomes)
  return outcomes
}

interopDescribe('like Kafka 4.3.1', ['java'], () => {
  let brokers: DifferentialBroker[] = []
  let kafka: Outcomes
  let samsa: Outcomes

  beforeAll(async () => {
    const [real, ours] = await Promise.all([startKafka(SETTINGS), startCandidate()])
    brokers = [new DifferentialBroker(real), new DifferentialBroker(ours)]
    ;[kafka, samsa] = (await Promise.all(brokers.map(runAll))) as [Outcomes, Outcomes]
  }, SETUP_TIMEOUT_MS)

  afterAll(async () => {
    for (const broker of brokers) await broker.close()
    await Promise.all(brokers.map(({ target }) => target.stop()))
  }, SETUP_TIMEOUT_MS)

  for (const { api, cases } of CASE_GROUPS) {
    describe(api, () => {
      for (const { name, accepted } of cases) {
        const key = `${api} ${name}`
        if (accepted === undefined || JUDGED_BY_KAFKA) {
          test(name, () => {
            const expected = kafka.get(key) as Outcome
            // A case that fails with Kafka is a mistake in the case.
            expect(expected).not.toHaveProperty('failed')
            expect(samsa.get(key) as Outcome).toEqual(expected)
          })
        } else {
          test(`${name} [differs: ${accepted.reason}]`, () => {
            expect(samsa.get(key)).toEqual(accepted.samsa as Outcome)
            expect(kafka.get(key)).not.toEqual(accepted.samsa as Outcome)
          })
        }
      }
    })
  }

  test('no two cases have the same name, and there are at least 150', () => {
    const names = CASE_GROUPS.flatMap(({ api, cases }) => cases.map(({ name }) => `${api} ${name}`))
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([])
    expect(names.length).toBeGreaterThanOrEqual(150)
  })
})

function startCandidate(): ReturnType<typeof startKafka> {
  return JUDGED_BY_KAFKA ? startKafka(SETTINGS) : startSamsa(SETTINGS)
}
