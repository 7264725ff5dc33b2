// Which log a partition has, and in which data folder it lies. Kept by the LogManager.

import { partitionFolderName } from './file-names.ts'
import type { Log } from './log.ts'
import type { ServedDirectory } from './served-directory.ts'

export interface PlacedLog {
  readonly log: Log
  readonly directory: ServedDirectory
}

export class PlacedLogs {
  readonly #logs = new Map<string, (PlacedLog | undefined)[]>()
  /** Why the partitions of these folder names have no log, though there is one. */
  readonly #failures = new Map<string, string>()

  get(topic: string, partition: number): PlacedLog | undefined {
    return this.#logs.get(topic)?.[partition]
  }

  ofTopic(topic: string): readonly (PlacedLog | undefined)[] {
    return this.#logs.get(topic) ?? []
  }

  *all(): IterableIterator<PlacedLog> {
    for (const logs of this.#logs.values()) {
      for (const placed of logs) if (placed !== undefined) yield placed
    }
  }

  put(log: Log, directory: ServedDirectory): void {
    const logs = this.#logs.get(log.topic) ?? []
    logs[log.partition] = { log, directory }
    this.#logs.set(log.topic, logs)
  }

  remove({ topic, partition }: Log): void {
    const logs = this.#logs.get(topic) ?? []
    delete logs[partition]
    if (logs.every((other) => other === undefined)) this.#logs.delete(topic)
  }

  failureOf(topic: string, partition: number): string | null {
    return this.#failures.get(partitionFolderName(topic, partition)) ?? null
  }

  noteFailure(topic: string, partition: number, reason: string): void {
    this.#failures.set(partitionFolderName(topic, partition), reason)
  }

  forgetFailure(topic: string, partition: number): void {
    this.#failures.delete(partitionFolderName(topic, partition))
  }
}
