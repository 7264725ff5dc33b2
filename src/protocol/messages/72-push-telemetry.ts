// PushTelemetry (72): metrics of a client, for the broker's operator.

import { bool, bytes, type Infer, int8, int16, int32, request, response, uuid } from '../schema.ts'

export const PushTelemetryRequest = request(
  { key: 72, name: 'PushTelemetryRequest', versions: '0', flexible: '0+' },
  {
    clientInstanceId: uuid(),
    subscriptionId: int32(),
    terminating: bool(),
    compressionType: int8(),
    metrics: bytes(),
  },
)

export type PushTelemetryRequest = Infer<typeof PushTelemetryRequest>

export const PushTelemetryResponse = response(
  { key: 72, name: 'PushTelemetryResponse', versions: '0', flexible: '0+' },
  {
    throttleTimeMs: int32(),
    errorCode: int16(),
  },
)

export type PushTelemetryResponse = Infer<typeof PushTelemetryResponse>
