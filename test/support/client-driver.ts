// One running client program and what the matrix tests ask of every client. kcat, which is no such program, has its own adapter
// (kcat.ts) behind the same interface.
import { join } from 'node:path'
import { Child } from './child-process.ts'
import type { ClientCommand, ClientEvent, ClientReply, DriverRecord, ProducedRecord } from './client-contract.ts'
import { CLIENTS, GO_CLIENTS, javaCommand, PYTHON, type Requirement } from './tools.ts'

/** A member of a consumer group: what it holds and what it has seen so far. */
export class GroupMember {
  readonly records: DriverRecord[] = []
  /** The newest assignment; null before the first. */
  partitions: number[] | null = null
  failure: string | null = null
  readonly #leave: () => Promise<void>
  #changed: (() => void)[] = []

  constructor(leave: () => Promise<void>) {
    this.#leave = leave
  }

  take(event: ClientEvent): void {
    if (event.event === 'record') this.records.push(event.record)
    else if (event.event === 'assigned') this.partitions = event.partitions
    else this.failure = event.error
    const waiting = this.#changed
    this.#changed = []
    for (const wake of waiting) wake()
  }

  /** Waits until the condition holds for this member; `others` are members whose events count too. */
  async until(
    what: string,
    holds: () => boolean,
    others: readonly GroupMember[] = [],
    timeoutMs = 30_000,
  ): Promise<void> {
    const all = [this, ...others]
    const deadline = performance.now() + timeoutMs
    while (!holds()) {
      const failed = all.find((member) => member.failure !== null)
      if (failed) throw new Error(`a member failed: ${failed.failure}`)
      const leftMs = deadline - performance.now()
      if (leftMs <= 0) {
        const seen = all.map((member) => `partitions ${member.partitions}, ${member.records.length} records`).join('; ')
        throw new Error(`not within ${timeoutMs} ms: ${what} (${seen})`)
      }
      await this.#change(all, leftMs)
    }
  }

  #change(members: readonly GroupMember[], timeoutMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, timeoutMs)
    for (const member of members) member.#changed.push(resolve)
    return promise.finally(() => clearTimeout(timer))
  }

  leave(): Promise<void> {
    return this.#leave()
  }
}

export interface InteropClient {
  create(topic: string, partitions: number): Promise<void>
  produce(topic: string, partition: number, codec: string, records: ProducedRecord[]): Promise<void>
  consume(partitions: [topic: string, partition: number, count: number][]): Promise<DriverRecord[]>
  offsetByTime(topic: string, partition: number, timestamp: number): Promise<number>
  join(group: string, topic: string): Promise<GroupMember>
  close(): Promise<void>
}

/** A client program of test/interop/clients, spoken to over its standard streams. */
export class ProgramClient implements InteropClient {
  readonly #child: Child
  readonly #waiting = new Map<number, { resolve: (result: unknown) => void; reject: (error: Error) => void }>()
  #nextId = 1
  #member: GroupMember | null = null

  constructor(command: string[]) {
    this.#child = new Child({ command, stdin: 'pipe', onLine: (line) => this.#onLine(line) })
    this.#child.exited.then((code) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`ended with ${code}\n${this.#child.stderr}`))
      this.#waiting.clear()
    })
  }

  async create(topic: string, partitions: number): Promise<void> {
    await this.#ask({ command: 'create', topic, partitions })
  }

  async produce(topic: string, partition: number, codec: string, records: ProducedRecord[]): Promise<void> {
    await this.#ask({ command: 'produce', topic, partition, codec, records })
  }

  async consume(partitions: [topic: string, partition: number, count: number][]): Promise<DriverRecord[]> {
    return (await this.#ask({ command: 'consume', partitions })) as DriverRecord[]
  }

  async offsetByTime(topic: string, partition: number, timestamp: number): Promise<number> {
    return (await this.#ask({ command: 'offsetByTime', topic, partition, timestamp })) as number
  }

  /** Commits "kept 1", aborts "dropped", commits "kept 2" with the group's position 3. Only some clients can. */
  async transact(topic: string, transactionalId: string, group: string): Promise<void> {
    await this.#ask({ command: 'transact', topic, transactionalId, group })
  }

  async join(group: string, topic: string): Promise<GroupMember> {
    const member = new GroupMember(async () => {
      await this.#ask({ command: 'leave' })
      this.#member = null
    })
    this.#member = member
    await this.#ask({ command: 'join', group, topic })
    return member
  }

  async close(): Promise<void> {
    this.#child.closeStdin()
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 5_000)
    await this.#child.exited
    clearTimeout(timer)
  }

  #ask(command: ClientCommand): Promise<unknown> {
    const id = this.#nextId++
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    this.#waiting.set(id, { resolve, reject })
    this.#child.write(`${JSON.stringify({ id, ...command })}\n`)
    return promise
  }

  #onLine(line: string): void {
    const message = JSON.parse(line) as ClientReply | ClientEvent
    if ('event' in message) {
      this.#member?.take(message)
      return
    }
    const waiting = this.#waiting.get(message.id)
    this.#waiting.delete(message.id)
    if ('error' in message) waiting?.reject(new Error(message.error))
    else waiting?.resolve(message.result)
  }
}

const python = (file: string) => (bootstrap: string) => [PYTHON, join(CLIENTS, 'python', file), bootstrap]
const go = (name: string) => (bootstrap: string) => [join(GO_CLIENTS, name), bootstrap]
const javascript = (file: string) => (bootstrap: string) => [process.execPath, join(CLIENTS, 'node', file), bootstrap]

export interface ClientProgram {
  name: string
  needs: readonly Requirement[]
  command: (bootstrap: string) => string[]
}

export const CLIENT_PROGRAMS: readonly ClientProgram[] = [
  { name: 'java', needs: ['java'], command: (bootstrap) => javaCommand('JavaClient', bootstrap) },
  { name: 'confluent-kafka', needs: ['python'], command: python('confluent_client.py') },
  { name: 'kafka-python', needs: ['python'], command: python('kafka_python_client.py') },
  { name: 'aiokafka', needs: ['python'], command: python('aiokafka_client.py') },
  { name: 'franz-go', needs: ['go'], command: go('franz') },
  { name: 'sarama', needs: ['go'], command: go('sarama') },
  { name: 'kafkajs', needs: [], command: javascript('kafkajs-client.ts') },
  { name: 'platformatic', needs: [], command: javascript('platformatic-client.ts') },
]
