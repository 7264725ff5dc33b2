// GetTelemetrySubscriptions (71): which client metrics a broker wants to be sent.

import { array, bool, type Infer, int8, int16, int32, request, response, string, uuid } from '../schema.ts'

export const GetTelemetrySubscriptionsRequest = request(
  { key: 71, name: 'GetTelemetrySubscriptionsRequest', versions: '0', flexible: '0+' },
  {
    clientInstanceId: uuid(),
  },
)

export type GetTelemetrySubscriptionsRequest = Infer<typeof GetTelemetrySubscriptionsRequest>

export const GetTelemetrySubscriptionsResponse = response(
  { key: 71, name: 'GetTelemetrySubscriptionsResponse', versions: '0', flexible: '0+' },
  {
    throttleTimeMs: int32(),
    errorCode: int16(),
    clientInstanceId: uuid(),
    subscriptionId: int32(),
    acceptedCompressionTypes: array(int8),
    pushIntervalMs: int32(),
    telemetryMaxBytes: int32(),
    deltaTemporality: bool(),
    requestedMetrics: array(string),
  },
)

export type GetTelemetrySubscriptionsResponse = Infer<typeof GetTelemetrySubscriptionsResponse>
