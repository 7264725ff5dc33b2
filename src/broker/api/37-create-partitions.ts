/** CreatePartitions: more partitions for existing topics. `count` is the new total. */
import { CreatePartitionsRequest, CreatePartitionsResponse } from '../../protocol/messages/37-create-partitions.ts'
import { defineApi } from '../api.ts'
import { chargeMutations } from '../quotas.ts'

/** Older clients do not know the error of an exceeded quota: they are only throttled. */
const STRICT_QUOTA_SINCE = 3

export default defineApi({
  key: 37,
  name: 'CreatePartitions',
  request: CreatePartitionsRequest,
  response: CreatePartitionsResponse,
  versions: [0, 3],
  async handle(context, request) {
    const results = await context.broker.topics.createPartitions(request.topics, {
      validateOnly: request.validateOnly,
      charge: chargeMutations(context, context.apiVersion >= STRICT_QUOTA_SINCE),
      allowed: (name) => context.allowed('ALTER', 'TOPIC', name),
    })
    return { throttleTimeMs: 0, results }
  },
})
