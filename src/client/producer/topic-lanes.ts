/** The lanes of one topic, as many as it has partitions, and the choice between them. */
import type { Cluster } from '../cluster.ts'
import type { KafkaError } from '../errors.ts'
import { AdmissionQueue, type WaitingBudget, type WaitingRecord } from './admission.ts'
import { Lane, leaderIdOf } from './lane.ts'
import type { ResolvedOptions } from './options.ts'
import { PartitionChooser, type PartitionsView } from './partitioners.ts'

export class TopicLanes implements PartitionsView {
  readonly name: string
  /** Records that came before the partitions were known. */
  readonly waiting: AdmissionQueue
  readonly chooser: PartitionChooser
  /** Whether somebody asks for the partitions at this moment. */
  isAsking = false
  private readonly cluster: Cluster
  /** Also of partitions that are no more: what is in them finds its end there. */
  private readonly lanes: Lane[] = []
  private known = 0
  private generation = -1
  private readonly lingerMs: number

  constructor(
    name: string,
    cluster: Cluster,
    options: ResolvedOptions,
    budget: WaitingBudget,
    gaveUp: (waiting: WaitingRecord, error: KafkaError) => void,
  ) {
    this.name = name
    this.cluster = cluster
    this.lingerMs = options.lingerMs
    this.chooser = new PartitionChooser(name, options.partitioner, options.batchBytes)
    this.waiting = new AdmissionQueue(budget, {
      waitMs: options.maxBlockMs,
      why: `topic '${name}' has no known partitions`,
      code: 'ERR_TIMEOUT',
      gaveUp,
    })
  }

  /** 0 while the partitions are not known. */
  get count(): number {
    return this.known
  }

  /** Follows what the cluster knows: topics get more partitions, are deleted, and come again with fewer. */
  refresh(): void {
    const { generation } = this.cluster
    if (generation === this.generation) return
    this.generation = generation
    this.known = this.cluster.knownTopic(this.name)?.partitions.length ?? 0
    while (this.lanes.length < this.known) this.lanes.push(new Lane(this.name, this.lanes.length, this.lingerMs))
  }

  lane(partition: number): Lane | undefined {
    return partition < this.known ? this.lanes[partition] : undefined
  }

  queued(partition: number): number {
    const lane = this.lanes[partition]
    return lane === undefined ? 0 : lane.waitingBatches + lane.inFlight.length
  }

  isAvailable(partition: number): boolean {
    return leaderIdOf(this.cluster.partition(this.name, partition)) >= 0
  }
}
