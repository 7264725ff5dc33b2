/** WriteShareGroupState: what became of records of share partitions, from the broker that delivers them (KIP-932). */
import {
  WriteShareGroupStateRequest,
  WriteShareGroupStateResponse,
} from '../../protocol/messages/85-write-share-group-state.ts'
import { defineApi } from '../api.ts'
import { askForStates, mayAskForStates, plainRow, REFUSED, refusedStates } from '../share/state-requests.ts'

export default defineApi({
  key: 85,
  name: 'WriteShareGroupState',
  request: WriteShareGroupStateRequest,
  response: WriteShareGroupStateResponse,
  versions: [0, 1],
  notes: ['v1 counts the records that need no delivery any more (KIP-1226).'],
  authorize(context, request) {
    return mayAskForStates(context) ? null : { results: refusedStates(request, REFUSED) }
  },
  handleLater({ broker }, request, reply) {
    askForStates(
      request,
      (key, { stateBatches, ...state }, done) =>
        broker.shareCoordinator.write(key, { ...state, batches: stateBatches }, done),
      plainRow,
      (results) => reply({ results }),
    )
  },
})
