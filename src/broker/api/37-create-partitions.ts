/** CreatePartitions: more partitions for existing topics. `count` is the new total. */
import { CreatePartitionsRequest, CreatePartitionsResponse } from '../../protocol/messages/37-create-partitions.ts'
import { defineApi } from '../api.ts'

export default defineApi({
  key: 37,
  name: 'CreatePartitions',
  request: CreatePartitionsRequest,
  response: CreatePartitionsResponse,
  versions: [0, 3],
  async handle(context, request) {
    const results = await context.broker.topics.createPartitions(request.topics, {
      validateOnly: request.validateOnly,
      allowed: (name) => context.allowed('ALTER', 'TOPIC', name),
    })
    return { throttleTimeMs: 0, results }
  },
})
