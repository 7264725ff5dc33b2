/** ReadShareGroupStateSummary: start offsets and epochs of share partitions, without what is in flight (KIP-932). */
import type { StateFailure, StateSummary } from '../../coordinator/share-state/persister.ts'
import {
  ReadShareGroupStateSummaryRequest,
  ReadShareGroupStateSummaryResponse,
} from '../../protocol/messages/87-read-share-group-state-summary.ts'
import { defineApi } from '../api.ts'
import { askForStates, mayAskForStates, plainRow, REFUSED, refusedStates } from '../share/state-requests.ts'

const NOTHING = { stateEpoch: 0, leaderEpoch: 0, startOffset: 0 }

export default defineApi({
  key: 87,
  name: 'ReadShareGroupStateSummary',
  request: ReadShareGroupStateSummaryRequest,
  response: ReadShareGroupStateSummaryResponse,
  versions: [0, 1],
  notes: ['A partition without a state has start offset -1.'],
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
      (key, _partition, done) => broker.shareCoordinator.summarize(key, done),
      row,
      (results) => reply({ results }),
    )
  },
})

function row(partition: number, answer: StateSummary | StateFailure) {
  const plain = plainRow(partition, answer)
  if (!('startOffset' in answer)) return { ...plain, ...NOTHING }
  const { stateEpoch, leaderEpoch, startOffset, deliveryCompleteCount } = answer
  return { ...plain, stateEpoch, leaderEpoch, startOffset, deliveryCompleteCount }
}
