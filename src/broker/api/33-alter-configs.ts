/** AlterConfigs, the legacy request: replaces everything that is set on a resource. */
import type { AlterResult } from '../../metadata/configs.ts'
import { ErrorCode } from '../../protocol/errors.ts'
import { AlterConfigsRequest, AlterConfigsResponse } from '../../protocol/messages/33-alter-configs.ts'
import { defineApi } from '../api.ts'
import { configAccessError } from '../config-access.ts'

export default defineApi({
  key: 33,
  name: 'AlterConfigs',
  request: AlterConfigsRequest,
  response: AlterConfigsResponse,
  versions: [0, 2],
  notes: ['What the request does not mention is reset. Loggers can only be changed incrementally.'],
  async handle(context, request) {
    const denied: AlterResult[] = []
    const permitted = request.resources.flatMap(({ resourceType: type, resourceName: name, configs }) => {
      const errorCode = configAccessError(context, 'ALTER_CONFIGS', type, name)
      if (errorCode === ErrorCode.NONE) return [{ type, name, configs }]
      denied.push({ type, name, errorCode, errorMessage: null })
      return []
    })
    const { validateOnly } = request
    const results = await context.broker.configs.alter(permitted, { validateOnly })
    return {
      throttleTimeMs: 0,
      responses: [...results, ...denied].map(({ type, name, errorCode, errorMessage }) => ({
        errorCode,
        errorMessage,
        resourceType: type,
        resourceName: name,
      })),
    }
  },
})
