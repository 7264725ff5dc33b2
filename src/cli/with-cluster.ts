import { Cluster, type ClusterOptions } from '../client/cluster.ts'
import { clusterOptions } from './profile/connection.ts'
import { type ConnectionOptions, type Settings, settingsFor } from './profile/settings.ts'

/** Runs with a connected cluster and closes it, however the run ends. */
export async function withCluster<T>(
  options: ConnectionOptions,
  run: (cluster: Cluster, settings: Settings) => Promise<T>,
): Promise<T> {
  return withSettings(await settingsFor(options), run)
}

export async function withSettings<T>(
  settings: Settings,
  run: (cluster: Cluster, settings: Settings) => Promise<T>,
  more: Pick<ClusterOptions, 'observer'> = {},
): Promise<T> {
  const cluster = await Cluster.connect({ ...clusterOptions(settings), ...more })
  try {
    return await run(cluster, settings)
  } finally {
    await cluster.close()
  }
}
