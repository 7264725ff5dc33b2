/** PushTelemetry: metrics of a client, kept for the broker's operator (KIP-714). The rules are in telemetry/. */
import { PushTelemetryRequest, PushTelemetryResponse } from '../../protocol/messages/72-push-telemetry.ts'
import { defineApi } from '../api.ts'
import { clientFacts } from '../telemetry/client-facts.ts'

export default defineApi({
  key: 72,
  name: 'PushTelemetry',
  request: PushTelemetryRequest,
  response: PushTelemetryResponse,
  versions: [0, 0],
  notes: [
    'The last values of gauges and sums are kept in memory; bytes that are no metrics are answered INVALID_RECORD.',
  ],
  handle(context, request) {
    const push = { ...request, metrics: Buffer.from(request.metrics) }
    const { telemetry, clock } = context.broker
    const errorCode = telemetry.push(push, (id) => clientFacts(context, id), clock.monotonic())
    return { throttleTimeMs: 0, errorCode }
  },
})
