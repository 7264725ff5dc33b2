// DescribeLogDirs (35): what lies in the directories of a broker, and how large it is.

import { array, bool, type Infer, int16, int32, int64, request, response, string } from '../schema.ts'

export const DescribeLogDirsRequest = request(
  { key: 35, name: 'DescribeLogDirsRequest', versions: '1-5', flexible: '2+' },
  {
    topics: array(
      {
        topic: string(),
        partitions: array(int32),
      },
      { nullable: true },
    ),
  },
)

export type DescribeLogDirsRequest = Infer<typeof DescribeLogDirsRequest>

export const DescribeLogDirsResponse = response(
  { key: 35, name: 'DescribeLogDirsResponse', versions: '1-5', flexible: '2+' },
  {
    throttleTimeMs: int32(),
    errorCode: int16('3+'),
    results: array({
      errorCode: int16(),
      logDir: string(),
      topics: array({
        name: string(),
        partitions: array({
          partitionIndex: int32(),
          partitionSize: int64(),
          offsetLag: int64(),
          isFutureKey: bool(),
        }),
      }),
      totalBytes: int64('4+', { default: -1 }),
      usableBytes: int64('4+', { default: -1 }),
      isCordoned: bool('5+', { default: false }),
    }),
  },
)

export type DescribeLogDirsResponse = Infer<typeof DescribeLogDirsResponse>
