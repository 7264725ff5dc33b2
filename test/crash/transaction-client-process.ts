/**
 * Clients in processes of their own, killed with SIGKILL at random and followed by successors that know nothing but what the parent heard. What
 * they say goes into the ledgers of the parent, to the last line.
 */
import { join } from 'node:path'
import { Child } from '../support/child-process.ts'
import { REPOSITORY } from '../support/kafka-jars.ts'
import type { Random } from '../support/random.ts'
import type { AddressNews, ClientNews, ClientOrder } from './transaction-client-messages.ts'
import type { TransactionLedger } from './transaction-ledger.ts'
import type { Address } from './transaction-session.ts'

const PROGRAM = join(REPOSITORY, 'test/crash/transaction-client-main.ts')
/** A life begins with its first transaction, and goes on for so long at most. */
const LIFE_MS = 1500
const POLL_MS = 10

export type ClientPlan = Omit<ClientOrder, 'label' | 'seed' | 'committed'>

export interface Mortal {
  /** Highest position that was heard to be committed. */
  readonly committed: number
  readonly kills: number
}

/** Lives one life after the other until the test ends. Rejects if one of them finds a promise broken. */
export async function runMortalClient(
  address: Address,
  ledger: TransactionLedger,
  plan: ClientPlan,
  random: Random,
): Promise<Mortal> {
  const known = { committed: 0, kills: 0 }
  for (let life = 0; !address.ended; life++) {
    const { committed } = known
    const order: ClientOrder = { ...plan, label: `${plan.name}.${life}`, seed: random.below(2 ** 31), committed }
    const hear = (news: ClientNews): void => {
      if ('committed' in news) known.committed = Math.max(known.committed, news.committed)
      else ledger.hear(news)
    }
    if (await live(address, order, hear, random.below(LIFE_MS))) known.kills++
  }
  return known
}

/** One life: until it is killed, which is then true, or the test ends. */
async function live(
  address: Address,
  order: ClientOrder,
  hear: (news: ClientNews) => void,
  lifeMs: number,
): Promise<boolean> {
  let bornAt = Number.POSITIVE_INFINITY
  const child = new Child({
    command: [join(REPOSITORY, 'node_modules/.bin/bun'), PROGRAM, JSON.stringify(order)],
    stdin: 'pipe',
    onLine: (line) => {
      bornAt = Math.min(bornAt, performance.now())
      hear(JSON.parse(line))
    },
  })
  let hasExited = false
  child.exited.then(() => {
    hasExited = true
  })
  let isKilled = false
  let told = ''
  while (!hasExited && !isKilled) {
    const news = JSON.stringify({ port: address.port, ended: address.ended } satisfies AddressNews)
    if (news !== told) child.write(`${news}\n`)
    told = news
    isKilled = !address.ended && performance.now() >= bornAt + lifeMs
    if (isKilled) child.kill('SIGKILL')
    else await Bun.sleep(POLL_MS)
  }
  const code = await child.exited
  if (code !== 0 && !isKilled) throw new Error(`${order.label}: ${child.stderr}`)
  return isKilled
}
