/** Which path is answered by what. Anything that a path or a method does not name is refused here. */
import type { BrokerContext } from '../broker/api.ts'
import { getRecords, getSegment, listPartitions, listSegments } from './partition-routes.ts'
import { HttpError, type HttpRequest, type Reply, textReply } from './reply.ts'

type Handler = (broker: BrokerContext, path: readonly string[], request: HttpRequest) => Reply | Promise<Reply>

interface Route {
  readonly path: RegExp
  readonly handle: Handler
}

const TOPIC = '^/v1/topics/([^/]+)/partitions'
const ROUTES: readonly Route[] = [
  { path: new RegExp(`${TOPIC}$`), handle: (broker, [topic]) => listPartitions(broker, nameIn(topic)) },
  {
    path: new RegExp(`${TOPIC}/(\\d{1,10})/segments$`),
    handle: (broker, [topic, partition]) => listSegments(broker, nameIn(topic), Number(partition)),
  },
  {
    path: new RegExp(`${TOPIC}/(\\d{1,10})/segments/(\\d{1,20})\\.log$`),
    handle: (broker, [topic, partition, base], request) =>
      getSegment(broker, nameIn(topic), Number(partition), Number(base), request),
  },
  {
    path: new RegExp(`${TOPIC}/(\\d{1,10})/records$`),
    handle: (broker, [topic, partition], request) => getRecords(broker, nameIn(topic), Number(partition), request),
  },
]

/** `broker` is null before it has started and once it stops. Throws HttpError. */
export async function answer(broker: BrokerContext | null, request: HttpRequest): Promise<Reply> {
  const { pathname } = request.url
  const isHealth = pathname === '/healthz'
  const route = ROUTES.find(({ path }) => path.test(pathname))
  if (!isHealth && route === undefined) {
    throw new HttpError(
      404,
      'unknown_path',
      `there is nothing at ${pathname}; data is under /v1/topics/TOPIC/partitions`,
    )
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    const message = `${request.method} is not allowed here, only GET and HEAD`
    throw new HttpError(405, 'method_not_allowed', message, { headers: { allow: 'GET, HEAD' } })
  }
  if (isHealth) return broker === null ? textReply('not ready', 503) : textReply('ready')
  if (broker === null) {
    throw new HttpError(503, 'not_ready', 'the broker is starting or stopping', { headers: { 'retry-after': '1' } })
  }
  return route!.handle(broker, (route!.path.exec(pathname) ?? []).slice(1), request)
}

function nameIn(text = ''): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new HttpError(400, 'bad_path', `'${text}' is not a valid part of a path`)
  }
}
