/** UnregisterBroker: forgets a broker that is gone. Registrations end by themselves here, so nobody who is gone is registered. */
import { ErrorCode } from '../../protocol/errors.ts'
import { UnregisterBrokerRequest, UnregisterBrokerResponse } from '../../protocol/messages/64-unregister-broker.ts'
import { defineApi } from '../api.ts'

export default defineApi({
  key: 64,
  name: 'UnregisterBroker',
  request: UnregisterBrokerRequest,
  response: UnregisterBrokerResponse,
  versions: [0, 0],
  authorize(context) {
    if (context.allowed('ALTER', 'CLUSTER', 'kafka-cluster')) return null
    const errorCode = ErrorCode.CLUSTER_AUTHORIZATION_FAILED
    return { throttleTimeMs: 0, errorCode, errorMessage: 'Cluster authorization failed.' }
  },
  handle({ broker }, { brokerId }) {
    const isLive = broker.image.broker(brokerId) !== undefined
    return {
      throttleTimeMs: 0,
      errorCode: isLive ? ErrorCode.INVALID_REQUEST : ErrorCode.BROKER_ID_NOT_REGISTERED,
      errorMessage: isLive
        ? `Broker ID ${brokerId} is running; its registration ends when it stops`
        : `Broker ID ${brokerId} is not currently registered`,
    }
  },
})
