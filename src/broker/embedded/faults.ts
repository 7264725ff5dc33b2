/**
 * Faults that a test puts into a broker: answers that come late, connections that break, errors instead of answers, and a broker that does not
 * answer at all. They stand between the dispatcher and the handlers: requests are read, ordered and counted as ever, and a request without
 * a fault is served as ever.
 *
 * What must hold: a request meets the first fault that fits, and no other; what a fault refuses has no effect in the broker, and what breaks
 * the connection afterwards has all of it.
 */
import { apiName } from '../../protocol/api-keys.ts'
import { ErrorCode } from '../../protocol/errors.ts'
import type { FetchRequest } from '../../protocol/messages/01-fetch.ts'
import type { Api, ApiCall, BrokerContext } from '../api.ts'
import { codeOf, errorAnswer, type Row } from './error-answers.ts'
import { AnswerChanged } from './intercepted-call.ts'
import { type Condition, divide, joinAnswers } from './request-scope.ts'

/** Which requests, and what happens to them. All conditions given must fit. */
export interface Fault {
  /** The API's name, as in `Produce` or `ConsumerGroupHeartbeat`; any if left out. */
  readonly api?: string
  /** Only the part of a request that is about this topic; the rest of the request is served. */
  readonly topic?: string
  /** Of the topic. */
  readonly partition?: number
  /** Only requests of this group. */
  readonly group?: string
  /** Only requests of this transactional id. */
  readonly transactionalId?: string
  /** Only requests of this client id. */
  readonly clientId?: string
  /** How many requests it meets before it is gone; no end if left out. */
  readonly times?: number
  /** Requests that fit and are let through before it begins. */
  readonly after?: number

  /** Begin so many milliseconds later; later requests of the connection wait, too. */
  readonly delayMs?: number
  /** Kafka's name of an error, or its code: the answer instead of any effect. */
  readonly error?: keyof typeof ErrorCode | number
  /** Break the connection: before anything happens, or after everything has, so that only the answer is lost. */
  readonly drop?: 'request' | 'answer'
  /**
   * Everything happens, but only so many bytes of the answer leave, the four of its length included; then the connection ends. Long record
   * batches in files are sent whole, or not at all.
   */
  readonly cutAtByte?: number
}

/** A fault in place. */
export interface InjectedFault {
  /** Requests that met it so far. */
  readonly hits: number
  /** Requests do not meet it any more; again: nothing. */
  remove(): void
}

const PRODUCE_KEY = 0
const FETCH_KEY = 1
const UNANSWERED = 'its Produce with acks=0 met a fault'
/** Errors of a fetch session are about the whole request. */
const FETCH_SESSION_ERRORS: ReadonlySet<number> = new Set([
  ErrorCode.FETCH_SESSION_ID_NOT_FOUND,
  ErrorCode.INVALID_FETCH_SESSION_EPOCH,
  ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR,
])

class ActiveFault implements InjectedFault {
  readonly fault: Fault
  readonly errorCode: ErrorCode | null
  hits = 0
  #toPass: number
  readonly #removed: (fault: ActiveFault) => void

  constructor(fault: Fault, removed: (fault: ActiveFault) => void) {
    this.fault = fault
    this.errorCode = fault.error === undefined ? null : codeOf(fault.error)
    this.#toPass = fault.after ?? 0
    this.#removed = removed
  }

  remove(): void {
    this.#removed(this)
  }

  /** The request fits; false if it is one of those that pass. */
  meet(): boolean {
    if (this.#toPass > 0) {
      this.#toPass--
      return false
    }
    this.hits++
    if (this.fault.times !== undefined && this.hits >= this.fault.times) this.remove()
    return true
  }
}

export class Faults {
  #faults: ActiveFault[] = []
  /** Requests that came while the broker was paused, in their order. */
  #held: (() => void)[] = []
  #isPaused = false
  #delayed = 0

  get isPaused(): boolean {
    return this.#isPaused
  }

  /** Throws a RangeError for an API or error that does not exist, and for a fault that does nothing. */
  inject(fault: Fault): InjectedFault {
    checkFault(fault)
    const active = new ActiveFault(fault, (gone) => {
      this.#faults = this.#faults.filter((other) => other !== gone)
    })
    this.#faults = [...this.#faults, active]
    return active
  }

  /** Connections stay and requests are taken, but nothing is answered before `resume`. */
  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    this.#isPaused = false
    const held = this.#held
    this.#held = []
    for (const run of held) run()
  }

  clear(): void {
    this.#faults = []
    this.resume()
  }

  /** The same API, met by faults on the way to its handler. */
  around(api: Api): Api {
    return { ...api, run: (call, request) => this.#run(api, call, request as Row) }
  }

  #run(api: Api, call: ApiCall, request: Row): void {
    if (this.#isPaused) this.#held.push(() => this.#meet(api, call, request))
    else this.#meet(api, call, request)
  }

  #meet(api: Api, call: ApiCall, request: Row): void {
    for (const active of this.#faults) {
      if (!fits(active.fault, api, call, request) || !active.meet()) continue
      this.#meetActive(active, api, call, request)
      return
    }
    guarded(call, () => api.run(call, request))
  }

  #meetActive(active: ActiveFault, api: Api, call: ApiCall, request: Row): void {
    const run = (): void => guarded(call, () => this.#apply(active, api, call, request))
    const { delayMs } = active.fault
    if (delayMs === undefined) run()
    else call.broker.timers.schedule(`fault/${this.#delayed++}`, call.broker.clock.now() + delayMs, run)
  }

  #apply({ fault, errorCode }: ActiveFault, api: Api, call: ApiCall, request: Row): void {
    if (fault.drop === 'request') call.connection.terminate(null)
    else if (errorCode !== null) refuse(fault, errorCode, api, call, request)
    else if (fault.drop === 'answer') api.run(new AnswerChanged(call, () => call.connection.terminate(null)), request)
    else if (fault.cutAtByte !== undefined) cutAnswer(fault.cutAtByte, api, call, request)
    else api.run(call, request)
  }
}

function cutAnswer(bytes: number, api: Api, call: ApiCall, request: Row): void {
  const answerWith = (answer: Row | null): void => {
    if (answer === null) call.connection.terminate(null)
    else {
      call.connection.cutAnswer(call.correlationId, bytes)
      call.reply(answer)
    }
  }
  api.run(new AnswerChanged(call, answerWith), request)
}

/** As the dispatcher does: what a handler throws ends its request. */
function guarded(call: ApiCall, run: () => void): void {
  try {
    run()
  } catch (error) {
    call.fail(error)
  }
}

function checkFault(fault: Fault): void {
  const { delayMs, error, drop, cutAtByte, times, after } = fault
  if ([delayMs, error, drop, cutAtByte].every((each) => each === undefined)) {
    throw new RangeError('a fault needs delayMs, error, drop or cutAtByte')
  }
  if ([error, drop, cutAtByte].filter((each) => each !== undefined).length > 1) {
    throw new RangeError('a fault has one of error, drop and cutAtByte')
  }
  checkCount('times', times, 1)
  checkCount('after', after, 0)
  checkCount('cutAtByte', cutAtByte, 0)
  if (delayMs !== undefined && !(delayMs >= 0 && Number.isFinite(delayMs))) {
    throw new RangeError(`delayMs is ${delayMs}; it must be a number of at least 0`)
  }
  if (drop !== undefined && drop !== 'request' && drop !== 'answer') throw new RangeError(`there is no drop '${drop}'`)
  if (fault.partition !== undefined && fault.topic === undefined) throw new RangeError('a partition needs its topic')
  if (fault.api !== undefined && !API_NAMES.has(fault.api)) throw new RangeError(`Kafka has no API ${fault.api}`)
}

function checkCount(name: string, value: number | undefined, least: number): void {
  if (value === undefined || (Number.isInteger(value) && value >= least)) return
  throw new RangeError(`${name} is ${value}; it must be a whole number of at least ${least}`)
}

const API_NAMES = new Set(
  Array.from({ length: 128 }, (_, key) => apiName(key)).filter((name) => !name.startsWith('Unknown')),
)

function fits(fault: Fault, api: Api, call: ApiCall, request: Row): boolean {
  if (fault.api !== undefined && fault.api !== api.name) return false
  if (fault.clientId !== undefined && fault.clientId !== call.clientId) return false
  if (fault.group !== undefined && !namesGroup(request, fault.group)) return false
  if (fault.transactionalId !== undefined && request.transactionalId !== fault.transactionalId) return false
  if (fault.topic === undefined) return true
  if (api.key === FETCH_KEY) return fetched(call, request).some((row) => selects(fault, call, row))
  return divide(request, conditionOf(fault, call.broker)).selected !== null
}

function namesGroup(request: Row, group: string): boolean {
  if (request.groupId === group) return true
  const lists = [request.groups, request.groupIds, request.groupsNames, request.coordinatorKeys]
  return lists.some((list) => Array.isArray(list) && list.some((row) => row === group || row?.groupId === group))
}

function conditionOf(fault: Fault, { image }: BrokerContext): Condition {
  const { topic, partition } = fault
  return {
    selects: (name, index) => name === topic && (partition === undefined || index === null || index === partition),
    topicName: (id) => image.topicById(id)?.name,
  }
}

/** The error where the fault says, and what else the request asks for as ever. */
function refuse(fault: Fault, errorCode: ErrorCode, api: Api, call: ApiCall, request: Row): void {
  if (api.key === FETCH_KEY) {
    refuseFetch(fault, errorCode, call, request)
    return
  }
  if (fault.topic === undefined) {
    if (expectsNoAnswer(api, request)) call.refuse(UNANSWERED)
    else call.reply(errorAnswer(api.response, request, call.apiVersion, errorCode))
    return
  }
  const { selected, rest } = divide(request, conditionOf(fault, call.broker))
  const refused = errorAnswer(api.response, selected!, call.apiVersion, errorCode, ErrorCode.NONE)
  const answerWith = (served: Row | null): void => {
    if (expectsNoAnswer(api, request)) call.refuse(UNANSWERED)
    else call.reply(served === null ? refused : joinAnswers(served, refused))
  }
  if (rest === null) answerWith(null)
  else api.run(new AnswerChanged(call, answerWith), rest)
}

/** A Produce with acks=0: an answer would be taken for that of the next request, so an error closes the connection. */
function expectsNoAnswer(api: Api, request: Row): boolean {
  return api.key === PRODUCE_KEY && request.acks === 0
}

interface FetchedPartition {
  readonly topic: string
  readonly topicId: string
  readonly index: number
}

/** What a Fetch reads, also where its session remembers it. */
function fetched(call: ApiCall, request: Row): readonly FetchedPartition[] {
  return call.broker.fetchSessions.partitionsOf(request as unknown as FetchRequest)
}

function selects(fault: Fault, call: ApiCall, { topic, topicId, index }: FetchedPartition): boolean {
  const name = topic === '' ? call.broker.image.topicById(topicId)?.name : topic
  return (
    fault.topic === undefined || (name === fault.topic && (fault.partition === undefined || index === fault.partition))
  )
}

/** A session goes on: the answer has rows for what is refused, and says nothing new of the rest. */
function refuseFetch(fault: Fault, errorCode: ErrorCode, call: ApiCall, request: Row): void {
  const empty = { throttleTimeMs: 0, sessionId: 0, responses: [] }
  if (FETCH_SESSION_ERRORS.has(errorCode)) {
    call.reply({ ...empty, errorCode })
    return
  }
  const usesTopicIds = call.apiVersion >= 13
  const asked = request as unknown as FetchRequest
  const opened = call.broker.fetchSessions.open(asked, usesTopicIds, false, call.broker.clock.monotonic())
  if (opened.turn === null) {
    call.reply({ ...empty, errorCode: opened.errorCode })
    return
  }
  const refused = [...opened.turn.partitions].filter((row) => selects(fault, call, row))
  const responses = refused.map((row) => {
    opened.turn.isNews(row, { ...NO_NEWS, errorCode })
    const partition = {
      partitionIndex: row.index,
      errorCode,
      highWatermark: -1,
      abortedTransactions: null,
      records: [],
    }
    return { topic: row.topic, topicId: row.topicId, partitions: [partition] }
  })
  call.reply({ ...empty, errorCode: ErrorCode.NONE, sessionId: opened.turn.sessionId, responses })
}

const NO_NEWS = {
  highWatermark: -1,
  logStartOffset: -1,
  hasRecords: false,
  hasDivergingEpoch: false,
  preferredReadReplica: -1,
}
