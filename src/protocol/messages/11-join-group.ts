// JoinGroup (11): a member enters a classic group, or takes part in its next generation.

import { array, bool, bytes, type Infer, int16, int32, request, response, string } from '../schema.ts'

export const JoinGroupRequest = request(
  { key: 11, name: 'JoinGroupRequest', versions: '0-9', flexible: '6+' },
  {
    groupId: string(),
    sessionTimeoutMs: int32(),
    rebalanceTimeoutMs: int32('1+', { default: -1, ignorable: true }),
    memberId: string(),
    groupInstanceId: string('5+', { nullable: true, default: null }),
    protocolType: string(),
    protocols: array({
      name: string(),
      metadata: bytes(),
    }),
    reason: string('8+', { nullable: true, default: null, ignorable: true }),
  },
)

export type JoinGroupRequest = Infer<typeof JoinGroupRequest>

export const JoinGroupResponse = response(
  { key: 11, name: 'JoinGroupResponse', versions: '0-9', flexible: '6+' },
  {
    throttleTimeMs: int32('2+'),
    errorCode: int16(),
    generationId: int32({ default: -1 }),
    protocolType: string('7+', { nullable: true, default: null }),
    protocolName: string({ nullable: '7+' }),
    leader: string(),
    skipAssignment: bool('9+', { default: false }),
    memberId: string(),
    members: array({
      memberId: string(),
      groupInstanceId: string('5+', { nullable: true, default: null }),
      metadata: bytes(),
    }),
  },
)

export type JoinGroupResponse = Infer<typeof JoinGroupResponse>
