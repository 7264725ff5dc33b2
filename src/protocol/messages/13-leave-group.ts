// LeaveGroup (13): members leave a classic group.

import { array, type Infer, int16, int32, request, response, string } from '../schema.ts'

export const LeaveGroupRequest = request(
  { key: 13, name: 'LeaveGroupRequest', versions: '0-5', flexible: '4+' },
  {
    groupId: string(),
    memberId: string('0-2'),
    members: array(
      {
        memberId: string(),
        groupInstanceId: string({ nullable: true, default: null }),
        reason: string('5+', { nullable: true, default: null, ignorable: true }),
      },
      '3+',
    ),
  },
)

export type LeaveGroupRequest = Infer<typeof LeaveGroupRequest>

export const LeaveGroupResponse = response(
  { key: 13, name: 'LeaveGroupResponse', versions: '0-5', flexible: '4+' },
  {
    throttleTimeMs: int32('1+'),
    errorCode: int16(),
    members: array(
      {
        memberId: string(),
        groupInstanceId: string({ nullable: true }),
        errorCode: int16(),
      },
      '3+',
    ),
  },
)

export type LeaveGroupResponse = Infer<typeof LeaveGroupResponse>
