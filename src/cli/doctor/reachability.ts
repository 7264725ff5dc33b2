/**
 * Whether brokers can be reached: at the addresses that were given, and then at those that the brokers themselves tell their clients, which is
 * where most first attempts with Kafka end.
 */
import { formatHostPort, type HostPort } from '../../client/address.ts'
import { Cluster } from '../../client/cluster.ts'
import { Connection } from '../../client/connection.ts'
import type { BootstrapOptions } from '../options.ts'
import type { Finding } from './machine.ts'

const CONNECT_TIMEOUT_MS = 5_000
const LOOPBACK = /^(localhost|127\.|\[?::1)/

export async function inspectCluster(options: BootstrapOptions): Promise<Finding[]> {
  const timeoutMs = Math.min(options.timeout, CONNECT_TIMEOUT_MS)
  const findings: Finding[] = []
  const reached: HostPort[] = []
  for (const address of options.bootstrap) {
    const finding = await tryAddress(address, timeoutMs)
    if (finding.level === 'ok') reached.push(address)
    findings.push(finding)
  }
  if (reached.length === 0) return findings
  const cluster = await Cluster.connect({ bootstrap: reached, clientId: 'samsa-cli', timeoutMs })
  try {
    const { brokers, controllerId } = await cluster.metadata([])
    for (const { nodeId, host, port } of brokers)
      findings.push(await advertised(nodeId, { host, port }, reached, timeoutMs))
    const isThere = brokers.some(({ nodeId }) => nodeId === controllerId)
    if (!isThere) {
      findings.push({
        check: 'controller',
        level: 'problem',
        what: 'the cluster has no controller now',
        advice: 'Topics cannot be changed until one is elected.',
      })
    }
  } finally {
    await cluster.close()
  }
  return findings
}

async function tryAddress(address: HostPort, timeoutMs: number): Promise<Finding> {
  const text = formatHostPort(address)
  const startMs = performance.now()
  try {
    const connection = await Connection.connect({ ...address, clientId: 'samsa-cli', timeoutMs })
    const { size } = connection.versions
    await connection.close()
    const tookMs = (performance.now() - startMs).toFixed(1)
    return {
      check: 'reachable',
      level: 'ok',
      what: `${text} answers after ${tookMs} ms and serves ${size} APIs`,
      advice: null,
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    return {
      check: 'reachable',
      level: 'problem',
      what: `${text} cannot be used: ${reason}`,
      advice:
        'Is a broker running there, does its --listen name an address that this machine reaches, is a firewall between?',
    }
  }
}

async function advertised(
  nodeId: number,
  address: HostPort,
  dialled: readonly HostPort[],
  timeoutMs: number,
): Promise<Finding> {
  const text = formatHostPort(address)
  if (dialled.some(({ host, port }) => host === address.host && port === address.port)) {
    return { check: 'advertised', level: 'ok', what: `broker ${nodeId} sends its clients to ${text}`, advice: null }
  }
  const tried = await tryAddress(address, timeoutMs)
  if (tried.level === 'ok') {
    return {
      check: 'advertised',
      level: 'ok',
      what: `broker ${nodeId} sends its clients to ${text}, which answers`,
      advice: null,
    }
  }
  const isLoopback = LOOPBACK.test(address.host)
  return {
    check: 'advertised',
    level: 'problem',
    what: `broker ${nodeId} sends its clients to ${text}, which cannot be reached from here`,
    advice: isLoopback
      ? 'It advertises a loopback address: clients elsewhere cannot follow. Set its --advertise (advertised.listeners) to what they can reach.'
      : 'Set its --advertise (advertised.listeners) to an address that clients reach, or make this name resolve here.',
  }
}
