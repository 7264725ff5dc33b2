// kcat behind the interface of the client programs: one kcat process per command.
import { Child, type CommandResult, runCommand } from './child-process.ts'
import type { DriverRecord, ProducedRecord } from './client-contract.ts'
import { GroupMember, type InteropClient } from './client-driver.ts'

/** Lengths first, then the bytes, so that any bytes can be told apart. */
const FORMAT = '%p %o %T %K %S\\n%h\\n%k%s\\n'
const KEY_DELIMITER = '<end of key>'
const RECORD_DELIMITER = '<end of record>'

function latin1(text: string | null): string {
  return text === null ? '' : Buffer.from(text, 'base64').toString('latin1')
}

function base64(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString('base64')
}

/** kcat prints headers as `name=value,name=value` with NULL for a null value. */
function parseHeaders(line: string): ProducedRecord['headers'] {
  if (line === '') return []
  return line.split(',').map((pair) => {
    const equals = pair.indexOf('=')
    const value = pair.slice(equals + 1)
    return [Buffer.from(pair.slice(0, equals), 'latin1').toString(), value === 'NULL' ? null : base64(value)]
  })
}

/** Takes whole records off the front of the output; answers them and what is left over. */
export function parseKcat(topic: string, output: string): { records: DriverRecord[]; rest: string } {
  const records: DriverRecord[] = []
  let position = 0
  for (;;) {
    const lineEnd = output.indexOf('\n', position)
    const headersEnd = output.indexOf('\n', lineEnd + 1)
    if (lineEnd < 0 || headersEnd < 0) break
    const fields = output.slice(position, lineEnd).split(' ').map(Number)
    const [partition, offset, timestamp, keyLength, valueLength] = fields as [number, number, number, number, number]
    const valueStart = headersEnd + 1 + Math.max(0, keyLength)
    const valueEnd = valueStart + Math.max(0, valueLength)
    if (output.length <= valueEnd) break
    records.push({
      topic,
      partition,
      offset,
      timestamp,
      key: keyLength < 0 ? null : base64(output.slice(headersEnd + 1, valueStart)),
      value: valueLength < 0 ? null : base64(output.slice(valueStart, valueEnd)),
      headers: parseHeaders(output.slice(lineEnd + 1, headersEnd)),
    })
    position = valueEnd + 1
  }
  return { records, rest: output.slice(position) }
}

export class KcatClient implements InteropClient {
  readonly #bootstrap: string

  constructor(bootstrap: string) {
    this.#bootstrap = bootstrap
  }

  async run(args: string[], stdin = ''): Promise<CommandResult> {
    const result = await runCommand(['kcat', '-b', this.#bootstrap, ...args], Buffer.from(stdin, 'latin1'))
    if (result.exitCode !== 0) throw new Error(`kcat ${args.join(' ')}: ${result.stderr}`)
    return result
  }

  create(): Promise<void> {
    return Promise.reject(new Error('kcat cannot create topics'))
  }

  /** One process per record: key, null and headers are options of the whole run. */
  async produce(topic: string, partition: number, codec: string, records: ProducedRecord[]): Promise<void> {
    for (const record of records) {
      const args = ['-P', '-t', topic, '-p', String(partition), '-z', codec, '-D', RECORD_DELIMITER]
      if (record.key !== null) args.push('-K', KEY_DELIMITER)
      if (record.value === null) args.push('-Z')
      for (const [name, value] of record.headers)
        args.push('-H', value === null ? name : `${name}=${Buffer.from(value, 'base64')}`)
      const key = record.key === null ? '' : latin1(record.key) + KEY_DELIMITER
      await this.run(args, key + latin1(record.value))
    }
  }

  async consume(partitions: [topic: string, partition: number, count: number][]): Promise<DriverRecord[]> {
    const read = partitions.map(async ([topic, partition, count]) => {
      const args = [
        '-C',
        '-t',
        topic,
        '-p',
        String(partition),
        '-o',
        'beginning',
        '-c',
        String(count),
        '-q',
        '-f',
        FORMAT,
      ]
      return parseKcat(topic, (await this.run(args)).stdout).records
    })
    return (await Promise.all(read)).flat()
  }

  /** kcat prints -1 for "end of the partition" too. */
  async offsetByTime(topic: string, partition: number, timestamp: number): Promise<number> {
    const { stdout } = await this.run(['-Q', '-t', `${topic}:${partition}:${timestamp}`])
    return Number(/offset (-?\d+)/.exec(stdout)?.[1])
  }

  /** A member's records must be ASCII: its output is read as text, line by line. */
  async join(group: string, topic: string): Promise<GroupMember> {
    const options = ['heartbeat.interval.ms=500', 'session.timeout.ms=10000', 'auto.commit.interval.ms=100']
    const settings = [...options, 'auto.offset.reset=earliest'].flatMap((each) => ['-X', each])
    const member: GroupMember = new GroupMember(async () => {
      await child.stop()
    })
    let unread = ''
    const child = new Child({
      command: ['kcat', '-b', this.#bootstrap, '-u', ...settings, '-f', FORMAT, '-G', group, topic],
      onLine: (line) => {
        const parsed = parseKcat(topic, `${unread}${line}\n`)
        unread = parsed.rest
        for (const record of parsed.records) member.take({ event: 'record', record })
      },
      onErrorLine: (line) => {
        if (!line.includes('rebalanced')) return
        const given = line.includes('assigned:')
          ? [...line.matchAll(/\[(\d+)\]/g)].map((match) => Number(match[1]))
          : []
        member.take({ event: 'assigned', partitions: given.sort((a, b) => a - b) })
      },
    })
    return member
  }

  async close(): Promise<void> {}
}
