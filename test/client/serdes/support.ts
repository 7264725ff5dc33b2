import { expect } from 'bun:test'
import { KafkaError, type Serde, type SerdeContext } from '../../../src/client/index.ts'

export const CONTEXT: SerdeContext = { topic: 'orders', field: 'value' }

/** The error with which the action ends, at once or later. */
export async function failure(action: () => unknown): Promise<KafkaError> {
  let error: unknown = null
  try {
    await action()
  } catch (reason) {
    error = reason
  }
  expect(error).toBeInstanceOf(KafkaError)
  return error as KafkaError
}

export async function written<T>(using: Serde<T>, value: T, context = CONTEXT): Promise<Buffer> {
  return Buffer.from((await using.serialize(value, context)) as Uint8Array)
}
