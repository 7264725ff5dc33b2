/** IncrementalAlterConfigs: sets, deletes, appends to and subtracts from single configs. A resource changes wholly or not. */
import type { AlterResult } from '../../metadata/configs.ts'
import { ErrorCode } from '../../protocol/errors.ts'
import {
  IncrementalAlterConfigsRequest,
  IncrementalAlterConfigsResponse,
} from '../../protocol/messages/44-incremental-alter-configs.ts'
import { defineApi } from '../api.ts'
import { configAccessError } from '../config-access.ts'

export default defineApi({
  key: 44,
  name: 'IncrementalAlterConfigs',
  request: IncrementalAlterConfigsRequest,
  response: IncrementalAlterConfigsResponse,
  versions: [0, 1],
  notes: ['Client metrics cannot be configured: INVALID_REQUEST.'],
  async handle(context, request) {
    const denied: AlterResult[] = []
    const permitted = request.resources.flatMap(({ resourceType: type, resourceName: name, configs }) => {
      const errorCode = configAccessError(context, 'ALTER_CONFIGS', type, name)
      if (errorCode !== ErrorCode.NONE) {
        denied.push({ type, name, errorCode, errorMessage: null })
        return []
      }
      const operations = configs.map((config) => ({
        name: config.name,
        operation: config.configOperation,
        value: config.value,
      }))
      return [{ type, name, operations }]
    })
    const { validateOnly } = request
    const results = await context.broker.configs.incrementalAlter(permitted, { validateOnly })
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
