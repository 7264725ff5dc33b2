/** Who asks for the coordinator at the same time gets the same connection. */
import { expect, test } from 'bun:test'
import type { Cluster } from '../../../src/client/cluster.ts'
import type { Connection } from '../../../src/client/connection.ts'
import { CoordinatorLink } from '../../../src/client/consumer/coordinator-link.ts'
import { KafkaError } from '../../../src/client/errors.ts'

test('a connection that ended is replaced once, however many ask', async () => {
  const made: { closedBy: KafkaError | null }[] = []
  const ownCoordinator = async (): Promise<Connection> => {
    const connection = { closedBy: null }
    made.push(connection)
    return connection as unknown as Connection
  }
  const link = new CoordinatorLink({ ownCoordinator } as unknown as Cluster, 'g', { own: true })
  await link.connection()
  made[0]!.closedBy = new KafkaError('ERR_CONNECTION_CLOSED', 'gone')
  const [one, other] = await Promise.all([link.connection(), link.connection()])
  expect(one).toBe(other)
  expect(made).toHaveLength(2)
})
