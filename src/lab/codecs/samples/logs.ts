/** Log lines: mostly web access in the combined format, some application lines, now and then a stack trace. */
import type { RecordInput } from '../../../records/batch.ts'
import type { SeededRandom } from '../../../storage/random-seeded.ts'
import { between, hex, pick, SAMPLE_START_MS, skewed } from './draw.ts'

const HOSTS = 24
const CLIENTS = 20_000
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const METHODS = ['GET', 'GET', 'GET', 'GET', 'GET', 'POST', 'PUT', 'HEAD']
const STATUSES = [200, 200, 200, 200, 200, 200, 304, 302, 404, 500]
const PATHS = [
  '/',
  '/login',
  '/api/v2/orders',
  '/api/v2/customers',
  '/static/js/app',
  '/static/css/site',
  '/search',
  '/cart',
]
const AGENTS = [
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36',
  'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15',
  'Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0',
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148',
  'kube-probe/1.31',
  'curl/8.9.1',
]
const REFERRERS = [
  '-',
  '-',
  'https://shop.example.com/',
  'https://shop.example.com/search?q=kettle',
  'https://www.example.org/',
]
const LOGGERS = ['checkout.PaymentService', 'checkout.CartService', 'search.IndexReader', 'auth.TokenStore', 'db.Pool']
const MESSAGES = [
  'request handled',
  'cache miss, loading from database',
  'connection acquired from pool',
  'payment authorised by provider',
  'token refreshed',
  'slow query',
]
const FRAMES = ['handle', 'authorise', 'execute', 'retry', 'acquire', 'send', 'run']

export function* logRecords(random: SeededRandom): Generator<RecordInput> {
  let timestamp = SAMPLE_START_MS
  for (;;) {
    timestamp += random.below(6)
    const host = `web-${String(skewed(random, HOSTS)).padStart(2, '0')}`
    const kind = random.next()
    const line = kind < 0.7 ? access(random, timestamp) : application(random, timestamp, host, kind > 0.995)
    yield { timestamp, key: Buffer.from(host), value: Buffer.from(line) }
  }
}

function access(random: SeededRandom, timestamp: number): string {
  const client = skewed(random, CLIENTS)
  const address = `10.${client % 7}.${(client >> 3) % 256}.${(client * 31) % 256}`
  const at = new Date(timestamp)
  const [day, month] = [String(at.getUTCDate()).padStart(2, '0'), MONTHS[at.getUTCMonth()]]
  const when = `${day}/${month}/${at.getUTCFullYear()}:${at.toISOString().slice(11, 19)} +0000`
  const path = PATHS[skewed(random, PATHS.length)]!
  const suffix = path.startsWith('/api') ? `/${skewed(random, 90_000)}` : path.startsWith('/static') ? '.3f9c1.min' : ''
  const request = `${pick(random, METHODS)} ${path}${suffix} HTTP/1.1`
  const bytes = between(random, 180, 28_000)
  const seconds = (0.001 + skewed(random, 900) / 1000).toFixed(3)
  return `${address} - - [${when}] "${request}" ${pick(random, STATUSES)} ${bytes} "${pick(random, REFERRERS)}" "${pick(random, AGENTS)}" ${seconds}`
}

function application(random: SeededRandom, timestamp: number, host: string, failed: boolean): string {
  const level = failed ? 'ERROR' : random.next() < 0.1 ? 'WARN ' : 'INFO '
  const logger = pick(random, LOGGERS)
  const head = `${new Date(timestamp).toISOString()} ${level} ${host} [worker-${random.below(16)}] ${logger} trace=${hex(random, 16)}`
  if (!failed)
    return `${head} ${pick(random, MESSAGES)} durationMs=${skewed(random, 1500)} userId=${skewed(random, CLIENTS)}`
  const frames = Array.from({ length: between(random, 6, 18) }, () => {
    return `\n\tat com.example.${pick(random, LOGGERS)}.${pick(random, FRAMES)}(${pick(random, FRAMES)}.java:${between(random, 20, 480)})`
  })
  return `${head} upstream timed out after 3000 ms${frames.join('')}`
}
