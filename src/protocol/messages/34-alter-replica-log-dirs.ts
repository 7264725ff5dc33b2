// AlterReplicaLogDirs (34): moves replicas between the directories of a broker.

import { array, type Infer, int16, int32, request, response, string } from '../schema.ts'

export const AlterReplicaLogDirsRequest = request(
  { key: 34, name: 'AlterReplicaLogDirsRequest', versions: '1-2', flexible: '2+' },
  {
    dirs: array({
      path: string(),
      topics: array({
        name: string(),
        partitions: array(int32),
      }),
    }),
  },
)

export type AlterReplicaLogDirsRequest = Infer<typeof AlterReplicaLogDirsRequest>

export const AlterReplicaLogDirsResponse = response(
  { key: 34, name: 'AlterReplicaLogDirsResponse', versions: '1-2', flexible: '2+' },
  {
    throttleTimeMs: int32(),
    results: array({
      topicName: string(),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
      }),
    }),
  },
)

export type AlterReplicaLogDirsResponse = Infer<typeof AlterReplicaLogDirsResponse>
