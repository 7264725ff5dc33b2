/** Order events: the shape that web shops send, a few hundred bytes to two kilobytes each. */
import type { RecordInput } from '../../../records/batch.ts'
import type { SeededRandom } from '../../../storage/random-seeded.ts'
import { between, hex, pick, SAMPLE_START_MS, skewed } from './draw.ts'

const STATUSES = ['created', 'created', 'created', 'paid', 'paid', 'packed', 'shipped', 'delivered', 'cancelled']
const COUNTRIES = ['DE', 'DE', 'AT', 'CH', 'FR', 'NL', 'PL', 'US', 'GB', 'DE']
const CITIES = ['Berlin', 'Hamburg', 'Wien', 'Zürich', 'Lyon', 'Utrecht', 'Kraków', 'Boston', 'Leeds', 'Leipzig']
const STREETS = ['Hauptstrasse', 'Bahnhofstrasse', 'Rue de la Gare', 'Station Road', 'Dorpsstraat', 'Lindenallee']
const FIRST_NAMES = ['Anna', 'Jonas', 'Marie', 'Piotr', 'Sofia', 'Liam', 'Noor', 'Emma', 'Lukas', 'Chloé', 'Mateusz']
const LAST_NAMES = ['Schmidt', 'Meyer', 'Kowalska', 'Dubois', 'de Vries', 'Brown', 'Huber', 'Weber', 'Novak', 'Jones']
const NOUNS = ['kettle', 'lamp', 'backpack', 'notebook', 'headphones', 'blanket', 'bicycle bell', 'teapot', 'tripod']
const COLOURS = ['black', 'white', 'green', 'navy blue', 'oak', 'brushed steel', 'red']
const METHODS = ['card', 'card', 'card', 'invoice', 'transfer', 'wallet']
const CHANNELS = ['web', 'web', 'ios', 'android', 'store']

const CUSTOMERS = 50_000
const ARTICLES = 4_000

export function* jsonRecords(random: SeededRandom): Generator<RecordInput> {
  let timestamp = SAMPLE_START_MS
  for (let order = 4_200_000; ; order++) {
    timestamp += random.below(12)
    const customer = skewed(random, CUSTOMERS)
    const items = Array.from({ length: 1 + skewed(random, 6) }, () => item(random))
    const total = items.reduce((sum, { quantity, unitPrice }) => sum + quantity * unitPrice, 0)
    const value = {
      eventId: uuid(random),
      type: `order.${pick(random, STATUSES)}`,
      version: 3,
      occurredAt: new Date(timestamp).toISOString(),
      order: {
        id: `O-${order}`,
        channel: pick(random, CHANNELS),
        currency: 'EUR',
        items,
        total: round2(total),
        tax: round2(total * 0.19),
        discount: random.next() < 0.1 ? { code: `SAVE${between(random, 5, 20)}`, percent: 10 } : null,
      },
      customer: customerOf(random, customer),
      payment: { method: pick(random, METHODS), transaction: hex(random, 24), captured: random.next() < 0.7 },
      trace: { requestId: hex(random, 16), source: `checkout-${random.below(8)}`, retries: 0 },
    }
    yield { timestamp, key: Buffer.from(`customer-${customer}`), value: Buffer.from(JSON.stringify(value)) }
  }
}

function item(random: SeededRandom) {
  const article = skewed(random, ARTICLES)
  // The same article always has the same name and price.
  const noun = NOUNS[article % NOUNS.length]!
  const colour = COLOURS[article % COLOURS.length]!
  return {
    sku: `SKU-${String(article).padStart(6, '0')}`,
    name: `${noun}, ${colour}`,
    quantity: 1 + skewed(random, 4),
    unitPrice: round2(4.95 + ((article * 37) % 20_000) / 100),
  }
}

function customerOf(random: SeededRandom, customer: number) {
  const first = FIRST_NAMES[customer % FIRST_NAMES.length]!
  const last = LAST_NAMES[customer % LAST_NAMES.length]!
  const place = customer % CITIES.length
  return {
    id: customer,
    name: `${first} ${last}`,
    email: `${first}.${last}${customer}@example.com`.toLowerCase().replaceAll(' ', ''),
    returning: random.next() < 0.6,
    address: {
      street: `${STREETS[customer % STREETS.length]} ${1 + (customer % 180)}`,
      city: CITIES[place],
      country: COUNTRIES[place],
      postcode: String(10_000 + ((customer * 7) % 89_999)),
    },
  }
}

function uuid(random: SeededRandom): string {
  const digits = hex(random, 32)
  return [
    digits.slice(0, 8),
    digits.slice(8, 12),
    `4${digits.slice(13, 16)}`,
    digits.slice(16, 20),
    digits.slice(20),
  ].join('-')
}

function round2(value: number): number {
  return Math.round(value * 100) / 100
}
