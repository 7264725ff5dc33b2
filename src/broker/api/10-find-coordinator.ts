/**
 * FindCoordinator: which broker keeps the state of a group, of a transactional id or of a share partition. It is the leader of the partition
 * of `__consumer_offsets`, `__transaction_state` or `__share_group_state` that the name hashes to; the first question creates that topic.
 */
import { OFFSETS_TOPIC } from '../../coordinator/config.ts'
import { SHARE_STATE_TOPIC } from '../../coordinator/share-state/config.ts'
import { TRANSACTION_TOPIC } from '../../coordinator/txn/config.ts'
import { ErrorCode, errorName } from '../../protocol/errors.ts'
import { FindCoordinatorRequest, FindCoordinatorResponse } from '../../protocol/messages/10-find-coordinator.ts'
import { defineApi, type RequestContext } from '../api.ts'
import { liveBrokers } from '../cluster-view.ts'

const KeyType = { GROUP: 0, TRANSACTION: 1, SHARE: 2 } as const

const MANY_KEYS_VERSION = 4
const SHARE_KEYS_VERSION = 6

interface Coordinator {
  readonly nodeId: number
  readonly host: string
  readonly port: number
  readonly errorCode: ErrorCode
  /** More than the code says; '' if that says it all. */
  readonly reason: string
}

function unavailable(errorCode: ErrorCode, reason = ''): Coordinator {
  return { nodeId: -1, host: '', port: -1, errorCode, reason }
}

export default defineApi({
  key: 10,
  name: 'FindCoordinator',
  request: FindCoordinatorRequest,
  response: FindCoordinatorResponse,
  versions: [0, 6],
  notes: [
    'The first request creates __consumer_offsets, __transaction_state or __share_group_state and is answered COORDINATOR_NOT_AVAILABLE; clients ask again.',
    'Key type 2 (v6) names a share partition, as `group:topicId:partition`.',
  ],
  async handle(context, request) {
    const { apiVersion } = context
    if (apiVersion < MANY_KEYS_VERSION) {
      const { reason, ...found } = await find(context, request.keyType, request.key)
      // These versions always say something, be it the name of "no error".
      return { ...found, errorMessage: reason === '' ? errorName(found.errorCode) : reason, coordinators: [] }
    }
    const coordinators: ({ key: string; errorMessage: string } & Omit<Coordinator, 'reason'>)[] = []
    for (const key of request.coordinatorKeys) {
      const { reason, ...found } = await find(context, request.keyType, key)
      coordinators.push({ key, ...found, errorMessage: reason })
    }
    return { coordinators }
  },
})

async function find(context: RequestContext, keyType: number, key: string): Promise<Coordinator> {
  switch (keyType) {
    case KeyType.GROUP:
      if (!context.allowed('DESCRIBE', 'GROUP', key)) return unavailable(ErrorCode.GROUP_AUTHORIZATION_FAILED)
      return findLeader(context, OFFSETS_TOPIC, context.broker.groups.partitionFor(key))
    case KeyType.TRANSACTION:
      if (!context.allowed('DESCRIBE', 'TRANSACTIONAL_ID', key)) {
        return unavailable(ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
      }
      return findLeader(context, TRANSACTION_TOPIC, context.broker.transactions.partitionFor(key))
    case KeyType.SHARE:
      if (context.apiVersion < SHARE_KEYS_VERSION) return unavailable(ErrorCode.INVALID_REQUEST)
      if (!context.allowed('CLUSTER_ACTION', 'CLUSTER', 'kafka-cluster')) {
        return unavailable(ErrorCode.CLUSTER_AUTHORIZATION_FAILED)
      }
      if (!isShareKey(key)) return unavailable(ErrorCode.INVALID_REQUEST)
      return findLeader(context, SHARE_STATE_TOPIC, context.broker.shareCoordinator.partitionForName(key))
    default:
      return unavailable(ErrorCode.INVALID_REQUEST, `There is no coordinator of type ${keyType}.`)
  }
}

/** `group:topicId:partition`; the group's name may itself hold colons. */
function isShareKey(key: string): boolean {
  return /^.+:[A-Za-z0-9_-]{22}:\d{1,10}$/s.test(key)
}

async function findLeader(context: RequestContext, topic: string, index: number): Promise<Coordinator> {
  const { broker } = context
  if (broker.image.topic(topic) === undefined) {
    await broker.topics.createAutomatically(topic)
    return unavailable(ErrorCode.COORDINATOR_NOT_AVAILABLE)
  }
  const partition = broker.image.topic(topic)?.partitions[index]
  const leader = liveBrokers(broker, context.connection).find(({ id }) => id === partition?.leader)
  if (leader === undefined) {
    return unavailable(ErrorCode.COORDINATOR_NOT_AVAILABLE)
  }
  return { nodeId: leader.id, host: leader.host, port: leader.port, errorCode: ErrorCode.NONE, reason: '' }
}
