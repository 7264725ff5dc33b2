// ApiVersions (18): which requests a broker serves in which versions, and its features.

import { array, bool, type Infer, int16, int32, int64, request, response, string } from '../schema.ts'

export const ApiVersionsRequest = request(
  { key: 18, name: 'ApiVersionsRequest', versions: '0-4', flexible: '3+' },
  {
    clientSoftwareName: string('3+', { ignorable: true }),
    clientSoftwareVersion: string('3+', { ignorable: true }),
  },
)

export type ApiVersionsRequest = Infer<typeof ApiVersionsRequest>

export const ApiVersionsResponse = response(
  { key: 18, name: 'ApiVersionsResponse', versions: '0-4', flexible: '3+' },
  {
    errorCode: int16(),
    apiKeys: array({
      apiKey: int16(),
      minVersion: int16(),
      maxVersion: int16(),
    }),
    throttleTimeMs: int32('1+'),
    supportedFeatures: array(
      {
        name: string(),
        minVersion: int16(),
        maxVersion: int16(),
      },
      '3+',
      { tag: 0 },
    ),
    finalizedFeaturesEpoch: int64('3+', { default: -1, tag: 1 }),
    finalizedFeatures: array(
      {
        name: string(),
        maxVersionLevel: int16(),
        minVersionLevel: int16(),
      },
      '3+',
      { tag: 2 },
    ),
    zkMigrationReady: bool('3+', { default: false, tag: 3 }),
  },
)

export type ApiVersionsResponse = Infer<typeof ApiVersionsResponse>
