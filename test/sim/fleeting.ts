/**
 * A topic that is deleted and made anew while others write to it, in transactions and without, read it, and commit positions in it. Nothing of
 * an earlier topic may be found in a later one, and whatever else a transaction did holds or does not, all of it.
 */
import { ErrorCode } from '../../src/protocol/errors.ts'
import { MetadataRequest, MetadataResponse } from '../../src/protocol/messages/03-metadata.ts'
import { CreateTopicsRequest, CreateTopicsResponse } from '../../src/protocol/messages/19-create-topics.ts'
import { DeleteTopicsRequest, DeleteTopicsResponse } from '../../src/protocol/messages/20-delete-topics.ts'
import { FLEETING, partitionById, Refused, type SimClient } from './client.ts'
import { openIdempotent, Session, sessions, type Tenure, writeUntilKnown } from './producers.ts'
import { ConnectionLost } from './wire.ts'

const TIMEOUT_MS = 20_000

/** What is known of the topics of that name. */
export class Incarnations {
  /** How often its deletion was asked for. */
  deletions = 0
  count = 1
  /**
   * Positions that were committed in a transaction: the offset, and the deletions that had been asked for when that was answered. What is
   * under way at a deletion may come before or after it.
   */
  readonly positions = new Map<number, number>()
  readonly group = 'group-fleeting'

  /** Why the committed position cannot be one of the topic that is there now; null: it can. */
  problemWith(position: number): string | null {
    const deletionsThen = this.positions.get(position)
    if (deletionsThen === undefined || deletionsThen === this.deletions) return null
    return `${this.group} is at ${position}, which was committed in a topic that was deleted since`
  }
}

/** The partition as it is now; waits until there is one. */
export async function fleetingPartition(client: SimClient): Promise<string> {
  const topics = [{ name: FLEETING }]
  const answer = await client.ask(
    [MetadataRequest, MetadataResponse, 12] as const,
    { topics, allowAutoTopicCreation: false },
    (metadata) => metadata.topics[0]?.errorCode,
  )
  return partitionById(answer.value.topics[0]!.topicId, 0)
}

export const fleetingTopic = (segmentBytes: number) => ({
  name: FLEETING,
  numPartitions: 1,
  replicationFactor: 1,
  assignments: [],
  configs: [{ name: 'internal.segment.bytes', value: String(segmentBytes) }],
})

export async function runRecreator(client: SimClient, known: Incarnations, segmentBytes: number): Promise<void> {
  const isThere = async (): Promise<void> => {
    await again(client, async () => {
      const value = { topics: [fleetingTopic(segmentBytes)], timeoutMs: 1000, validateOnly: false }
      const call = [CreateTopicsRequest, CreateTopicsResponse, 5] as const
      await client.ask(call, value, ({ topics }) => {
        const code = topics[0]?.errorCode
        // An earlier attempt of which nobody heard.
        return code === ErrorCode.TOPIC_ALREADY_EXISTS ? ErrorCode.NONE : code
      })
    })
  }
  while (!client.isEnding()) {
    for (let pauses = client.random.below(3); pauses >= 0 && !client.isEnding(); pauses--) await client.rest()
    if (client.isEnding()) return
    known.deletions++
    await again(client, async () => {
      const value = { topicNames: [FLEETING], topics: [], timeoutMs: 1000 }
      const answer = await client.wire.ask(DeleteTopicsRequest, DeleteTopicsResponse, 5, value)
      const code = answer.value.responses[0]?.errorCode ?? ErrorCode.NONE
      if (code !== ErrorCode.NONE && code !== ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
        throw new Refused('DeleteTopics', code)
    })
    client.world.note(`${FLEETING} is deleted`)
    if (client.chance(0.5)) await client.rest()
    known.count++
    await isThere()
    client.world.note(`${FLEETING} is there again`)
  }
}

/** Until an answer is heard. */
async function again(client: SimClient, attempt: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      if (!(error instanceof ConnectionLost)) throw error
      await client.rest()
    }
  }
}

function isGone(error: unknown): boolean {
  return error instanceof Refused && error.code === ErrorCode.UNKNOWN_TOPIC_ID
}

/** Batches exactly once, as long as their topic is there. */
export async function runFleetingWriter(client: SimClient): Promise<void> {
  await sessions(client, async () => {
    const producer = await openIdempotent(client)
    while (!client.isEnding()) {
      const partition = await fleetingPartition(client)
      let baseSequence = 0
      try {
        for (let batches = 1 + client.random.below(4); batches > 0; batches--) {
          const records = Array.from({ length: 1 + client.random.below(3) }, () => client.model.send(partition))
          await writeUntilKnown(client, records, { ...producer, baseSequence })
          baseSequence += records.length
        }
      } catch (error) {
        if (!isGone(error)) throw error
      }
      // The sequence goes on with the topic, and only there: another session begins anew.
      await client.rest()
      return
    }
  })
}

/** Transactions over the topic and another one, with positions in the topic. */
export async function runFleetingTransactions(client: SimClient, known: Incarnations, other: string): Promise<void> {
  const tenure: Tenure = { session: 0, since: 0 }
  let offset = 0
  await sessions(client, async () => {
    const options = { transactionalId: client.name, isNew: true, tenure, timeoutMs: TIMEOUT_MS }
    const session = await Session.open(client, options)
    while (!client.isEnding()) {
      const transaction = client.model.begin(client.name)
      try {
        const partition = await fleetingPartition(client)
        for (const where of [partition, other]) {
          if (client.chance(0.3)) continue
          await session.write([client.model.send(where, { transaction }), client.model.send(where, { transaction })])
        }
        if (client.chance(0.4)) {
          const position = ++offset
          await session.commitPosition(known.group, `${FLEETING}-0`, position)
          known.positions.set(position, known.deletions)
          client.world.note(`position ${position} is in the transaction`)
        }
      } catch (error) {
        // The rest of it can be committed all the same.
        if (!isGone(error)) throw error
      }
      if (client.chance(0.05)) return
      await session.end(transaction, client.chance(0.7))
      client.world.note(`${transaction.id} is ${transaction.outcome}`)
      if (client.chance(0.3)) await client.rest()
    }
  })
}

/** Reads the topic that is there, from its beginning, and then the next one. */
export async function runFleetingReader(client: SimClient): Promise<void> {
  await sessions(client, async () => {
    while (!client.isEnding()) {
      const partition = await fleetingPartition(client)
      let position = 0
      try {
        while (!client.isEnding()) {
          const read = await client.fetch(partition, position, true)
          if (read === null) throw new Error(`${partition} has lost what was never deleted`)
          for (const record of read.records) client.model.saw(partition, record, true)
          if (read.nextOffset === position) await client.rest()
          position = read.nextOffset
        }
      } catch (error) {
        if (!isGone(error)) throw error
      }
    }
  })
}
