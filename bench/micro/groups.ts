/** What keeps a consumer group alive: the heartbeat of a classic member, from the coordinator's door to its answer. */
import { bench, group } from 'mitata'
import { Broker } from '../../src/broker/server.ts'
import { Connection } from '../../src/client/connection.ts'
import type { GroupRequestContext } from '../../src/coordinator/request-context.ts'
import { FindCoordinatorRequest, FindCoordinatorResponse } from '../../src/protocol/messages/10-find-coordinator.ts'
import { JoinGroupRequest, JoinGroupResponse } from '../../src/protocol/messages/11-join-group.ts'
import { SyncGroupRequest, SyncGroupResponse } from '../../src/protocol/messages/14-sync-group.ts'
import { silentLogger } from '../../src/storage/logger.ts'

const GROUP = 'bench'
const UNKNOWN_MEMBER_ID = ''
/** Longer than all the other benchmarks that come first. */
const SESSION_TIMEOUT_MS = 1_800_000
const RETRIABLE = new Set([14, 15, 16])

const CONTEXT: GroupRequestContext = {
  clientId: 'bench',
  clientHost: '/127.0.0.1',
  apiVersion: 4,
  allowed: () => true,
}

interface Member {
  readonly memberId: string
  readonly generationId: number
}

export async function register(): Promise<() => Promise<void>> {
  const broker = await Broker.start({
    listen: { host: '127.0.0.1', port: 0 },
    dataDirectory: '/unused',
    storage: 'memory',
    durability: 'memory',
    nodeId: 1,
    config: new Map([['offsets.topic.num.partitions', '1']]),
    logger: silentLogger,
  })
  const connection = await Connection.connect({ host: broker.host, port: broker.port, clientId: 'bench' })
  const { memberId, generationId } = await join(connection)
  const { groups } = broker.context
  const request = { groupId: GROUP, generationId, memberId, groupInstanceId: null }
  let answered = 0
  const beat = (): number => {
    groups.heartbeat(CONTEXT, request, ({ errorCode }) => {
      if (errorCode !== 0) throw new Error(`heartbeat: ${errorCode}`)
      answered++
    })
    return answered
  }
  beat()
  if (answered !== 1) throw new Error('a heartbeat is not answered at once')
  group('groups', () => {
    bench('group heartbeat: a classic member', beat)
  })
  return async () => {
    await connection.close()
    await broker.stop()
  }
}

/** A group of one member, stable. */
async function join(connection: Connection): Promise<Member> {
  for (;;) {
    const found = await connection.send(FindCoordinatorRequest, FindCoordinatorResponse, {
      keyType: 0,
      coordinatorKeys: [GROUP],
    })
    const errorCode = found.coordinators[0]?.errorCode ?? found.errorCode
    if (errorCode === 0) break
    if (!RETRIABLE.has(errorCode)) throw new Error(`no coordinator: ${errorCode}`)
    await Bun.sleep(10)
  }
  let memberId = UNKNOWN_MEMBER_ID
  for (;;) {
    const joined = await connection.send(JoinGroupRequest, JoinGroupResponse, {
      groupId: GROUP,
      sessionTimeoutMs: SESSION_TIMEOUT_MS,
      rebalanceTimeoutMs: SESSION_TIMEOUT_MS,
      memberId,
      protocolType: 'consumer',
      protocols: [{ name: 'range', metadata: Buffer.alloc(8) }],
    })
    memberId = joined.memberId
    if (joined.errorCode !== 0) continue
    const { generationId } = joined
    await connection.send(SyncGroupRequest, SyncGroupResponse, {
      groupId: GROUP,
      generationId,
      memberId,
      protocolType: 'consumer',
      protocolName: 'range',
      assignments: [{ memberId, assignment: Buffer.alloc(8) }],
    })
    return { memberId, generationId }
  }
}
