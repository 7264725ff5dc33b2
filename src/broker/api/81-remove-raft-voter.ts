/** RemoveRaftVoter: refused, see voter-changes.ts. */
import { RemoveRaftVoterRequest, RemoveRaftVoterResponse } from '../../protocol/messages/81-remove-raft-voter.ts'
import { defineApi } from '../api.ts'
import { deniedVoterChange, refuseVoterChange } from '../voter-changes.ts'

export default defineApi({
  key: 81,
  name: 'RemoveRaftVoter',
  request: RemoveRaftVoterRequest,
  response: RemoveRaftVoterResponse,
  versions: [0, 0],
  authorize: deniedVoterChange,
  handle(context, { clusterId, voterId }) {
    const invalid = voterId < 0 ? "Remove voter request didn't include a valid voter" : null
    return refuseVoterChange(context, clusterId, invalid, 'removing')
  },
})
