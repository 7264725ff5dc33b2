/**
 * Transactional clients of both protocols at random, some in processes of their own, while these and the broker are killed with SIGKILL again and again. A ledger of what was
 * promised is held against what can be read at the end. SAMSA_TXN_MINUTES makes a run long, SAMSA_TXN_SEED repeats its choices.
 */
import { afterAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Random } from '../support/random.ts'
import { type SamsaProcess, startSamsaWith } from '../support/samsa-process.ts'
import { createTopic } from './crash-clients.ts'
import { runMortalClient } from './transaction-client-process.ts'
import { runCopier, runProducer, runReader } from './transaction-clients.ts'
import { TransactionLedger } from './transaction-ledger.ts'
import {
  type Address,
  connect,
  endOffset,
  type ReadRecord,
  readCommitted,
  stableOffset,
  TransactionSession,
} from './transaction-session.ts'

const MINUTES = Number(process.env.SAMSA_TXN_MINUTES ?? 0)
const RUN_MS = MINUTES > 0 ? MINUTES * 60_000 : 4_000
const SEED = Number(process.env.SAMSA_TXN_SEED ?? Date.now() % 1_000_000)
/** One run is checked whole at its end; a long test is a row of them, each with a broker of its own. */
const ROUND_MS = Math.min(RUN_MS, 60_000)

const TOPIC = 'written'
const TARGET = 'copied'
const PARTITIONS = 3
const SETTINGS = {
  'transaction.abort.timed.out.transaction.cleanup.interval.ms': '200',
  'transaction.state.log.num.partitions': '5',
  'offsets.topic.num.partitions': '5',
}
const SETTLE_MS = 90_000
const LIVES_MIN = 3
const PRODUCER_NAMES = ['producer-0', 'producer-1', 'producer-2', 'producer-3']
/** In processes of their own, killed again and again. */
const MORTAL_PRODUCERS = ['mortal-0', 'mortal-1']
const COPIER_NAMES = Array.from({ length: PARTITIONS }, (_, index) => `copier-${index}`)

const folder = mkdtempSync(join(tmpdir(), 'samsa-transactions-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const names = (topic: string) =>
  Array.from({ length: PARTITIONS }, (_, index) => ({ topic, index, name: `${topic}-${index}` }))
/** The copier of this partition is a mortal one. */
const MORTAL_COPIER = PARTITIONS - 1
const ALL = [...names(TOPIC), ...names(TARGET)]

/** The whole of a partition as read_committed shows it, once no transaction is open there. */
async function readWhole(address: Address, topic: string, partition: number): Promise<ReadRecord[]> {
  const connection = await connect(address)
  try {
    const deadline = performance.now() + SETTLE_MS
    let end = -1
    for (;;) {
      end = await endOffset(connection, topic, partition, 0)
      if ((await endOffset(connection, topic, partition, 1)) === end) break
      if (performance.now() > deadline) throw new Error(`${topic}-${partition}: a transaction never ends`)
      await Bun.sleep(50)
    }
    const whole: ReadRecord[] = []
    for (let position = 0; position < end; ) {
      const { records, nextOffset } = await readCommitted(connection, topic, partition, position)
      whole.push(...records)
      position = nextOffset
    }
    return whole
  } finally {
    await connection.close()
  }
}

/** New sessions of all clients: what they left open is aborted. */
async function takeOver(address: Address): Promise<void> {
  const connection = await connect(address)
  for (const name of [...PRODUCER_NAMES, ...MORTAL_PRODUCERS, ...COPIER_NAMES]) {
    await TransactionSession.open(connection, name, { isNew: true, timeoutMs: 1000 })
  }
  await connection.close()
}

async function killAtRandom(
  random: Random,
  address: Address,
  first: SamsaProcess,
  start: () => Promise<SamsaProcess>,
  /** How far the clients have got; negative: they have failed. */
  progress: () => number,
): Promise<SamsaProcess> {
  let broker = first
  const deadline = performance.now() + ROUND_MS
  for (let lives = 0; lives < LIVES_MIN || performance.now() < deadline; lives++) {
    const before = progress()
    await Bun.sleep(300 + random.below(700))
    // A life in which nobody gets anything done shows nothing, however slow the machine is.
    while (progress() >= 0 && progress() <= before) await Bun.sleep(20)
    if (progress() < 0) break
    broker.child.kill('SIGKILL')
    await broker.child.exited
    broker = await start()
    address.port = broker.port
  }
  await Bun.sleep(300)
  return broker
}

interface Counts {
  readonly committed: number
  readonly aborted: number
  readonly unknown: number
  readonly copied: number
  readonly clientKills: number
}

/** All clients, until the test ends. Those of `PRODUCER_NAMES` and the first copiers live in this process. */
function startClients(address: Address, ledger: TransactionLedger, copies: TransactionLedger, random: Random) {
  const common = { topic: TOPIC, partitions: PARTITIONS, target: TARGET }
  const client = (name: string, isNew: boolean) => {
    return { ...common, name, label: name, isNew, random: new Random(random.below(2 ** 31)) }
  }
  const mortal = (kind: 'producer' | 'copier', name: string, isNew: boolean, partition: number) => {
    const plan = { ...common, kind, name, isNew, partition }
    const into = kind === 'producer' ? ledger : copies
    return runMortalClient(address, into, plan, new Random(random.below(2 ** 31)))
  }
  const producers = PRODUCER_NAMES.map((name, index) => runProducer(address, ledger, client(name, index % 2 === 0)))
  const mortals = MORTAL_PRODUCERS.map((name, index) => mortal('producer', name, index % 2 === 0, 0))
  const copiers = COPIER_NAMES.map((name, partition) => {
    const isNew = partition % 2 === 0
    if (partition === MORTAL_COPIER) return mortal('copier', name, isNew, partition)
    return runCopier(address, copies, { ...client(name, isNew), partition })
  })
  const readers = ALL.map(({ topic, index }) => runReader(address, topic, index))
  return Promise.all([
    Promise.all(producers),
    Promise.all(mortals),
    Promise.all(copiers),
    Promise.all(readers),
  ] as const)
}

async function run(seed: number): Promise<Counts> {
  const random = new Random(seed)
  const dataDirectory = join(folder, String(seed))
  // A killed process loses nothing either way, but acknowledgements come at other moments.
  const durability = seed % 2 === 0 ? 'os' : 'fsync'
  const start = () => startSamsaWith({ dataDirectory, settings: SETTINGS, arguments: ['--durability', durability] })
  let broker = await start()
  const address: Address = { port: broker.port, ended: false }
  const setup = await connect(address)
  await createTopic(setup, TOPIC, PARTITIONS, { 'segment.bytes': '1048576' })
  await createTopic(setup, TARGET, PARTITIONS)
  await setup.close()

  const ledger = new TransactionLedger()
  const copies = new TransactionLedger()
  const working = startClients(address, ledger, copies, random)
  let broken = false
  working.catch(() => {
    broken = true
  })
  const done = () => Math.min(ledger.count('committed'), ledger.count('aborted'), copies.count('committed'))
  const progress = () => (broken ? -1 : done())
  broker = await killAtRandom(random, address, broker, start, progress)
  address.ended = true
  const [, mortals, copied, seen] = await working
  await takeOver(address)

  let copiedRecords = 0
  try {
    const whole = new Map<string, ReadRecord[]>()
    for (const { topic, index, name } of ALL) whole.set(name, await readWhole(address, topic, index))
    checkLedgers(ledger, copies, whole)
    for (const [index, { name }] of ALL.entries()) {
      // What was read while it happened is what there is now.
      expect(whole.get(name)!.slice(0, seen[index]!.length)).toEqual(seen[index]!)
    }
    await checkPositions(address, copied, whole)
    for (const { name } of names(TARGET)) copiedRecords += whole.get(name)!.length
  } finally {
    expect(await broker.child.stop()).toBe(0)
    rmSync(dataDirectory, { recursive: true, force: true })
  }
  return {
    committed: ledger.count('committed'),
    aborted: ledger.count('aborted'),
    unknown: ledger.count('unknown'),
    copied: copiedRecords,
    clientKills: [...mortals, ...copied].reduce((sum, client) => sum + ('kills' in client ? client.kills : 0), 0),
  }
}

function checkLedgers(
  ledger: TransactionLedger,
  copies: TransactionLedger,
  whole: ReadonlyMap<string, readonly ReadRecord[]>,
): void {
  const partitionsOf = (topic: string) => new Map(names(topic).map(({ name }) => [name, whole.get(name)!]))
  expect(ledger.check(partitionsOf(TOPIC))).toEqual([])
  expect(copies.check(partitionsOf(TARGET)).filter((problem) => !isRepeatedAttempt(problem))).toEqual([])
}

/** A copier writes the same values again after an abort, so that its aborted attempts look readable by their values. */
function isRepeatedAttempt(problem: string): boolean {
  return problem.includes('was aborted') || problem.includes('was never ended')
}

/** Each partition was copied exactly once and in order, as far as the committed position says. */
async function checkPositions(
  address: Address,
  copied: readonly { readonly committed: number }[],
  whole: ReadonlyMap<string, readonly ReadRecord[]>,
): Promise<void> {
  const connection = await connect(address)
  for (const { index, name } of names(TOPIC)) {
    const position = await stableOffset(connection, COPIER_NAMES[index]!, TOPIC, index)
    expect(position).toBeGreaterThanOrEqual(copied[index]!.committed)
    const source = whole.get(name)!.filter(({ offset }) => offset < position)
    expect(whole.get(`${TARGET}-${index}`)!.map(({ value }) => value)).toEqual(source.map(({ value }) => value))
  }
  await connection.close()
}

test(
  `nothing aborted is read, nothing is lost, torn or repeated, no position goes back (seed ${SEED})`,
  async () => {
    const deadline = performance.now() + RUN_MS
    for (let seed = SEED; seed === SEED || performance.now() < deadline; seed++) {
      const counts = await run(seed)
      if (MINUTES > 0) console.log(`seed ${seed}: ${JSON.stringify(counts)}`)
      expect(counts.committed).toBeGreaterThan(0)
      expect(counts.aborted).toBeGreaterThan(0)
      expect(counts.copied).toBeGreaterThan(0)
    }
  },
  RUN_MS + 120_000,
)

test('the ledger sees what is lost, torn, repeated, aborted and foreign', () => {
  const ledger = new TransactionLedger()
  const committed = ledger.begin('a')
  committed.next('p-0', 2)
  committed.next('p-1', 1)
  committed.outcome = 'committed'
  const aborted = ledger.begin('b')
  aborted.next('p-0', 1)
  aborted.outcome = 'aborted'
  const torn = ledger.begin('c')
  torn.next('p-0', 1)
  torn.next('p-1', 1)
  torn.outcome = 'unknown'
  const check = (first: string[], second: string[]) =>
    ledger.check(
      new Map([
        ['p-0', first.map((value, offset) => ({ offset, key: null, value }))],
        ['p-1', second.map((value, offset) => ({ offset, key: null, value }))],
      ]),
    )
  expect(check(['a:0', 'a:1'], ['a:2'])).toEqual([])
  expect(check(['a:0', 'a:1', 'c:0'], ['a:2', 'c:1'])).toEqual([])
  for (const [first, second] of [
    [['a:0'], ['a:2']],
    [['a:0', 'a:1', 'a:1'], ['a:2']],
    [['a:1', 'a:0'], ['a:2']],
    [['a:0', 'a:1', 'b:0'], ['a:2']],
    [['a:0', 'a:1', 'c:0'], ['a:2']],
    [['a:0', 'a:1', 'x:0'], ['a:2']],
  ] as const) {
    expect(check([...first], [...second])).not.toEqual([])
  }
})
