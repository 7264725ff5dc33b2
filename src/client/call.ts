/**
 * What every call of a client's method has: it can be ended by the caller's signal, and its errors show where the caller stands.
 *
 * What must hold: once the signal has fired nothing more is sent for the call, and the listener is gone as soon as the call is over.
 */
import type { Cluster } from './cluster.ts'
import type { Connection } from './connection.ts'
import { abortedError, fromCallSite, KafkaError } from './errors.ts'

/** What every call takes. */
export interface CallOptions {
  /** Ends the wait with ERR_ABORTED, whose cause is the signal's reason. What was sent already may be executed all the same. */
  readonly signal?: AbortSignal | undefined
}

/** To be called in the public method itself, whose stack is `origin`. `what` names the call in the error of a signal. */
export function calling<T>(
  what: string,
  signal: AbortSignal | undefined,
  run: () => Promise<T>,
  origin = new Error(),
): Promise<T> {
  const running = async (): Promise<T> => {
    try {
      if (signal === undefined) return await run()
      if (signal.aborted) throw abortedError(what, signal)
      return await unlessAborted(run(), signal, what)
    } catch (error) {
      throw error instanceof KafkaError ? fromCallSite(error, origin) : error
    }
  }
  return running()
}

/** The promise's own outcome, or ERR_ABORTED if the signal fires before: what was begun goes on by itself, only nobody hears of it. */
export function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined, what: string): Promise<T> {
  if (signal === undefined) return promise
  return new Promise((resolve, reject) => {
    const aborted = (): void => reject(abortedError(what, signal))
    if (signal.aborted) aborted()
    signal.addEventListener('abort', aborted, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', aborted))
  })
}

/**
 * The cluster as a single call sees it: everything it sends and waits for ends with the signal. It keeps nothing of its own; connections and
 * what is known are the cluster's.
 */
export function whileWanted(cluster: Cluster, signal: AbortSignal): Cluster {
  const connected = async (opening: Promise<Connection>): Promise<Connection> => {
    const connection = await unlessAborted(opening, signal, 'connect')
    const send: Connection['send'] = (request, response, value, options) =>
      connection.send(request, response, value, { ...options, signal })
    return Object.create(connection, { send: { value: send } }) as Connection
  }
  const view: Partial<Cluster> = {
    any: () => connected(cluster.any()),
    broker: (nodeId) => connected(cluster.broker(nodeId)),
    controller: () => connected(cluster.controller()),
    coordinator: (kind, key) => connected(cluster.coordinator(kind, key, signal)),
    groupCoordinator: (groupId) => connected(cluster.coordinator('group', groupId, signal)),
    metadata: (topics, options) => cluster.metadata(topics, { ...options, signal }),
    topic: (name, options) => cluster.topic(name, { ...options, signal }),
    update: (names) => unlessAborted(cluster.update(names), signal, 'ask for metadata'),
  }
  // Reading goes through to the cluster; nothing that is called on the view writes.
  return Object.assign(Object.create(cluster) as Cluster, view)
}
