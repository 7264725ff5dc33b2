/**
 * One transaction of a kafkajs producer. It ends once, by `commit` or `abort`; a commit that fails leaves it to be aborted,
 * as programs of kafkajs do in their `catch`, although the client has aborted it already.
 */
import type { Producer as ClientProducer } from '../client/producer/producer.ts'
import { KafkaJSNonRetriableError } from './errors.ts'
import type { KafkaProducer } from './producer.ts'
import type { Offsets, ProducerBatch, ProducerRecord, RecordMetadata, Transaction } from './types.ts'

export class KafkaTransaction implements Transaction {
  private readonly owner: KafkaProducer
  private readonly producer: ClientProducer
  /** Sends that nobody may have waited for: they belong to the transaction all the same. */
  private readonly sends = new Set<Promise<unknown>>()
  private state: 'active' | 'aborted by its failure' | 'ended' = 'active'

  private constructor(owner: KafkaProducer, producer: ClientProducer) {
    this.owner = owner
    this.producer = producer
  }

  static async begin(owner: KafkaProducer, producer: ClientProducer): Promise<KafkaTransaction> {
    try {
      await producer.beginTransaction()
      return new KafkaTransaction(owner, producer)
    } catch (error) {
      throw owner.failed(error)
    }
  }

  isActive(): boolean {
    return this.state !== 'ended'
  }

  send({ topic, messages, ...rest }: ProducerRecord): Promise<RecordMetadata[]> {
    return this.sendBatch({ ...rest, topicMessages: [{ topic, messages }] })
  }

  async sendBatch({ topicMessages = [], ...rest }: ProducerBatch): Promise<RecordMetadata[]> {
    this.assertActive()
    const batch = { ...rest, topicMessages }
    this.owner.check(batch, true)
    const sent = this.owner.deliver(batch, async () => this.producer)
    const tracked: Promise<unknown> = sent.then(
      () => this.sends.delete(tracked),
      () => this.sends.delete(tracked),
    )
    this.sends.add(tracked)
    return sent
  }

  /** They become the group's when the transaction commits. */
  async sendOffsets({ consumerGroupId, topics }: Offsets & { consumerGroupId: string }): Promise<void> {
    this.assertActive()
    if (!consumerGroupId) throw new KafkaJSNonRetriableError('Missing consumerGroupId')
    if (!topics) throw new KafkaJSNonRetriableError('Missing offset topics')
    const rows = topics.flatMap(({ topic, partitions }) =>
      partitions.map(({ partition, offset }) => ({ topic, partition, offset: Number(offset) })),
    )
    try {
      await this.producer.sendOffsets(consumerGroupId, rows)
    } catch (error) {
      throw this.owner.failed(error)
    }
    for (const { topic, partition, offset } of rows) {
      this.owner.offsetsCommitted(consumerGroupId, topic, partition, String(offset))
    }
  }

  async commit(): Promise<void> {
    this.assertActive()
    await Promise.all(this.sends)
    try {
      await this.producer.commitTransaction()
      this.state = 'ended'
    } catch (error) {
      this.state = 'aborted by its failure'
      throw this.owner.failed(error)
    }
  }

  async abort(): Promise<void> {
    this.assertActive()
    const isAborted = this.state === 'aborted by its failure'
    this.state = 'ended'
    if (isAborted) return
    try {
      await this.producer.abortTransaction()
    } catch (error) {
      throw this.owner.failed(error)
    }
  }

  private assertActive(): void {
    if (this.state === 'ended') throw new KafkaJSNonRetriableError('Cannot continue to use transaction once ended')
  }
}
