import { Cluster } from '../client/cluster.ts'
import type { BootstrapOptions } from './options.ts'

/** Runs with a connected cluster and closes it, however the run ends. */
export async function withCluster<T>(options: BootstrapOptions, run: (cluster: Cluster) => Promise<T>): Promise<T> {
  const { bootstrap, timeout: timeoutMs } = options
  const cluster = await Cluster.connect({ bootstrap, clientId: 'samsa-cli', timeoutMs })
  try {
    return await run(cluster)
  } finally {
    await cluster.close()
  }
}
