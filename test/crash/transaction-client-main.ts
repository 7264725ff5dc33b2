/**
 * A transactional client in a process of its own, which can be killed at any time: `bun transaction-client-main.ts ORDER`. What it is about to
 * do it says before it does it, in one write that a SIGKILL does not take back.
 */
import { writeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { Random } from '../support/random.ts'
import type { AddressNews, ClientNews, ClientOrder } from './transaction-client-messages.ts'
import { type Copied, runCopier, runProducer } from './transaction-clients.ts'
import { TransactionLedger } from './transaction-ledger.ts'
import type { Address } from './transaction-session.ts'

const STDOUT = 1

function tell(news: ClientNews): void {
  writeSync(STDOUT, `${JSON.stringify(news)}\n`)
}

/** What the parent has heard of is what a successor goes by. */
class ToldCopied implements Copied {
  transactions = 0
  #committed: number

  constructor(committed: number) {
    this.#committed = committed
  }

  get committed(): number {
    return this.#committed
  }

  set committed(position: number) {
    this.#committed = position
    tell({ committed: position })
  }
}

const order: ClientOrder = JSON.parse(process.argv[2]!)
const address: Address = { port: 0, ended: false }
const { promise: isAddressed, resolve: addressed } = Promise.withResolvers<void>()
const input = createInterface({ input: process.stdin })
input.on('line', (line) => {
  Object.assign(address, JSON.parse(line) satisfies AddressNews)
  addressed()
})
await isAddressed
const ledger = new TransactionLedger(tell)
const setup = { ...order, random: new Random(order.seed) }
if (order.kind === 'producer') await runProducer(address, ledger, setup)
else await runCopier(address, ledger, setup, new ToldCopied(order.committed))
input.close()
process.exit(0)
