/** GetTelemetrySubscriptions: which metrics a client is to push, and how often (KIP-714). The rules are in telemetry/. */
import { ErrorCode } from '../../protocol/errors.ts'
import {
  GetTelemetrySubscriptionsRequest,
  GetTelemetrySubscriptionsResponse,
} from '../../protocol/messages/71-get-telemetry-subscriptions.ts'
import { ZERO_UUID } from '../../protocol/schema.ts'
import { defineApi } from '../api.ts'
import { clientFacts } from '../telemetry/client-facts.ts'
import { ACCEPTED_COMPRESSION } from '../telemetry/client-telemetry.ts'

export default defineApi({
  key: 71,
  name: 'GetTelemetrySubscriptions',
  request: GetTelemetrySubscriptionsRequest,
  response: GetTelemetrySubscriptionsResponse,
  versions: [0, 0],
  notes: [
    'Always advertised: the broker itself keeps what clients push. Kafka advertises it with a receiver plug-in only.',
    'Asked again before the push interval is over: THROTTLING_QUOTA_EXCEEDED.',
  ],
  handle(context, { clientInstanceId }) {
    const { telemetry, clock } = context.broker
    const answer = telemetry.subscribe(clientInstanceId, (id) => clientFacts(context, id), clock.monotonic())
    const { granted } = answer
    return {
      throttleTimeMs: 0,
      errorCode: answer.errorCode,
      clientInstanceId: granted?.clientInstanceId ?? ZERO_UUID,
      subscriptionId: granted?.subscriptionId ?? 0,
      acceptedCompressionTypes: answer.errorCode === ErrorCode.NONE ? [...ACCEPTED_COMPRESSION] : [],
      pushIntervalMs: granted?.pushIntervalMs ?? 0,
      telemetryMaxBytes: granted === null ? 0 : telemetry.maxBytes,
      deltaTemporality: granted !== null,
      requestedMetrics: [...(granted?.metrics ?? [])],
    }
  },
})
