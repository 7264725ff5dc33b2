// Heartbeat (12): a classic group member is alive.

import { type Infer, int16, int32, request, response, string } from '../schema.ts'

export const HeartbeatRequest = request(
  { key: 12, name: 'HeartbeatRequest', versions: '0-4', flexible: '4+' },
  {
    groupId: string(),
    generationId: int32(),
    memberId: string(),
    groupInstanceId: string('3+', { nullable: true, default: null }),
  },
)

export type HeartbeatRequest = Infer<typeof HeartbeatRequest>

export const HeartbeatResponse = response(
  { key: 12, name: 'HeartbeatResponse', versions: '0-4', flexible: '4+' },
  {
    throttleTimeMs: int32('1+'),
    errorCode: int16(),
  },
)

export type HeartbeatResponse = Infer<typeof HeartbeatResponse>
