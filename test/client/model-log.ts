/**
 * The logs of a fake broker, with the rules by which a real one sorts out repeated batches (KIP-98, KIP-360): a producer's
 * last five batches are known again, the next one must follow them, a new epoch begins at sequence 0, an older one is
 * refused. A producer that the log has never seen may begin anywhere.
 */
import { ErrorCode } from '../../src/protocol/errors.ts'
import { ProduceRequest, ProduceResponse } from '../../src/protocol/messages/00-produce.ts'
import { InitProducerIdRequest, InitProducerIdResponse } from '../../src/protocol/messages/22-init-producer-id.ts'
import type { Infer } from '../../src/protocol/schema.ts'
import { checkCrc, iterateRecords, readBatchHeader } from '../../src/records/batch.ts'
import type { FakeBroker } from './fake-broker.ts'

interface KnownBatch {
  readonly baseSequence: number
  readonly count: number
  readonly baseOffset: number
}

interface ProducerState {
  epoch: number
  nextSequence: number
  recent: KnownBatch[]
}

const KNOWN_BATCHES = 5

export class ModelLog {
  readonly values: string[] = []
  private readonly producers = new Map<number, ProducerState>()

  append(batch: Buffer): { errorCode: number; baseOffset: number } {
    const header = readBatchHeader(batch, 0)
    if (!checkCrc([batch])) return { errorCode: ErrorCode.CORRUPT_MESSAGE, baseOffset: -1 }
    const { producerId, producerEpoch, baseSequence, recordCount: count } = header
    const baseOffset = this.values.length
    if (producerId >= 0) {
      const state = this.producers.get(producerId)
      if (state !== undefined && producerEpoch < state.epoch) {
        return { errorCode: ErrorCode.INVALID_PRODUCER_EPOCH, baseOffset: -1 }
      }
      const sameEpoch = state?.epoch === producerEpoch
      const known = sameEpoch ? state.recent.find((each) => each.baseSequence === baseSequence) : undefined
      if (known !== undefined && known.count === count) return { errorCode: 0, baseOffset: known.baseOffset }
      const expected = state === undefined ? baseSequence : sameEpoch ? state.nextSequence : 0
      if (baseSequence !== expected) return { errorCode: ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, baseOffset: -1 }
      const recent = [...(sameEpoch ? state.recent : []), { baseSequence, count, baseOffset }].slice(-KNOWN_BATCHES)
      this.producers.set(producerId, { epoch: producerEpoch, nextSequence: baseSequence + count, recent })
    }
    for (const { value } of iterateRecords(batch)) this.values.push(value?.toString() ?? '')
    return { errorCode: 0, baseOffset }
  }

  /** As after the loss of the newest data, or a deletion of old data. */
  forgetProducers(): void {
    this.producers.clear()
  }
}

export type Verdict =
  | 'take'
  /** Not stored, and this is the answer. */
  | { readonly refuse: number }
  /** Stored, and yet this is the answer. */
  | { readonly takeAndAnswer: number }
  /** Stored, the connection ends without an answer. */
  | 'take and hang up'
  | 'hang up'
  /** Stored, no answer. */
  | 'take in silence'

export interface ProducedBatch {
  readonly partition: number
  readonly values: readonly string[]
  readonly baseSequence: number
  readonly producerEpoch: number
}

/** Serves producer ids and Produce from logs; the verdict is asked for every batch. */
export function serveLogs(
  fake: FakeBroker,
  partitions: number,
  verdictOn: (batch: ProducedBatch) => Verdict = () => 'take',
): { logs: ModelLog[]; batches: ProducedBatch[] } {
  const logs = Array.from({ length: partitions }, () => new ModelLog())
  const batches: ProducedBatch[] = []
  let nextProducerId = 4000
  fake.on(InitProducerIdRequest, InitProducerIdResponse, () => {
    return { throttleTimeMs: 0, errorCode: 0, producerId: nextProducerId++, producerEpoch: 0 }
  })
  fake.on(ProduceRequest, ProduceResponse, (body) => {
    const answers = new Map<number, { errorCode: number; baseOffset: number }>()
    let ending: 'hang up' | 'silence' | null = null
    for (const { index, records } of body.topicData[0]!.partitionData) {
      const bytes = Buffer.concat(records ?? [])
      const { baseSequence, producerEpoch } = readBatchHeader(bytes, 0)
      const values = [...iterateRecords(bytes)].map(({ value }) => value?.toString() ?? '')
      const batch = { partition: index, values, baseSequence, producerEpoch }
      batches.push(batch)
      const verdict = verdictOn(batch)
      if (verdict === 'hang up') ending = 'hang up'
      else if (typeof verdict === 'object' && 'refuse' in verdict) {
        answers.set(index, { errorCode: verdict.refuse, baseOffset: -1 })
      } else {
        const stored = logs[index]!.append(bytes)
        const errorCode = typeof verdict === 'object' ? verdict.takeAndAnswer : stored.errorCode
        answers.set(index, { errorCode, baseOffset: errorCode === 0 ? stored.baseOffset : -1 })
        if (verdict === 'take and hang up') ending = 'hang up'
        if (verdict === 'take in silence') ending ??= 'silence'
      }
    }
    if (ending === 'hang up') fake.hangUp()
    return ending !== null || body.acks === 0 ? null : produceAnswer(body, answers)
  })
  return { logs, batches }
}

function produceAnswer(
  body: Infer<typeof ProduceRequest>,
  answers: ReadonlyMap<number, { errorCode: number; baseOffset: number }>,
) {
  const { topicId, name } = body.topicData[0]!
  const partitionResponses = [...answers].map(([index, { errorCode, baseOffset }]) => {
    return { index, errorCode, baseOffset, recordErrors: [], errorMessage: null }
  })
  return { responses: [{ topicId, name, partitionResponses }], throttleTimeMs: 0 }
}
