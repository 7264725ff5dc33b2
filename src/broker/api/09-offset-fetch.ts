/** OffsetFetch: the positions that groups have committed. */
import { OffsetFetchRequest, OffsetFetchResponse } from '../../protocol/messages/09-offset-fetch.ts'
import { defineApi } from '../api.ts'

export default defineApi({
  key: 9,
  name: 'OffsetFetch',
  request: OffsetFetchRequest,
  response: OffsetFetchResponse,
  versions: [1, 10],
  notes: [
    'Unknown groups, topics (by name) and partitions are no error: offset -1.',
    'A null list of topics (v2+) asks for everything stored, an empty one for nothing.',
    'v8+ asks for many groups, each with an error code of its own.',
  ],
  handleLater(context, request, reply) {
    context.broker.groups.offsetFetch(context, request, reply)
  },
})
