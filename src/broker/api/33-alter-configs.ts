/** AlterConfigs, the legacy request: replaces everything that is set on a resource. */
import { AlterConfigsRequest, AlterConfigsResponse } from '../../protocol/messages/33-alter-configs.ts'
import { defineApi } from '../api.ts'
import { alterConfigsResponse, splitByAlterAccess } from '../config-access.ts'

export default defineApi({
  key: 33,
  name: 'AlterConfigs',
  request: AlterConfigsRequest,
  response: AlterConfigsResponse,
  versions: [0, 2],
  notes: ['What the request does not mention is reset. Loggers can only be changed incrementally.'],
  async handle(context, request) {
    const { permitted, denied } = splitByAlterAccess(context, request.resources)
    const alterations = permitted.map(({ resourceType: type, resourceName: name, configs }) => ({
      type,
      name,
      configs,
    }))
    const results = await context.broker.configs.alter(alterations, { validateOnly: request.validateOnly })
    return alterConfigsResponse([...results, ...denied])
  },
})
