/** Drives share groups in tests: a member is a few words, its answers are kept. */
import type { ShareHeartbeatAnswer } from '../../../../src/coordinator/share-requests.ts'
import type { ShareGroupHeartbeatRequest } from '../../../../src/protocol/messages/76-share-group-heartbeat.ts'
import { type Call, GroupTest, TOPICS } from '../../group-test.ts'

type BeatFields = Partial<ShareGroupHeartbeatRequest>

const VERSION = 1

/** One member: says nothing but what has changed. */
export class ShareMember {
  readonly #groups: GroupTest
  readonly groupId: string
  readonly memberId: string
  epoch = 0
  /** Topic name -> partitions, as it was last told. */
  held: Readonly<Record<string, readonly number[]>> = {}

  constructor(groups: GroupTest, memberId: string, groupId = 'group') {
    this.#groups = groups
    this.memberId = memberId
    this.groupId = groupId
  }

  call(fields: BeatFields): Call<ShareHeartbeatAnswer> {
    const { groupId, memberId, epoch } = this
    const request = { groupId, memberId, memberEpoch: epoch, rackId: null, subscribedTopicNames: null, ...fields }
    const { share } = this.#groups.coordinator
    return this.#groups.call((...turn) => share.heartbeat(...turn), VERSION, request)
  }

  beat(fields: BeatFields = {}): ShareHeartbeatAnswer {
    const { answer } = this.call(fields)
    if (answer.errorCode !== 0) return answer
    this.epoch = answer.memberEpoch
    const names = new Map(Object.entries(TOPICS).map(([name, { id }]) => [id, name]))
    const told = answer.assignment?.topicPartitions
    if (told !== undefined) {
      this.held = Object.fromEntries(told.map(({ topicId, partitions }) => [names.get(topicId) ?? topicId, partitions]))
    }
    return answer
  }

  join(topics: readonly string[] = ['orders']): ShareHeartbeatAnswer {
    return this.beat({ memberEpoch: 0, subscribedTopicNames: [...topics] })
  }
}

/** A coordinator that assigns anew at once. */
export function shareTest(options: ConstructorParameters<typeof GroupTest>[0] = {}): GroupTest {
  const groups = new GroupTest(options)
  groups.settings.set('group', { assignmentIntervalMs: 0 })
  return groups
}
