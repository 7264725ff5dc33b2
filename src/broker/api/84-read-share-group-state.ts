/** ReadShareGroupState: the states of share partitions, for the broker that delivers their records (KIP-932). */
import type { ReadState, StateFailure } from '../../coordinator/share-state/persister.ts'
import {
  ReadShareGroupStateRequest,
  ReadShareGroupStateResponse,
} from '../../protocol/messages/84-read-share-group-state.ts'
import { defineApi } from '../api.ts'
import { askForStates, mayAskForStates, plainRow, REFUSED, refusedStates } from '../share/state-requests.ts'

const NOTHING = { stateEpoch: 0, startOffset: 0, stateBatches: [] }

export default defineApi({
  key: 84,
  name: 'ReadShareGroupState',
  request: ReadShareGroupStateRequest,
  response: ReadShareGroupStateResponse,
  versions: [0, 0],
  notes: ['A read in a newer leader epoch takes the partition over: writes in older ones are fenced.'],
  authorize(context, request) {
    if (mayAskForStates(context)) return null
    const results = refusedStates(request, REFUSED).map(({ topicId, partitions }) => {
      return { topicId, partitions: partitions.map((row) => ({ ...row, ...NOTHING })) }
    })
    return { results }
  },
  handleLater({ broker }, request, reply) {
    askForStates(
      request,
      (key, { leaderEpoch }, done) => broker.shareCoordinator.read(key, leaderEpoch, done),
      row,
      (results) => reply({ results }),
    )
  },
})

function row(partition: number, answer: ReadState | StateFailure) {
  const plain = plainRow(partition, answer)
  if (!('batches' in answer)) return { ...plain, ...NOTHING }
  const { stateEpoch, startOffset, batches } = answer
  return { ...plain, stateEpoch, startOffset, stateBatches: [...batches] }
}
