/** What a cluster says of itself: a controller, leaders for all partitions, its clock, its version. */
import { Cluster, type ClusterOptions } from '../../client/cluster.ts'
import type { Connection } from '../../client/connection.ts'
import { DescribeQuorumRequest, DescribeQuorumResponse } from '../../protocol/messages/55-describe-quorum.ts'
import { type Finding, fine, trouble, warning } from './finding.ts'
import { advertised, tryAddress } from './reachability.ts'

/** A doctor who waits for half a minute is no help. */
const CONNECT_TIMEOUT_MS = 5_000
/** Sessions and retention go by clocks; so far apart they are, with NTP, never. */
const SKEW_WARNING_MS = 1_000
const SKEW_PROBLEM_MS = 60_000
const NAMED_PARTITIONS = 5
/** The first version that tells times. */
const QUORUM_TIMES_SINCE = 1

export async function inspectCluster(given: ClusterOptions): Promise<Finding[]> {
  const options = { ...given, timeoutMs: Math.min(given.timeoutMs ?? CONNECT_TIMEOUT_MS, CONNECT_TIMEOUT_MS) }
  const findings = await Promise.all(options.bootstrap.map((address) => tryAddress(address, options)))
  const reached = options.bootstrap.filter((_, index) => findings[index]?.level === 'ok')
  if (reached.length === 0) return findings
  const cluster = await Cluster.connect({ ...options, bootstrap: reached })
  try {
    const { brokers, controllerId, topics } = await cluster.metadata(null)
    const perBroker = brokers.map(({ nodeId, host, port }) => advertised(nodeId, { host, port }, reached, options))
    findings.push(...(await Promise.all(perBroker)))
    if (!brokers.some(({ nodeId }) => nodeId === controllerId)) {
      findings.push(
        trouble('controller', 'the cluster has no controller now', 'Topics cannot be changed until one is elected.'),
      )
    }
    findings.push(...partitionFindings(topics))
    const connection = await cluster.any()
    findings.push(versionFinding(connection), await clockFinding(connection))
  } finally {
    await cluster.close()
  }
  return findings
}

interface TopicRow {
  readonly name: string | null
  readonly partitions: readonly {
    readonly partitionIndex: number
    readonly leaderId: number
    readonly replicaNodes: readonly number[]
    readonly isrNodes: readonly number[]
  }[]
}

export function partitionFindings(topics: readonly TopicRow[]): Finding[] {
  const rows = topics.flatMap(({ name, partitions }) =>
    partitions.map((partition) => ({ name: `${name}-${partition.partitionIndex}`, ...partition })),
  )
  const leaderless = rows.filter(({ leaderId }) => leaderId < 0)
  const behind = rows.filter((row) => row.leaderId >= 0 && row.isrNodes.length < row.replicaNodes.length)
  const findings: Finding[] = []
  if (leaderless.length > 0) {
    const advice =
      'A broker or a data folder of it is away: its log says which. Until then they are neither written nor read.'
    findings.push(trouble('partitions', `${leaderless.length} partitions have no leader: ${named(leaderless)}`, advice))
  }
  if (behind.length > 0) {
    const advice = 'Replicas that are away or slow: another failure may leave these partitions without a leader.'
    findings.push(warning('partitions', `${behind.length} partitions lack in-sync replicas: ${named(behind)}`, advice))
  }
  if (findings.length === 0)
    findings.push(fine('partitions', `all ${rows.length} partitions have leaders and replicas`))
  return findings
}

function named(rows: readonly { readonly name: string }[]): string {
  const shown = rows.slice(0, NAMED_PARTITIONS).map(({ name }) => name)
  return `${shown.join(', ')}${rows.length > shown.length ? ', ...' : ''}`
}

function versionFinding({ versions, features }: Connection): Finding {
  const level = features.get('metadata.version')
  const text =
    level === undefined ? 'tells no metadata.version (a broker before Kafka 3.3)' : `has metadata.version ${level}`
  return fine('version', `the cluster ${text} and serves ${versions.size} APIs`)
}

/** The leader of the metadata quorum tells its own time as that of its last fetch. */
async function clockFinding(connection: Connection): Promise<Finding> {
  const unknown = fine('clock', "the brokers' clock is not known: they do not tell")
  const range = connection.versions.get(DescribeQuorumRequest.key)
  if (range === undefined || range.max < QUORUM_TIMES_SINCE) return unknown
  const sentMs = Date.now()
  const answer = await connection
    .send(DescribeQuorumRequest, DescribeQuorumResponse, {
      topics: [{ topicName: '__cluster_metadata', partitions: [{ partitionIndex: 0 }] }],
    })
    // Not everybody may ask.
    .catch(() => null)
  const receivedMs = Date.now()
  const partition = answer?.topics[0]?.partitions[0]
  const leader = partition?.currentVoters.find(({ replicaId }) => replicaId === partition.leaderId)
  if (leader === undefined || leader.lastFetchTimestamp <= 0) return unknown
  return skewFinding(leader.lastFetchTimestamp, sentMs, receivedMs)
}

/** The broker looked at its clock at some time between the two. */
export function skewFinding(brokerMs: number, sentMs: number, receivedMs: number): Finding {
  const aheadMs = brokerMs > receivedMs ? brokerMs - receivedMs : Math.min(0, brokerMs - sentMs)
  const apartMs = Math.abs(aheadMs)
  if (apartMs < SKEW_WARNING_MS) return fine('clock', "the brokers' clock agrees with that of this machine")
  const what = `the brokers' clock is ${(apartMs / 1000).toFixed(1)} s ${aheadMs > 0 ? 'ahead of' : 'behind'} that of this machine`
  const advice =
    'Records carry the time of whoever wrote them: retention and look-ups by time go wrong. Run NTP on both.'
  return (apartMs >= SKEW_PROBLEM_MS ? trouble : warning)('clock', what, advice)
}
