/** What a streams group tells its members beside their tasks: why there are none yet, or that the application is to end. */
import { ErrorCode } from '../../../protocol/errors.ts'
import { Refusal } from '../consumer/draft.ts'

/** The protocol's numbers. */
export const StreamsStatus = {
  STALE_TOPOLOGY: 0,
  MISSING_SOURCE_TOPICS: 1,
  INCORRECTLY_PARTITIONED_TOPICS: 2,
  MISSING_INTERNAL_TOPICS: 3,
  SHUTDOWN_APPLICATION: 4,
  ASSIGNMENT_DELAYED: 5,
} as const

export type StreamsStatus = (typeof StreamsStatus)[keyof typeof StreamsStatus]

export interface StreamsStatusRow {
  readonly code: StreamsStatus
  readonly detail: string
}

/** Thrown while a topology is held against the topics, and caught there: a status for the members, or a refusal in `cause`. */
export class TopologyProblem extends Error {
  readonly status: StreamsStatusRow | null

  constructor(status: StreamsStatusRow | null, cause?: Refusal) {
    super(status?.detail ?? cause?.message ?? 'topology')
    this.status = status
    this.cause = cause
  }

  /** No topics could make it right. */
  static invalid(message: string): TopologyProblem {
    return new TopologyProblem(null, new Refusal(ErrorCode.STREAMS_INVALID_TOPOLOGY, message))
  }

  /** Nothing that Streams makes: Kafka stumbles over it, and its answer is taken over. */
  static unexpected(): TopologyProblem {
    return new TopologyProblem(null, new Refusal(ErrorCode.UNKNOWN_SERVER_ERROR, null))
  }
}
