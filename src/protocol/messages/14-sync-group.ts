// SyncGroup (14): the leader of a classic group hands out the assignment; everybody gets their own.

import { array, bytes, type Infer, int16, int32, request, response, string } from '../schema.ts'

export const SyncGroupRequest = request(
  { key: 14, name: 'SyncGroupRequest', versions: '0-5', flexible: '4+' },
  {
    groupId: string(),
    generationId: int32(),
    memberId: string(),
    groupInstanceId: string('3+', { nullable: true, default: null }),
    protocolType: string('5+', { nullable: true, default: null, ignorable: true }),
    protocolName: string('5+', { nullable: true, default: null, ignorable: true }),
    assignments: array({
      memberId: string(),
      assignment: bytes(),
    }),
  },
)

export type SyncGroupRequest = Infer<typeof SyncGroupRequest>

export const SyncGroupResponse = response(
  { key: 14, name: 'SyncGroupResponse', versions: '0-5', flexible: '4+' },
  {
    throttleTimeMs: int32('1+'),
    errorCode: int16(),
    protocolType: string('5+', { nullable: true, default: null }),
    protocolName: string('5+', { nullable: true, default: null }),
    assignment: bytes(),
  },
)

export type SyncGroupResponse = Infer<typeof SyncGroupResponse>
