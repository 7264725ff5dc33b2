/** Error codes of transactional requests that older clients know by other names. */
import { ErrorCode } from '../protocol/errors.ts'

/** A producer that was replaced by a newer one. */
export function fencedErrorFor(errorCode: ErrorCode, knowsFenced: boolean): ErrorCode {
  return errorCode === ErrorCode.PRODUCER_FENCED && !knowsFenced ? ErrorCode.INVALID_PRODUCER_EPOCH : errorCode
}
