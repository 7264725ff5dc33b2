// How a case of the comparison is declared: a name, what to ask a broker, and which answer of Samsa may differ and why.
import { KafkaError } from '../../src/client/errors.ts'
import type { Infer, Input, MessageSchema } from '../../src/protocol/schema.ts'
import type { DifferentialBroker } from './broker.ts'

export interface AcceptedDifference {
  /** Why Samsa's answer is the better one. */
  reason: string
  /** What Samsa answers instead, normalised. */
  samsa: unknown
}

export interface DifferentialCase {
  name: string
  /** A step that others rely on; it is compared, too. */
  ask: (broker: DifferentialBroker) => Promise<unknown>
  /** The order of topics, partitions and other rows is part of the answer. */
  ordered?: boolean
  accepted?: AcceptedDifference
}

export interface CaseGroup {
  api: string
  /** Topics, groups and the like that the cases need; not compared. */
  prepare?: (broker: DifferentialBroker) => Promise<void>
  cases: DifferentialCase[]
}

export interface AskOptions<Response extends MessageSchema> {
  /** The connection, and client id; cases share the one of their group unless they name another. */
  connection?: string
  timeoutMs?: number
  ordered?: boolean
  accepted?: AcceptedDifference
  /** Keeps what later cases need. */
  keep?: (broker: DifferentialBroker, answer: Infer<Response>) => void
  /** Reduces the answer to what is compared. */
  only?: (answer: Infer<Response>, broker: DifferentialBroker) => unknown
}

type Value<Request extends MessageSchema> = Input<Request> | ((broker: DifferentialBroker) => Input<Request>)

export function valueFor<Request extends MessageSchema>(
  value: Value<Request>,
  broker: DifferentialBroker,
): Input<Request> {
  return typeof value === 'function' ? (value as (broker: DifferentialBroker) => Input<Request>)(broker) : value
}

/** Declares cases of one API: `const listOffsets = asks(Request, Response)`, then `listOffsets('name', version, value)`. */
export function asks<Request extends MessageSchema, Response extends MessageSchema>(
  request: Request,
  response: Response,
): (name: string, version: number, value: Value<Request>, options?: AskOptions<Response>) => DifferentialCase {
  return (name, version, value, options = {}) => ({
    name: `v${version}: ${name}`,
    ...(options.ordered === undefined ? {} : { ordered: options.ordered }),
    ...(options.accepted === undefined ? {} : { accepted: options.accepted }),
    ask: async (broker) => {
      const connection = await broker.connection(options.connection ?? 'asks')
      const sendOptions = options.timeoutMs === undefined ? { version } : { version, timeoutMs: options.timeoutMs }
      const answer = await connection.send(request, response, valueFor(value, broker), sendOptions).catch((error) => {
        // An unanswered request would hold up whatever follows it on its connection.
        if (error instanceof KafkaError && error.code === 'ERR_TIMEOUT')
          broker.dropConnection(options.connection ?? 'asks')
        throw error
      })
      options.keep?.(broker, answer)
      return options.only ? options.only(answer, broker) : answer
    },
  })
}

/** Samsa's answer to this case may differ from Kafka's. */
export function accepting(differing: DifferentialCase, reason: string, answer: unknown): DifferentialCase {
  return { ...differing, accepted: { reason, samsa: { answer } } }
}
