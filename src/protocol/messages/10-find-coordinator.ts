// FindCoordinator (10): which broker coordinates a group, a transactional id or a share partition.

import { array, type Infer, int8, int16, int32, request, response, string } from '../schema.ts'

export const FindCoordinatorRequest = request(
  { key: 10, name: 'FindCoordinatorRequest', versions: '0-6', flexible: '3+' },
  {
    key: string('0-3'),
    keyType: int8('1+', { default: 0 }),
    coordinatorKeys: array(string, '4+'),
  },
)

export type FindCoordinatorRequest = Infer<typeof FindCoordinatorRequest>

export const FindCoordinatorResponse = response(
  { key: 10, name: 'FindCoordinatorResponse', versions: '0-6', flexible: '3+' },
  {
    throttleTimeMs: int32('1+'),
    errorCode: int16('0-3'),
    errorMessage: string('1-3', { nullable: true }),
    nodeId: int32('0-3'),
    host: string('0-3'),
    port: int32('0-3'),
    coordinators: array(
      {
        key: string(),
        nodeId: int32(),
        host: string(),
        port: int32(),
        errorCode: int16(),
        errorMessage: string({ nullable: true }),
      },
      '4+',
    ),
  },
)

export type FindCoordinatorResponse = Infer<typeof FindCoordinatorResponse>
