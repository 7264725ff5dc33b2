/** AddRaftVoter: refused, see voter-changes.ts. */
import { AddRaftVoterRequest, AddRaftVoterResponse } from '../../protocol/messages/80-add-raft-voter.ts'
import { defineApi } from '../api.ts'
import { deniedVoterChange, refuseVoterChange } from '../voter-changes.ts'

export default defineApi({
  key: 80,
  name: 'AddRaftVoter',
  request: AddRaftVoterRequest,
  response: AddRaftVoterResponse,
  versions: [0, 1],
  notes: ['The metadata has one voter: UNSUPPORTED_VERSION, as in a cluster with kraft.version 0.'],
  authorize: deniedVoterChange,
  handle(context, { clusterId, voterId, listeners }) {
    const isInvalid = voterId < 0
    const invalid = isInvalid
      ? "Add voter request didn't include a valid voter"
      : listeners.length === 0
        ? "Add voter request didn't include an endpoint"
        : null
    return refuseVoterChange(context, clusterId, invalid, 'adding')
  },
})
