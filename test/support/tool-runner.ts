// Kafka's own command-line tools, run unmodified in one JVM that lasts for a test file (see ToolRunner.java).
import { Child, runCommand } from './child-process.ts'
import { javaCommand } from './tools.ts'

export interface ToolResult {
  exitCode: number
  stdout: string
  stderr: string
}

/** The main classes behind the scripts that people know. */
const TOOLS = {
  'kafka-topics': 'org.apache.kafka.tools.TopicCommand',
  'kafka-console-producer': 'org.apache.kafka.tools.ConsoleProducer',
  'kafka-console-consumer': 'org.apache.kafka.tools.consumer.ConsoleConsumer',
  'kafka-console-share-consumer': 'org.apache.kafka.tools.consumer.ConsoleShareConsumer',
  'kafka-consumer-groups': 'org.apache.kafka.tools.consumer.group.ConsumerGroupCommand',
  'kafka-share-groups': 'org.apache.kafka.tools.consumer.group.ShareGroupCommand',
  'kafka-streams-groups': 'org.apache.kafka.tools.streams.StreamsGroupCommand',
  'kafka-groups': 'org.apache.kafka.tools.GroupsCommand',
  'kafka-configs': 'kafka.admin.ConfigCommand',
  'kafka-get-offsets': 'org.apache.kafka.tools.GetOffsetShell',
  'kafka-delete-records': 'org.apache.kafka.tools.DeleteRecordsCommand',
  'kafka-log-dirs': 'org.apache.kafka.tools.LogDirsCommand',
  'kafka-leader-election': 'org.apache.kafka.tools.LeaderElectionCommand',
  'kafka-reassign-partitions': 'org.apache.kafka.tools.reassign.ReassignPartitionsCommand',
  'kafka-features': 'org.apache.kafka.tools.FeatureCommand',
  'kafka-broker-api-versions': 'org.apache.kafka.tools.BrokerApiVersionsCommand',
  'kafka-metadata-quorum': 'org.apache.kafka.tools.MetadataQuorumCommand',
  'kafka-client-metrics': 'org.apache.kafka.tools.ClientMetricsCommand',
  'kafka-acls': 'org.apache.kafka.tools.AclCommand',
  'kafka-delegation-tokens': 'org.apache.kafka.tools.DelegationTokenCommand',
  'kafka-cluster': 'org.apache.kafka.tools.ClusterTool',
  'kafka-producer-perf-test': 'org.apache.kafka.tools.ProducerPerformance',
  'kafka-consumer-perf-test': 'org.apache.kafka.tools.ConsumerPerformance',
  'kafka-share-consumer-perf-test': 'org.apache.kafka.tools.ShareConsumerPerformance',
  'kafka-e2e-latency': 'org.apache.kafka.tools.EndToEndLatency',
  'kafka-transactions': 'org.apache.kafka.tools.TransactionsCommand',
  'kafka-verifiable-producer': 'org.apache.kafka.tools.VerifiableProducer',
  'kafka-verifiable-consumer': 'org.apache.kafka.tools.VerifiableConsumer',
  'kafka-verifiable-share-consumer': 'org.apache.kafka.tools.VerifiableShareConsumer',
  'kafka-replica-verification': 'org.apache.kafka.tools.ReplicaVerificationTool',
  'kafka-dump-log': 'org.apache.kafka.tools.DumpLogSegments',
  'kafka-streams-application-reset': 'org.apache.kafka.tools.StreamsResetter',
  // It has no script of its own: Kafka's system tests run it.
  'transactional-message-copier': 'org.apache.kafka.tools.TransactionalMessageCopier',
  'kafka-jmx': 'org.apache.kafka.tools.JmxTool',
  'connect-plugin-path': 'org.apache.kafka.tools.ConnectPluginPath',
} as const

export type ToolName = keyof typeof TOOLS

export function isTool(name: string): name is ToolName {
  return name in TOOLS
}

export interface RunningTool {
  ended: Promise<ToolResult>
  /** As a termination signal would: runs the tool's shutdown hooks. */
  stop(): void
}

export class ToolRunner {
  readonly #child: Child
  readonly #waiting = new Map<number, PromiseWithResolvers<ToolResult>>()
  #nextId = 1

  constructor() {
    this.#child = new Child({
      command: javaCommand('ToolRunner'),
      stdin: 'pipe',
      onLine: (line) => {
        const reply = JSON.parse(line) as ToolResult & { id: number }
        this.#waiting.get(reply.id)?.resolve(reply)
        this.#waiting.delete(reply.id)
      },
    })
    this.#child.exited.then((code) => {
      for (const { reject } of this.#waiting.values())
        reject(new Error(`the JVM ended with ${code}: ${this.#child.stderr}`))
    })
  }

  start(tool: ToolName, args: string[], input = ''): RunningTool {
    const id = this.#nextId++
    const ended = Promise.withResolvers<ToolResult>()
    this.#waiting.set(id, ended)
    this.#child.write(`${JSON.stringify({ id, main: TOOLS[tool], args, input })}\n`)
    return { ended: ended.promise, stop: () => this.#child.write(`${JSON.stringify({ id, stop: true })}\n`) }
  }

  /** The verifiable tools end through hooks of the JVM itself, so each gets a JVM of its own. */
  run(tool: ToolName, args: string[], input = ''): Promise<ToolResult> {
    if (tool.startsWith('kafka-verifiable-')) return runCommand(javaCommand(TOOLS[tool], ...args))
    return this.start(tool, args, input).ended
  }

  /** The tool's standard output; fails unless it ends with 0. */
  async output(tool: ToolName, args: string[], input = ''): Promise<string> {
    const result = await this.run(tool, args, input)
    if (result.exitCode !== 0) {
      throw new Error(`${tool} ${args.join(' ')} ended with ${result.exitCode}\n${result.stdout}\n${result.stderr}`)
    }
    return result.stdout
  }

  async close(): Promise<void> {
    this.#child.closeStdin()
    await this.#child.exited
  }
}
