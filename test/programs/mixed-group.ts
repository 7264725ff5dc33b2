// One group with members of Java's client and of ours: they share the partitions, and each record is read.
import { expect } from 'bun:test'
import { Consumer } from '../../src/client/consumer/consumer.ts'
import type { ConsumerOptions } from '../../src/client/consumer/consumer-options.ts'
import { produce, uniqueName, until, withTopic } from '../client/consumer/scenarios.ts'
import { Child } from '../support/child-process.ts'
import { javaCommand } from '../support/tools.ts'

const PARTITIONS = 6
const PART = 60

export interface MixedGroup {
  readonly name: string
  readonly ours: Partial<ConsumerOptions>
  readonly theirs: readonly string[]
}

const strategy = (name: string): string => `partition.assignment.strategy=org.apache.kafka.clients.consumer.${name}`

export const MIXED_GROUPS: readonly MixedGroup[] = [
  {
    name: 'cooperative-sticky',
    ours: { groupProtocol: 'classic' },
    theirs: ['group.protocol=classic', strategy('CooperativeStickyAssignor')],
  },
  {
    name: 'range',
    ours: { groupProtocol: 'classic', assignors: ['range'] },
    theirs: ['group.protocol=classic', strategy('RangeAssignor')],
  },
  {
    name: 'roundrobin',
    ours: { groupProtocol: 'classic', assignors: ['roundrobin'] },
    theirs: ['group.protocol=classic', strategy('RoundRobinAssignor')],
  },
  { name: 'the new protocol', ours: { groupProtocol: 'consumer' }, theirs: ['group.protocol=consumer'] },
]

export async function shareGroup(bench: { readonly bootstrap: string }, { ours, theirs }: MixedGroup): Promise<void> {
  const topic = await withTopic(bench, PARTITIONS)
  const groupId = uniqueName('mixed')
  const seen: string[] = []
  const held = new Map<string, string[]>()
  const failures: string[] = []
  const java = new Child({
    command: [...javaCommand('ConsumerGroupClient'), bench.bootstrap],
    stdin: 'pipe',
    onLine(line) {
      const [name = '', event = '', rest = ''] = line.split(' ')
      if (event === 'assigned') held.set(name, rest === '' ? [] : rest.split(','))
      else if (event === 'record') seen.push(rest)
      else if (event === 'closed') held.delete(name)
      else if (event === 'failed') failures.push(line)
    },
  })
  const consumers = new Set<Consumer>()
  const join = async (): Promise<Consumer> => {
    const options = {
      bootstrap: bench.bootstrap,
      groupId,
      offsetReset: 'earliest',
      commit: 'batch',
      heartbeatIntervalMs: 300,
    } as const
    const consumer = new Consumer({ ...options, ...ours } as ConsumerOptions)
    consumers.add(consumer)
    await consumer.subscribe(topic)
    consumer.run({ eachMessage: ({ value }) => void seen.push(String(value)) }).catch((error: unknown) => {
      failures.push(String(error))
    })
    return consumer
  }
  const joinJava = (name: string): void =>
    java.write(`start ${name} ${topic} group.id=${groupId} ${theirs.join(' ')}\n`)
  const shares = (): string[][] => [
    ...held.values(),
    ...[...consumers].map((each) => each.assignment().map(({ partition }) => `${topic}-${partition}`)),
  ]
  const settled = (members: number): boolean => {
    const all = shares().flat()
    return (
      shares().filter(({ length }) => length > 0).length === members &&
      all.length === PARTITIONS &&
      new Set(all).size === PARTITIONS
    )
  }
  let parts = 0
  const readAll = async (): Promise<void> => {
    await produce(bench, topic, PART, PARTITIONS, `p${parts++}-`)
    await until(`part ${parts} is read ${failures}`, () => new Set(seen).size === PART * parts)
  }
  try {
    joinJava('j1')
    const first = await join()
    await until('two members share', () => settled(2))
    await readAll()
    await join()
    joinJava('j2')
    await until('four members share', () => settled(4))
    await readAll()
    java.write('close j1\n')
    await first.close()
    consumers.delete(first)
    await until('two members share again', () => settled(2))
    await readAll()
    expect(failures).toEqual([])
  } finally {
    await Promise.all([...consumers].map((each) => each.close()))
    java.closeStdin()
    await java.stop()
  }
}
