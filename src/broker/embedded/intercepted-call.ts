/** A request whose answer goes to somebody else first. Everything but the answer is that of the call it stands for. */
import type { ApiCall, BrokerContext, Operation, ResourceType } from '../api.ts'
import type { Connection } from '../connection.ts'
import type { Row } from './error-answers.ts'

export class AnswerChanged implements ApiCall {
  readonly #call: ApiCall
  readonly #answer: (answer: Row | null) => void

  constructor(call: ApiCall, answer: (answer: Row | null) => void) {
    this.#call = call
    this.#answer = answer
  }

  get broker(): BrokerContext {
    return this.#call.broker
  }

  get connection(): Connection {
    return this.#call.connection
  }

  get clientId(): string | null {
    return this.#call.clientId
  }

  get clientHost(): string {
    return this.#call.clientHost
  }

  get apiVersion(): number {
    return this.#call.apiVersion
  }

  get correlationId(): number {
    return this.#call.correlationId
  }

  get principal(): string {
    return this.#call.principal
  }

  get nowMs(): number {
    return this.#call.nowMs
  }

  get busyMs(): number {
    return this.#call.busyMs
  }

  throttle(ms: number): void {
    this.#call.throttle(ms)
  }

  afterSent(release: () => void): void {
    this.#call.afterSent(release)
  }

  onAbandoned(stop: () => void): void {
    this.#call.onAbandoned(stop)
  }

  refuse(reason: string): void {
    this.#call.refuse(reason)
  }

  allowed(operation: Operation, resource: ResourceType, name: string): boolean {
    return this.#call.allowed(operation, resource, name)
  }

  reply(response: unknown): void {
    this.#answer(response as Row | null)
  }

  fail(error: unknown): void {
    this.#call.fail(error)
  }
}
