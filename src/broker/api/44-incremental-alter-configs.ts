/** IncrementalAlterConfigs: sets, deletes, appends to and subtracts from single configs. A resource changes wholly or not. */
import {
  IncrementalAlterConfigsRequest,
  IncrementalAlterConfigsResponse,
} from '../../protocol/messages/44-incremental-alter-configs.ts'
import { defineApi } from '../api.ts'
import { alterConfigsResponse, splitByAlterAccess } from '../config-access.ts'

export default defineApi({
  key: 44,
  name: 'IncrementalAlterConfigs',
  request: IncrementalAlterConfigsRequest,
  response: IncrementalAlterConfigsResponse,
  versions: [0, 1],
  async handle(context, request) {
    const { permitted, denied } = splitByAlterAccess(context, request.resources)
    const alterations = permitted.map(({ resourceType: type, resourceName: name, configs }) => ({
      type,
      name,
      operations: configs.map((config) => ({
        name: config.name,
        operation: config.configOperation,
        value: config.value,
      })),
    }))
    const results = await context.broker.configs.incrementalAlter(alterations, { validateOnly: request.validateOnly })
    return alterConfigsResponse([...results, ...denied])
  },
})
