// The messages between the interop tests and the client programs: test/interop/clients/README.md describes them.

/** A record as the contract writes it: bytes are base64, null stays null. */
export interface ProducedRecord {
  key: string | null
  value: string | null
  headers: [name: string, value: string | null][]
  timestamp?: number
}

/** A record as a client read it. */
export interface DriverRecord extends ProducedRecord {
  topic: string
  partition: number
  offset: number
  timestamp: number
}

export type ClientCommand =
  | { command: 'create'; topic: string; partitions: number }
  | { command: 'produce'; topic: string; partition: number; codec: string; records: ProducedRecord[] }
  | { command: 'consume'; partitions: [topic: string, partition: number, count: number][] }
  | { command: 'offsetByTime'; topic: string; partition: number; timestamp: number }
  | { command: 'transact'; topic: string; transactionalId: string; group: string }
  | { command: 'join'; group: string; topic: string }
  | { command: 'leave' }

export type ClientReply = { id: number; result: unknown } | { id: number; error: string }

export type ClientEvent =
  | { event: 'assigned'; partitions: number[] }
  | { event: 'record'; record: DriverRecord }
  | { event: 'failed'; error: string }
