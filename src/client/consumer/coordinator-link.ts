/**
 * The way to a group's coordinator: found at the first use, kept while it serves, looked for again after it said that it is no longer the
 * one or its connection broke.
 */
import type { Infer, Input, MessageSchema } from '../../protocol/schema.ts'
import type { Cluster } from '../cluster.ts'
import type { Connection, SendOptions } from '../connection.ts'

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
    const known = this.connecting
    if (known !== null) {
      const connection = await known
      if (connection.closedBy === null) return connection
      // Somebody else may have begun to replace it while we waited.
      if (this.connecting !== known) return this.connection()
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

  async close(): Promise<void> {
    this.abort.abort()
    const connection = await this.connecting?.catch(() => null)
    this.connecting = null
    if (this.own) await connection?.close()
  }
}
