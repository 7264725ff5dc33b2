/** What an error code in the answer to Produce means for the batch. */
import { ErrorCode, isRetriable } from '../../protocol/errors.ts'

export const ErrorClass = {
  /** Stored now, or stored before. */
  done: 0,
  /** The same batch may be taken later, or by another broker. */
  retriable: 1,
  /** The broker expects another sequence: the batch is not stored. */
  sequence: 2,
  /** Smaller batches may be taken. */
  tooLarge: 3,
  /** Never. */
  final: 4,
} as const
export type ErrorClass = (typeof ErrorClass)[keyof typeof ErrorClass]

export function errorClassOf(errorCode: number): ErrorClass {
  switch (errorCode) {
    case ErrorCode.NONE:
    // Its first answer was lost.
    case ErrorCode.DUPLICATE_SEQUENCE_NUMBER:
      return ErrorClass.done
    case ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER:
    case ErrorCode.UNKNOWN_PRODUCER_ID:
      return ErrorClass.sequence
    case ErrorCode.MESSAGE_TOO_LARGE:
      return ErrorClass.tooLarge
    default:
      return isRetriable(errorCode) ? ErrorClass.retriable : ErrorClass.final
  }
}
