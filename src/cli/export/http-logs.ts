/** What `samsa export` asks a broker's HTTP port. Every failure becomes an ExportFailure that says whether trying again may help. */
import { formatHostPort, type HostPort } from '../../client/address.ts'
import type { ErrorListing, SegmentsListing, TopicListing } from '../../http/listing.ts'

/** A whole answer without a body, or a short one. */
const SHORT_ANSWER_MS = 30_000
/** One range of a segment, however slow the line. */
const RANGE_MS = 600_000

export class ExportFailure extends Error {
  override readonly name = 'ExportFailure'
  readonly mayRetry: boolean
  /** The broker's error code, where it was the broker that refused. */
  readonly code: string | null

  constructor(message: string, more: { mayRetry?: boolean; code?: string; cause?: unknown } = {}) {
    super(message, { cause: more.cause })
    this.mayRetry = more.mayRetry ?? false
    this.code = more.code ?? null
  }
}

export interface SegmentAddress {
  readonly partition: number
  readonly file: string
  /** The first so many bytes of the segment count as all of it. */
  readonly bytes: number
}

export class HttpLogs {
  readonly #topicUrl: string
  readonly #address: string

  constructor(address: HostPort, topic: string) {
    this.#address = formatHostPort(address)
    this.#topicUrl = `http://${this.#address}/v1/topics/${encodeURIComponent(topic)}/partitions`
  }

  async topic(): Promise<TopicListing> {
    return (await (await this.#ask(this.#topicUrl, 'GET', {}, SHORT_ANSWER_MS)).json()) as TopicListing
  }

  async segments(partition: number): Promise<SegmentsListing> {
    const answer = await this.#ask(`${this.#topicUrl}/${partition}/segments`, 'GET', {}, SHORT_ANSWER_MS)
    return (await answer.json()) as SegmentsListing
  }

  /** The entity tag of the segment's first bytes; null if these bytes are not (or no longer) what the segment begins with. */
  async entityTag(segment: SegmentAddress): Promise<string | null> {
    try {
      const answer = await this.#ask(this.#segmentUrl(segment), 'HEAD', {}, SHORT_ANSWER_MS)
      return answer.headers.get('etag')
    } catch (error) {
      // A HEAD has no body to carry a code.
      if (error instanceof ExportFailure && (error.code === '416' || error.code === '404')) return null
      throw error
    }
  }

  /** Bytes `start` to `end` (exclusive); the whole, and `isPart` false, if the entity tag is not the segment's any more. */
  async range(
    segment: SegmentAddress,
    entityTag: string,
    start: number,
    end: number,
  ): Promise<{ isPart: boolean; body: AsyncIterable<Uint8Array> }> {
    const headers = { range: `bytes=${start}-${end - 1}`, 'if-range': entityTag }
    const answer = await this.#ask(this.#segmentUrl(segment), 'GET', headers, RANGE_MS)
    if (answer.body === null) throw new ExportFailure(`${this.#address} sent no body`, { mayRetry: true })
    return { isPart: answer.status === 206, body: answer.body }
  }

  #segmentUrl({ partition, file, bytes }: SegmentAddress): string {
    return `${this.#topicUrl}/${partition}/segments/${file}?size=${bytes}`
  }

  async #ask(url: string, method: string, headers: Record<string, string>, timeoutMs: number): Promise<Response> {
    let answer: Response
    try {
      answer = await fetch(url, { method, headers, signal: AbortSignal.timeout(timeoutMs) })
    } catch (error) {
      // The runtime's advice behind the first sentence is for programmers.
      const reason = (error instanceof Error ? error.message : String(error)).replace(/\. .*/s, '')
      const hint = 'is a broker running there with --http?'
      throw new ExportFailure(`cannot reach ${this.#address}: ${reason} (${hint})`, { mayRetry: true, cause: error })
    }
    if (answer.ok) return answer
    const { code, message } = await refusalOf(answer)
    throw new ExportFailure(message, { code, mayRetry: answer.status >= 500 })
  }
}

async function refusalOf(answer: Response): Promise<{ code: string; message: string }> {
  try {
    return ((await answer.json()) as ErrorListing).error
  } catch {
    return { code: String(answer.status), message: `the HTTP port answered ${answer.status} ${answer.statusText}` }
  }
}
