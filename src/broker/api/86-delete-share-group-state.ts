/** DeleteShareGroupState: takes the states of share partitions away; asked by group coordinators (KIP-932). */
import {
  DeleteShareGroupStateRequest,
  DeleteShareGroupStateResponse,
} from '../../protocol/messages/86-delete-share-group-state.ts'
import { defineApi } from '../api.ts'
import { askForStates, mayAskForStates, plainRow, REFUSED, refusedStates } from '../share/state-requests.ts'

export default defineApi({
  key: 86,
  name: 'DeleteShareGroupState',
  request: DeleteShareGroupStateRequest,
  response: DeleteShareGroupStateResponse,
  versions: [0, 0],
  notes: ['A state that does not exist is deleted already.'],
  authorize(context, request) {
    return mayAskForStates(context) ? null : { results: refusedStates(request, REFUSED) }
  },
  handleLater({ broker }, request, reply) {
    askForStates(
      request,
      (key, _partition, done) => broker.shareCoordinator.delete(key, done),
      plainRow,
      (results) => reply({ results }),
    )
  },
})
