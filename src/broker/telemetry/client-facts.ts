/** What the broker knows of a client by its connection: the patterns of client metrics subscriptions look at it. */
import type { ClientFacts } from '../../metadata/client-metrics.ts'
import type { RequestContext } from '../api.ts'

export function clientFacts({ connection, clientId }: RequestContext, clientInstanceId: string): ClientFacts {
  const { clientSoftware, peer } = connection
  const portAt = peer.lastIndexOf(':')
  return {
    client_instance_id: clientInstanceId,
    client_id: clientId ?? '',
    client_software_name: clientSoftware?.name ?? 'unknown',
    client_software_version: clientSoftware?.version ?? 'unknown',
    client_source_address: peer.slice(0, portAt),
    client_source_port: peer.slice(portAt + 1),
  }
}
