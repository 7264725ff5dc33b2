/** The producer id of an idempotent producer without transactions: any broker gives one. */
import { InitProducerIdRequest, InitProducerIdResponse } from '../../protocol/messages/22-init-producer-id.ts'
import type { Cluster } from '../cluster.ts'
import { brokerError } from '../errors.ts'
import { retrying } from '../retry.ts'
import type { ProducerIdentity } from './batch.ts'
import type { IdentitySource } from './dispatcher.ts'

export class IdempotentIdentity implements IdentitySource {
  current: ProducerIdentity | null = null
  private readonly cluster: Cluster
  private readonly timeoutMs: number
  private pending: Promise<ProducerIdentity> | null = null

  constructor(cluster: Cluster, timeoutMs: number) {
    this.cluster = cluster
    this.timeoutMs = timeoutMs
  }

  acquire(): Promise<ProducerIdentity> {
    if (this.current !== null) return Promise.resolve(this.current)
    this.pending ??= this.ask().finally(() => {
      this.pending = null
    })
    return this.pending
  }

  discard(): void {
    this.current = null
  }

  private ask(): Promise<ProducerIdentity> {
    const attempt = async (): Promise<ProducerIdentity> => {
      const connection = await this.cluster.any()
      const answer = await connection.send(InitProducerIdRequest, InitProducerIdResponse, {
        transactionalId: null,
        transactionTimeoutMs: 0,
      })
      if (answer.errorCode !== 0) throw brokerError(answer.errorCode, 'get a producer id')
      this.current = { producerId: answer.producerId, producerEpoch: answer.producerEpoch }
      return this.current
    }
    return retrying(this.timeoutMs, attempt, { policy: this.cluster.retry, mayRetry: ({ retriable }) => retriable })
  }
}
