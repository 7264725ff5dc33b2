/**
 * InitProducerId: a producer id for an idempotent producer. Transactional producers need a coordinator that is not
 * there yet; they are told so at once instead of asking until they time out.
 */
import { ErrorCode } from '../../protocol/errors.ts'
import { InitProducerIdRequest, InitProducerIdResponse } from '../../protocol/messages/22-init-producer-id.ts'
import type { Input } from '../../protocol/schema.ts'
import { defineApi } from '../api.ts'

const NONE = -1

export default defineApi({
  key: 22,
  name: 'InitProducerId',
  request: InitProducerIdRequest,
  response: InitProducerIdResponse,
  versions: [0, 5],
  notes: ['Transactional ids are answered UNSUPPORTED_VERSION: there is no transaction coordinator yet.'],
  async handle(context, request) {
    const { transactionalId, producerId, producerEpoch } = request
    if ((producerId === NONE) !== (producerEpoch === NONE)) return failed(ErrorCode.INVALID_REQUEST)
    if (transactionalId !== null) {
      if (!context.allowed('WRITE', 'TRANSACTIONAL_ID', transactionalId)) {
        return failed(ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
      }
      if (transactionalId === '') return failed(ErrorCode.INVALID_REQUEST)
      return failed(ErrorCode.UNSUPPORTED_VERSION)
    }
    if (!context.allowed('IDEMPOTENT_WRITE', 'CLUSTER', 'kafka-cluster')) {
      return failed(ErrorCode.CLUSTER_AUTHORIZATION_FAILED)
    }
    try {
      const next = await context.broker.producerIds.next()
      return { throttleTimeMs: 0, errorCode: ErrorCode.NONE, producerId: next, producerEpoch: 0 }
    } catch (error) {
      context.broker.logger.error('no producer id could be taken from the metadata store', { error })
      // Retriable: the store may be back in a moment.
      return failed(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS)
    }
  },
})

function failed(errorCode: ErrorCode): Input<typeof InitProducerIdResponse> {
  return { throttleTimeMs: 0, errorCode, producerId: NONE, producerEpoch: NONE }
}
