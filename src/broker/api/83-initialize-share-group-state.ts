/** InitializeShareGroupState: begins the states of share partitions; asked by group coordinators (KIP-932). */
import {
  InitializeShareGroupStateRequest,
  InitializeShareGroupStateResponse,
} from '../../protocol/messages/83-initialize-share-group-state.ts'
import { defineApi } from '../api.ts'
import { askForStates, mayAskForStates, plainRow, REFUSED, refusedStates } from '../share/state-requests.ts'

export default defineApi({
  key: 83,
  name: 'InitializeShareGroupState',
  request: InitializeShareGroupStateRequest,
  response: InitializeShareGroupStateResponse,
  versions: [0, 0],
  notes: ['For brokers: what this one needs of itself does not go over the wire.'],
  authorize(context, request) {
    return mayAskForStates(context) ? null : { results: refusedStates(request, REFUSED) }
  },
  handleLater({ broker }, request, reply) {
    askForStates(
      request,
      (key, { stateEpoch, startOffset }, done) =>
        broker.shareCoordinator.initialize(key, { stateEpoch, startOffset }, done),
      plainRow,
      (results) => reply({ results }),
    )
  },
})
