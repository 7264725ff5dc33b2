// The command loop shared by the JavaScript client programs: see ../README.md for the contract.
import { createInterface } from 'node:readline'
import type { ClientCommand, DriverRecord, ProducedRecord } from '../../../support/client-contract.ts'

/** A running group member. */
export interface Member {
  leave(): Promise<void>
}

/** What a client program provides. */
export interface Client {
  create(topic: string, partitions: number): Promise<void>
  produce(topic: string, partition: number, codec: string, records: ProducedRecord[]): Promise<void>
  consume(partitions: [topic: string, partition: number, count: number][]): Promise<DriverRecord[]>
  offsetByTime(topic: string, partition: number, timestamp: number): Promise<number>
  /** Not every library has transactions. */
  transact?(topic: string, transactionalId: string, group: string): Promise<void>
  join(group: string, topic: string): Promise<Member>
}

export function toBuffer(text: string | null): Buffer | null {
  return text === null ? null : Buffer.from(text, 'base64')
}

export function toText(data: Buffer | null | undefined): string | null {
  return data === null || data === undefined ? null : data.toString('base64')
}

export function emit(message: unknown): void {
  process.stdout.write(`${JSON.stringify(message)}\n`)
}

export function emitRecord(record: DriverRecord): void {
  emit({ event: 'record', record })
}

export function emitAssigned(partitions: number[]): void {
  emit({ event: 'assigned', partitions: [...partitions].sort((a, b) => a - b) })
}

export async function serve(client: Client): Promise<void> {
  let member: Member | undefined
  for await (const line of createInterface({ input: process.stdin })) {
    const command = JSON.parse(line) as ClientCommand & { id: number }
    try {
      let result: unknown = null
      if (command.command === 'join') member = await client.join(command.group, command.topic)
      else if (command.command === 'leave') await member?.leave()
      else result = await run(client, command)
      emit({ id: command.id, result })
    } catch (error) {
      emit({ id: command.id, error: String(error) })
    }
  }
  process.exit(0)
}

async function run(client: Client, command: ClientCommand): Promise<unknown> {
  switch (command.command) {
    case 'create':
      await client.create(command.topic, command.partitions)
      return null
    case 'produce':
      await client.produce(command.topic, command.partition, command.codec, command.records)
      return null
    case 'consume':
      return await client.consume(command.partitions)
    case 'offsetByTime':
      return await client.offsetByTime(command.topic, command.partition, command.timestamp)
    case 'transact':
      await client.transact?.(command.topic, command.transactionalId, command.group)
      return null
    default:
      throw new Error(`unknown command ${command.command}`)
  }
}
