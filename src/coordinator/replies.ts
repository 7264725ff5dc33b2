/** Small parts of the coordinator's surface: waiters that end in a reply, answers gathered from several groups, the hash of group ids. */
import { ErrorCode } from '../protocol/errors.ts'
import type { Waiter } from './group/turn.ts'

/**
 * Ends in one reply: of the result, or of what stands for a refusal. Whatever comes after the first is dropped; a reply that is
 * called for a connection that is gone is the broker's affair.
 */
export class ReplyWaiter<Result, Answer> implements Waiter<Result> {
  readonly #build: (result: Result) => Answer
  readonly #refusal: (errorCode: ErrorCode) => Result
  #reply: ((answer: Answer) => void) | null

  constructor(
    build: (result: Result) => Answer,
    refusal: (errorCode: ErrorCode) => Result,
    reply: (answer: Answer) => void,
  ) {
    this.#build = build
    this.#refusal = refusal
    this.#reply = reply
  }

  answer(result: Result): void {
    const reply = this.#reply
    if (reply === null) return
    this.#reply = null
    reply(this.#build(result))
  }

  refuse(errorCode: ErrorCode): void {
    this.answer(this.#refusal(errorCode))
  }
}

/** Collects a fixed number of parts, in their order, and hands them over when the last is there. */
export class Gather<Part> {
  readonly #parts: Part[]
  readonly #complete: (parts: Part[]) => void
  #missing: number

  constructor(count: number, complete: (parts: Part[]) => void) {
    this.#parts = new Array<Part>(count)
    this.#complete = complete
    this.#missing = count
    if (count === 0) complete([])
  }

  put(index: number, part: Part): void {
    this.#parts[index] = part
    if (--this.#missing === 0) this.#complete(this.#parts)
  }
}

/** Only a commit can be told that it was too large; everybody else learns that something failed on our side. */
export function refusalWithoutSize(errorCode: ErrorCode): ErrorCode {
  return errorCode === ErrorCode.MESSAGE_TOO_LARGE ? ErrorCode.UNKNOWN_SERVER_ERROR : errorCode
}

/** The partition of an internal topic that a key belongs to: the absolute value of Java's String.hashCode, modulo. */
export function partitionOf(key: string, partitionCount: number): number {
  let hash = 0
  for (let index = 0; index < key.length; index++) hash = (Math.imul(hash, 31) + key.charCodeAt(index)) | 0
  // The smallest int has no positive twin; Kafka takes 0 for it.
  const positive = hash === -(2 ** 31) ? 0 : Math.abs(hash)
  return positive % partitionCount
}
