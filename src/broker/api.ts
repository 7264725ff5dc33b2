/**
 * What an API handler is: `defineApi` declares one per file in `api/NN-name.ts`, `api/index.ts` lists them, and the
 * dispatcher is the only caller. Version check, decoding, authorization, throttling and encoding happen there, once;
 * a handler translates a decoded request into calls of the domain and their results into a response value.
 *
 * What must hold: a handler reads no clock and no socket (both come with the context), sets error codes in the response
 * instead of throwing, and does not keep the request after it replied. What it throws closes the connection.
 */
import type { GroupCoordinator } from '../coordinator/runtime.ts'
import type { ShareCoordinator } from '../coordinator/share-state/coordinator.ts'
import type { TransactionCoordinator } from '../coordinator/txn/coordinator.ts'
import type { MarkerWriter } from '../coordinator/txn/markers.ts'
import type { LogManager } from '../log/log-manager.ts'
import type { BrokerConfig } from '../metadata/broker-config.ts'
import type { ClientQuotas } from '../metadata/client-quotas.ts'
import type { Configs } from '../metadata/configs.ts'
import type { Features } from '../metadata/features.ts'
import type { MetadataImage } from '../metadata/image.ts'
import type { ProducerIds } from '../metadata/producer-ids.ts'
import type { ScramCredentials } from '../metadata/scram-credentials.ts'
import type { Topics } from '../metadata/topics.ts'
import type { Infer, Input, MessageSchema } from '../protocol/schema.ts'
import type { Clock } from '../storage/clock.ts'
import type { Disk } from '../storage/disk.ts'
import type { Logger } from '../storage/logger.ts'
import type { Timers } from '../storage/timers.ts'
import type { Connection } from './connection.ts'
import type { FetchSessions } from './fetch-sessions.ts'
import type { FetchWaits } from './fetch-wait.ts'
import type { Partitions } from './partitions.ts'
import type { Quotas } from './quotas.ts'
import type { ShareSettings } from './share/settings.ts'
import type { SharedPartitions } from './share/shared-partitions.ts'
import type { StreamsTopics } from './streams-topics.ts'
import type { ClientTelemetry } from './telemetry/client-telemetry.ts'
import type { TransactionVerifier } from './transaction-verifier.ts'

/** Everything a handler may reach. One per broker, built by `server.ts`. */
export interface BrokerContext {
  readonly nodeId: number
  /** What is served, by key. */
  readonly apis: readonly Api[]
  readonly clusterId: string
  /** Settings as they are now; dynamic ones change. */
  readonly config: BrokerConfig
  readonly image: MetadataImage
  readonly topics: Topics
  readonly configs: Configs
  readonly partitions: Partitions
  readonly logs: LogManager
  readonly groups: GroupCoordinator
  readonly shareCoordinator: ShareCoordinator
  readonly sharedPartitions: SharedPartitions
  readonly shareSettings: ShareSettings
  readonly transactions: TransactionCoordinator
  readonly transactionVerifier: TransactionVerifier
  readonly markers: MarkerWriter
  readonly producerIds: ProducerIds
  readonly features: Features
  readonly clientQuotas: ClientQuotas
  readonly scram: ScramCredentials
  readonly quotas: Quotas
  readonly telemetry: ClientTelemetry
  readonly streamsTopics: StreamsTopics
  readonly fetchSessions: FetchSessions
  readonly fetchWaits: FetchWaits
  readonly disk: Disk
  readonly clock: Clock
  readonly timers: Timers
  readonly logger: Logger
  /** Where clients of this connection should come back to: the configured address, or the one they dialled. */
  advertised(connection: Connection): { host: string; port: number }
}

/** Kafka's resource types and operations, as the authorizer asks them. */
export type ResourceType = 'TOPIC' | 'GROUP' | 'CLUSTER' | 'TRANSACTIONAL_ID' | 'DELEGATION_TOKEN' | 'USER'
export type Operation =
  | 'READ'
  | 'WRITE'
  | 'CREATE'
  | 'DELETE'
  | 'ALTER'
  | 'DESCRIBE'
  | 'CLUSTER_ACTION'
  | 'DESCRIBE_CONFIGS'
  | 'ALTER_CONFIGS'
  | 'IDEMPOTENT_WRITE'

/** One request being served. */
export interface RequestContext {
  readonly broker: BrokerContext
  readonly connection: Connection
  readonly clientId: string | null
  /** `/127.0.0.1`, as Kafka writes it into group members. */
  readonly clientHost: string
  readonly apiVersion: number
  readonly correlationId: number
  /** `User:ANONYMOUS` as long as nobody has authenticated. */
  readonly principal: string
  /** Wall clock at the time the request began to execute. */
  readonly nowMs: number
  /** Time spent on it so far, in milliseconds; 0 unless a quota asks for it. */
  readonly busyMs: number
  /** The answer tells the client to hold back, and its connection is not read for so long. The longest counts. */
  throttle(ms: number): void
  /** Buffers that the answer points into: given back once it has left, or when the connection is gone. */
  afterSent(release: () => void): void
  /** Called if the connection closes before the answer is there: whatever waits for this request can stop. */
  onAbandoned(stop: () => void): void
  /** Instead of an answer: closes the connection once the earlier answers have left. Logged with this reason. */
  refuse(reason: string): void
  /** Whether the principal may do this to the resource. The name of the cluster is `kafka-cluster`. */
  allowed(operation: Operation, resource: ResourceType, name: string): boolean
}

/** Hands over the answer, exactly once, now or later; null means that this request gets none (Produce with acks=0). */
export type Reply<Response extends MessageSchema> = (response: Input<Response> | null) => void

interface ApiBase<Request extends MessageSchema, Response extends MessageSchema> {
  readonly key: number
  readonly name: string
  readonly request: Request
  readonly response: Response
  /** The versions this broker advertises; within those of the schema. */
  readonly versions: readonly [min: number, max: number]
  /** Versions below this are advertised but not served: the connection is closed. Only Produce has some. */
  readonly servedFrom?: number
  /** What an operator or a client author should know; printed in docs/compatibility.md. One sentence each. */
  readonly notes?: readonly string[]
  /** A whole request that is refused: its answer. Null lets it pass. Refusals of single rows belong to the handler. */
  authorize?(context: RequestContext, request: Infer<Request>): Input<Response> | null
}

/** A handler either returns its answer (or a promise of it), or takes `reply` and calls it when the answer is there. */
export type ApiDefinition<Request extends MessageSchema, Response extends MessageSchema> =
  | (ApiBase<Request, Response> & {
      handle(context: RequestContext, request: Infer<Request>): Input<Response> | Promise<Input<Response>>
    })
  | (ApiBase<Request, Response> & {
      handleLater(context: RequestContext, request: Infer<Request>, reply: Reply<Response>): void
    })

/** A request as the dispatcher hands it to `Api.run`; it ends by exactly one of the two. */
export interface ApiCall extends RequestContext {
  reply(response: unknown): void
  fail(error: unknown): void
}

/** A definition with its types erased: what the registry holds and the dispatcher runs. */
export interface Api {
  readonly key: number
  readonly name: string
  readonly request: MessageSchema
  readonly response: MessageSchema
  readonly minVersion: number
  readonly maxVersion: number
  readonly servedFrom: number
  readonly notes: readonly string[]
  /** Ends the call, now or later, or throws. */
  run(call: ApiCall, request: unknown): void
}

export function defineApi<Request extends MessageSchema, Response extends MessageSchema>(
  definition: ApiDefinition<Request, Response>,
): Api {
  const { key, name, request, response, versions, notes } = definition
  return {
    key,
    name,
    request,
    response,
    minVersion: versions[0],
    maxVersion: versions[1],
    servedFrom: definition.servedFrom ?? versions[0],
    notes: notes ?? [],
    run(call, decoded) {
      // The dispatcher decoded with `definition.request`, so the value has its type; this is the one place that says so.
      const typed = decoded as Infer<Request>
      const refusal = definition.authorize?.(call, typed) ?? null
      if (refusal !== null) {
        call.reply(refusal)
      } else if ('handleLater' in definition) {
        definition.handleLater(call, typed, (response) => call.reply(response))
      } else {
        const answer = definition.handle(call, typed)
        if (answer instanceof Promise)
          answer.then(
            (response) => call.reply(response),
            (error) => call.fail(error),
          )
        else call.reply(answer)
      }
    },
  }
}
