/**
 * What to do with messages that cannot be handled: try again, try again later through retry topics, and in the end put them aside in a
 * dead-letter topic, with headers that say where they come from and why.
 *
 * What must hold: a message is given up here only after its copy is acknowledged; if the copy cannot be written, the handler fails and
 * the message is not committed. Key, value and headers of a copy are the bytes of the original.
 */
import { KafkaError } from '../errors.ts'
import type { Producer } from '../producer/producer.ts'
import { backoffMs, sleep } from '../retry.ts'
import type { DeserializeErrorHandler } from './deserialize.ts'
import type { Message } from './message.ts'
import type { HandlerContext, MessageHandler } from './runner.ts'

/** Names of the headers; those of KIP-1191, which brokers write for share groups. */
export const DEAD_LETTER_HEADERS = {
  topic: '__dlq.errors.topic',
  partition: '__dlq.errors.partition',
  offset: '__dlq.errors.offset',
  group: '__dlq.errors.group',
  attempts: '__dlq.errors.delivery.count',
  message: '__dlq.errors.message',
} as const

/** On messages in retry topics: when they are due (milliseconds since 1970), and how many topics they have been through. */
const RETRY_DUE = '__retry.due'
const RETRY_ROUND = '__retry.round'
/** Those that a copy brings anew. */
const OWN_HEADERS = new Set<string>([...Object.values(DEAD_LETTER_HEADERS), RETRY_DUE, RETRY_ROUND])
const ERROR_TEXT_MAX = 1_024

/** Where messages go that cannot be handled. */
export interface DeadLetterOptions {
  /** For bytes: without serdes. */
  readonly producer: Producer
  /** The dead-letter topic, or which one a message goes to. */
  readonly topic: string | ((message: Message) => string)
  /** Is written into the copy's headers; without it that header is left out. */
  readonly groupId?: string
  /** Told of each message that is put aside. */
  readonly onDeadLetter?: (message: Message, error: unknown) => void
}

/** How often a handler is called again before its message is put aside. */
export interface RetryOptions extends DeadLetterOptions {
  /** Calls of the handler before a message is given up. Default 3. */
  readonly attempts?: number
  /** Before the first repetition, doubled each time, milliseconds. Default 100. */
  readonly backoffMs?: number
  /** Default 10,000. */
  readonly backoffMaxMs?: number
  /** False: no use in trying again. Default: errors that do not say `retriable: false`. */
  readonly mayRetry?: (error: unknown) => boolean
}

/** A topic whose messages wait before they are handled again. */
export interface RetryTopic {
  /** The topic's name. */
  readonly topic: string
  /** How long a message waits there, milliseconds. */
  readonly delayMs: number
}

/** The way of a message through retry topics to the dead-letter topic. */
export interface RetryTopicsOptions extends DeadLetterOptions {
  /** In the order in which a message goes through them. The consumer subscribes to them as well. */
  readonly retryTopics: readonly RetryTopic[]
}

/** Puts aside what cannot be deserialized: for the option `onDeserializeError`. */
export function deadLetterUnreadable(options: DeadLetterOptions): DeserializeErrorHandler {
  return (message, error) => putAside(options, message, error, 1)
}

/** Calls the handler again where it stands, so that the order within the partition stays; then puts the message aside. */
export function withDeadLetter<V, K>(handler: MessageHandler<V, K>, options: RetryOptions): MessageHandler<V, K> {
  const attempts = options.attempts ?? 3
  const policy = { backoffMs: options.backoffMs ?? 100, backoffMaxMs: options.backoffMaxMs ?? 10_000 }
  return async (message, context) => {
    for (let attempt = 1; ; attempt++) {
      try {
        await handler(message, context)
        return
      } catch (error) {
        // Given up because the consumer closes: whoever gets it next begins anew.
        if (context.signal.aborted) throw error
        if (attempt >= attempts || !(options.mayRetry ?? mayRetry)(error)) {
          await putAside(options, asBytes(message), error, attempt)
          return
        }
        await sleep(backoffMs(policy, attempt - 1), context.signal)
      }
    }
  }
}

/**
 * Sends what fails to the first retry topic, from there to the next, and in the end aside; the partition goes on at once. Messages of a
 * retry topic wait until they are due. The order of messages is not kept.
 */
export function withRetryTopics<V, K>(
  handler: MessageHandler<V, K>,
  options: RetryTopicsOptions,
): MessageHandler<V, K> {
  return async (message, context) => {
    await untilDue(message, context)
    try {
      await handler(message, context)
    } catch (error) {
      if (context.signal.aborted) throw error
      const round = headerNumber(message, RETRY_ROUND) ?? 0
      const next = options.retryTopics[round]
      if (next === undefined) {
        await putAside(options, asBytes(message), error, round + 1)
        return
      }
      const due = String(Date.now() + next.delayMs)
      const headers = { [RETRY_DUE]: due, [RETRY_ROUND]: String(round + 1) }
      await copyTo(options, next.topic, asBytes(message), {
        ...whereFrom(options, message, error, round + 1),
        ...headers,
      })
    }
  }
}

async function untilDue<V, K>(message: Message<V, K>, { signal }: HandlerContext): Promise<void> {
  const waitMs = (headerNumber(message, RETRY_DUE) ?? 0) - Date.now()
  if (waitMs > 0) await sleep(waitMs, signal)
}

function mayRetry(error: unknown): boolean {
  return !(error instanceof KafkaError) || error.retriable
}

async function putAside(options: DeadLetterOptions, message: Message, error: unknown, attempts: number): Promise<void> {
  const topic = typeof options.topic === 'string' ? options.topic : options.topic(message)
  await copyTo(options, topic, message, whereFrom(options, message, error, attempts))
  options.onDeadLetter?.(message, error)
}

/** Of a message that comes from a retry topic: where it was at first. */
function whereFrom<V, K>(
  options: DeadLetterOptions,
  message: Message<V, K>,
  error: unknown,
  attempts: number,
): Record<string, string> {
  const names = DEAD_LETTER_HEADERS
  const first = (name: string, value: string): string => message.header(name)?.toString() ?? value
  const text = error instanceof Error ? error.message : String(error)
  return {
    [names.topic]: first(names.topic, message.topic),
    [names.partition]: first(names.partition, String(message.partition)),
    [names.offset]: first(names.offset, String(message.offset)),
    ...(options.groupId === undefined ? {} : { [names.group]: options.groupId }),
    [names.attempts]: String(attempts),
    [names.message]: text.slice(0, ERROR_TEXT_MAX),
  }
}

async function copyTo(
  { producer }: DeadLetterOptions,
  topic: string,
  message: Message,
  added: Readonly<Record<string, string>>,
): Promise<void> {
  const kept = message.headers.filter(({ key }) => !OWN_HEADERS.has(key))
  const headers = [...kept, ...Object.entries(added).map(([key, value]) => ({ key, value }))]
  await producer.send({ topic, key: message.rawKey, value: message.rawValue, headers, timestamp: message.timestamp })
}

function headerNumber<V, K>(message: Message<V, K>, name: string): number | null {
  const text = message.header(name)?.toString()
  const value = Number(text)
  return text === undefined || !Number.isFinite(value) ? null : value
}

/** Copies are made of the bytes, whatever the deserializers made of them. */
function asBytes<V, K>(message: Message<V, K>): Message {
  return message as unknown as Message
}
