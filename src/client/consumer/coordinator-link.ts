/**
 * The way to a group's coordinator: found at the first use, kept while it serves, looked for again after it said that it is no longer the
 * one or its connection broke.
 */
import type { Infer, Input, MessageSchema } from '../../protocol/schema.ts'
import type { Cluster } from '../cluster.ts'
import type { Connection, SendOptions } from '../connection.ts'
import { KafkaError } from '../errors.ts'

export class CoordinatorLink {
  private readonly cluster: Cluster
  private readonly groupId: string
  /** On a connection of its own, which is closed with the link, or on the one that all share. */
  private readonly own: boolean
  private connecting: Promise<Connection> | null = null
  private readonly abort = new AbortController()

  constructor(cluster: Cluster, groupId: string, options: { own: boolean }) {
    this.cluster = cluster
    this.groupId = groupId
    this.own = options.own
  }

  async connection(): Promise<Connection> {
    if (this.connecting !== null) {
      const connection = await this.connecting
      if (connection.closedBy === null) return connection
    }
    const { signal } = this.abort
    const connecting = this.own
      ? this.cluster.ownCoordinator('group', this.groupId, signal)
      : this.cluster.coordinator('group', this.groupId, signal)
    this.connecting = connecting
    try {
      return await connecting
    } catch (error) {
      if (this.connecting === connecting) this.connecting = null
      throw error
    }
  }

  async send<Request extends MessageSchema, Response extends MessageSchema>(
    request: Request,
    response: Response,
    value: Input<Request>,
    options: SendOptions = {},
  ): Promise<Infer<Response>> {
    const connection = await this.connection()
    return connection.send(request, response, value, options)
  }

  /** It is another broker's group now, as far as is known. */
  forget(): void {
    const { connecting } = this
    this.connecting = null
    if (this.own) void connecting?.then((connection) => connection.close()).catch(() => undefined)
  }

  /** The same after a request that failed. A connection on which nothing comes any more would only be silent again. */
  failed(error: unknown): void {
    if (error instanceof KafkaError && error.code === 'ERR_TIMEOUT') {
      const silent = (connection: Connection): void => {
        if (connection.inFlight > 0) connection.destroy(error)
      }
      this.connecting?.then(silent, () => undefined)
    }
    this.forget()
  }

  async close(): Promise<void> {
    this.abort.abort()
    const connection = await this.connecting?.catch(() => null)
    this.connecting = null
    if (this.own) await connection?.close()
  }
}
