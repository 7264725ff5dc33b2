/** `samsa groups` with groups of every kind, made by the requests that their members send. A real Kafka judges with SAMSA_INTEROP_TARGET=kafka. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { Cluster } from '../../src/client/cluster.ts'
import {
  ShareGroupHeartbeatRequest,
  ShareGroupHeartbeatResponse,
} from '../../src/protocol/messages/76-share-group-heartbeat.ts'
import {
  StreamsGroupHeartbeatRequest,
  StreamsGroupHeartbeatResponse,
} from '../../src/protocol/messages/88-streams-group-heartbeat.ts'
import { type BrokerTarget, startTarget } from '../support/broker-target.ts'
import { type Ended, samsa } from './program.ts'

/** Processes are started, and the machine may be busy. */
setDefaultTimeout(120_000)

const STEP_TIMEOUT_MS = 60_000
const POLL_MS = 20
const SESSION_MS = '600000'

let broker: BrokerTarget
let cluster: Cluster
beforeAll(async () => {
  broker = await startTarget({
    'group.share.assignment.interval.ms': '0',
    // Nobody beats while the commands run.
    'group.share.max.session.timeout.ms': SESSION_MS,
    'group.share.session.timeout.ms': SESSION_MS,
    'group.streams.max.session.timeout.ms': SESSION_MS,
    'group.streams.session.timeout.ms': SESSION_MS,
    'group.streams.initial.rebalance.delay.ms': '0',
    'group.initial.rebalance.delay.ms': '0',
    'offsets.topic.num.partitions': '2',
    'share.coordinator.state.topic.num.partitions': '2',
  })
  cluster = await Cluster.connect({ bootstrap: [broker], timeoutMs: STEP_TIMEOUT_MS })
  await ok('topics create orders --partitions 2')
  await ok('produce -t orders -p 0', 'a\nb\nc\n')
}, 180_000)
afterAll(async () => {
  await cluster?.close()
  await broker?.stop()
}, 60_000)

function run(line: string, stdin?: string): Promise<Ended> {
  const environment = { SAMSA_BOOTSTRAP: broker.bootstrap }
  return samsa(line.split(' '), stdin === undefined ? { environment } : { environment, stdin })
}

async function ok(line: string, stdin?: string): Promise<string> {
  const { exitCode, stdout, stderr } = await run(line, stdin)
  expect([line, exitCode, stderr]).toEqual([line, 0, ''])
  return stdout
}

/** The rows of a table, with the first cell as it is. */
function rows(text: string): string[][] {
  return text
    .trimEnd()
    .split('\n')
    .slice(1)
    .map((line) => line.split(/ +/))
}

/** Heartbeats until the member has what it waits for. */
async function beat<T extends { readonly errorCode: number; readonly memberEpoch: number }>(
  send: (epoch: number) => Promise<T>,
  isDone: (answer: T) => boolean,
): Promise<T> {
  const deadlineMs = performance.now() + STEP_TIMEOUT_MS
  let epoch = 0
  for (;;) {
    const answer = await send(epoch)
    // A coordinator that still loads is asked again.
    if (answer.errorCode === 0) epoch = answer.memberEpoch
    if (answer.errorCode === 0 && isDone(answer)) return answer
    await Bun.sleep(POLL_MS)
    if (performance.now() > deadlineMs) throw new Error(`not done: ${JSON.stringify(answer)}`)
  }
}

test('a share group: start offsets, members, state; moved and deleted once it is empty', async () => {
  const groupId = 'sharers'
  const coordinator = await cluster.groupCoordinator(groupId)
  const beatOnce = (memberEpoch: number) =>
    coordinator.send(ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse, {
      ...{ groupId, memberId: 'c2hhcmUtbWVtYmVyLTAwMQ', memberEpoch },
      subscribedTopicNames: memberEpoch === 0 ? ['orders'] : null,
    })
  let partitions = 0
  await beat(beatOnce, ({ assignment }) => {
    if (assignment !== null) partitions = assignment.topicPartitions.flatMap((each) => each.partitions).length
    return partitions === 2
  })
  expect(await ok('groups list --type share')).toBe('sharers\n')
  expect(await ok('groups list --type streams')).toBe('')
  expect(rows(await ok('groups list --state'))).toContainEqual(
    ['sharers', 'share', 'Stable'].map((each, index) => (index === 1 ? expect.stringMatching(/share/i) : each)),
  )
  const offsets = await ok('groups describe sharers')
  expect(offsets).toStartWith('GROUP   TOPIC  PARTITION START-OFFSET LAG\n')
  expect(rows(offsets).map((row) => row.slice(0, 3))).toEqual([
    ['sharers', 'orders', '0'],
    ['sharers', 'orders', '1'],
  ])
  const [member] = rows(await ok('groups describe sharers --members'))
  expect(member).toEqual(['sharers', 'c2hhcmUtbWVtYmVyLTAwMQ', '/127.0.0.1', 'samsa', '2', 'orders:0,1'])
  const state = await ok('groups describe sharers --state')
  expect(rows(state)[0]?.slice(-2)).toEqual(['Stable', '1'])
  expect((await run('groups seek sharers --to start')).stderr).toContain('NON_EMPTY_GROUP')

  expect((await beatOnce(-1)).errorCode).toBe(0)
  expect(rows(await ok('groups seek sharers --to start'))).toEqual([
    ['sharers', 'orders', '0', '0'],
    ['sharers', 'orders', '1', '0'],
  ])
  const after = await run('groups describe sharers')
  expect(after.stderr).toBe("Share group 'sharers' has no active members.\n")
  expect(rows(after.stdout)[0]?.slice(0, 4)).toEqual(['sharers', 'orders', '0', '0'])
  expect((await run('groups delete-offsets sharers --topic orders:0')).exitCode).toBe(2)
  expect(await ok('groups delete-offsets sharers --topic orders')).toBe(
    'Deleted the offset of group sharers in orders.\n',
  )
  expect(await ok('groups delete sharers')).toBe('Deleted group sharers.\n')
})

test('a streams group: its members have tasks, and the partitions that these read', async () => {
  const groupId = 'word-count'
  const coordinator = await cluster.groupCoordinator(groupId)
  const subtopology = {
    ...{ subtopologyId: '0', sourceTopics: ['orders'], sourceTopicRegex: [], stateChangelogTopics: [] },
    ...{ repartitionSinkTopics: [], repartitionSourceTopics: [], copartitionGroups: [] },
  }
  let active: readonly { readonly subtopologyId: string; readonly partitions: readonly number[] }[] = []
  const beatOnce = (memberEpoch: number) => {
    const isFirst = memberEpoch === 0
    return coordinator.send(StreamsGroupHeartbeatRequest, StreamsGroupHeartbeatResponse, {
      ...{ groupId, memberId: 'c3RyZWFtcy1tZW1iZXItMQ', memberEpoch, endpointInformationEpoch: 0 },
      rebalanceTimeoutMs: isFirst ? 60_000 : -1,
      topology: isFirst ? { epoch: 0, subtopologies: [subtopology] } : null,
      activeTasks: active.map(({ subtopologyId, partitions }) => ({ subtopologyId, partitions: [...partitions] })),
      ...{ standbyTasks: [], warmupTasks: [], processId: isFirst ? 'process-1' : null },
    })
  }
  const joined = await beat(beatOnce, ({ activeTasks }) => {
    if (activeTasks !== null) active = activeTasks
    return active.flatMap(({ partitions }) => partitions).length === 2
  })
  // Tells what it has now, which makes the group stable.
  await beatOnce(joined.memberEpoch)
  expect(await ok('groups list --type streams')).toBe('word-count\n')
  const members = await ok('groups describe word-count --members')
  expect(members).toMatch(/^GROUP +MEMBER +PROCESS +CLIENT-ID +ASSIGNMENTS\n/)
  expect(members).toContain('process-1')
  expect(members).toContain('ACTIVE: 0_0,0_1')
  const state = await ok('groups describe word-count --state')
  expect(state).toStartWith('GROUP      COORDINATOR (ID)')
  expect(rows(state)[0]?.at(-1)).toBe('1')
  const offsets = rows(await ok('groups describe word-count'))
  expect(offsets.map((row) => row.slice(0, 7))).toEqual([
    ['word-count', 'orders', '0', '-', '3', '-', 'c3RyZWFtcy1tZW1iZXItMQ'],
    ['word-count', 'orders', '1', '-', '0', '-', 'c3RyZWFtcy1tZW1iZXItMQ'],
  ])
  const [described] = JSON.parse(await ok('groups describe word-count --format json')) as {
    type: string
    members: unknown[]
  }[]
  expect(described).toMatchObject({
    type: 'streams',
    members: [{ processId: 'process-1', tasks: { active: ['0_0', '0_1'], standby: [], warmup: [] } }],
  })
  expect((await beatOnce(-1)).errorCode).toBe(0)
  expect(await ok('groups delete word-count')).toBe('Deleted group word-count.\n')
})

test('one group that there is not does not hide the others', async () => {
  await ok('groups seek there --to start --topic orders')
  const { exitCode, stdout, stderr } = await run('groups describe there nobody')
  expect(exitCode).toBe(1)
  expect(stdout).toContain('\nthere orders')
  expect(stderr).toContain("group 'nobody': it does not exist")
})
