// Client telemetry: Kafka answers it without a receiver, too, though it does not advertise it.
import {
  GetTelemetrySubscriptionsRequest,
  GetTelemetrySubscriptionsResponse,
} from '../../src/protocol/messages/71-get-telemetry-subscriptions.ts'
import { PushTelemetryRequest, PushTelemetryResponse } from '../../src/protocol/messages/72-push-telemetry.ts'
import { type Input, ZERO_UUID } from '../../src/protocol/schema.ts'
import type { DifferentialBroker } from './broker.ts'
import { asks, type CaseGroup, type DifferentialCase } from './case.ts'

const get = asks(GetTelemetrySubscriptionsRequest, GetTelemetrySubscriptionsResponse)
const push = asks(PushTelemetryRequest, PushTelemetryResponse)

type Push = Input<typeof PushTelemetryRequest>

const FIRST = 'Zm9vYmFyYmF6cXV4MTIzNA'
const SECOND = 'Zm9vYmFyYmF6cXV4MTIzNQ'
const THIRD = 'Zm9vYmFyYmF6cXV4MTIzNg'
const FOURTH = 'Zm9vYmFyYmF6cXV4MTIzNw'
const RESERVED = 'AAAAAAAAAAAAAAAAAAAAAQ'

/** Subscription ids are each broker's own. */
const subscriptionShape = (answer: {
  subscriptionId: number
  clientInstanceId: string
  acceptedCompressionTypes: readonly number[]
}) => ({
  ...answer,
  subscriptionId: answer.subscriptionId === 0 ? 0 : '<id>',
  clientInstanceId: [ZERO_UUID, FIRST, SECOND, THIRD, FOURTH].includes(answer.clientInstanceId)
    ? answer.clientInstanceId
    : '<made>',
})

const gets = (name: string, clientInstanceId: string): DifferentialCase =>
  get(
    name,
    0,
    { clientInstanceId },
    {
      only: subscriptionShape,
      keep: (broker, answer) => {
        if (answer.errorCode === 0) broker.remember(`subscription of ${clientInstanceId}`, answer.subscriptionId)
      },
    },
  )

function pushes(name: string, clientInstanceId: string, more: Partial<Push> = {}): DifferentialCase {
  const value = (broker: DifferentialBroker): Push => ({
    clientInstanceId,
    subscriptionId: broker.recall<number>(`subscription of ${clientInstanceId}`),
    terminating: false,
    compressionType: 0,
    metrics: Buffer.alloc(0),
    ...more,
  })
  return push(name, 0, value)
}

const TELEMETRY: CaseGroup = {
  api: 'client telemetry',
  prepare: async (broker) => {
    for (const id of [RESERVED, ZERO_UUID]) broker.remember(`subscription of ${id}`, 5)
  },
  cases: [
    gets('a client without an id gets one', ZERO_UUID),
    gets('a client with an id', FIRST),
    gets('the same client again, too early', FIRST),
    pushes('the first push may come at once', FIRST),
    pushes('the second push comes too early', FIRST),
    pushes('a last push may come at any time', FIRST, { terminating: true }),
    pushes('nothing comes after the last one', FIRST),
    pushes('not even a last one', FIRST, { terminating: true }),
    gets('another client', SECOND),
    pushes('an unknown subscription', SECOND, { subscriptionId: 12345 }),
    pushes('and then the right one, too early', SECOND),
    gets('a third client', THIRD),
    pushes('an unknown compression', THIRD, { compressionType: 9 }),
    gets('a fourth client', FOURTH),
    pushes('a push that is too large', FOURTH, { metrics: Buffer.alloc(1_048_577) }),
    pushes('a reserved id', RESERVED),
    push('no id', 0, {
      clientInstanceId: ZERO_UUID,
      subscriptionId: 0,
      terminating: false,
      compressionType: 0,
      metrics: Buffer.alloc(0),
    }),
    push('a client that never asked', 0, {
      clientInstanceId: 'Zm9vYmFyYmF6cXV4MTIzOQ',
      subscriptionId: 7,
      terminating: false,
      compressionType: 0,
      metrics: Buffer.alloc(0),
    }),
  ],
}

export const TELEMETRY_CASES: readonly CaseGroup[] = [TELEMETRY]
