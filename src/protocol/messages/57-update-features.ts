// UpdateFeatures (57): changes the finalised feature levels of the cluster.

import { array, bool, type Infer, int8, int16, int32, request, response, string } from '../schema.ts'

export const UpdateFeaturesRequest = request(
  { key: 57, name: 'UpdateFeaturesRequest', versions: '0-2', flexible: '0+' },
  {
    timeoutMs: int32({ default: 60000 }),
    featureUpdates: array({
      feature: string(),
      maxVersionLevel: int16(),
      allowDowngrade: bool('0'),
      upgradeType: int8('1+', { default: 1 }),
    }),
    validateOnly: bool('1+', { default: false }),
  },
)

export type UpdateFeaturesRequest = Infer<typeof UpdateFeaturesRequest>

export const UpdateFeaturesResponse = response(
  { key: 57, name: 'UpdateFeaturesResponse', versions: '0-2', flexible: '0+' },
  {
    throttleTimeMs: int32(),
    errorCode: int16(),
    errorMessage: string({ nullable: true }),
    results: array(
      {
        feature: string(),
        errorCode: int16(),
        errorMessage: string({ nullable: true }),
      },
      '0-1',
    ),
  },
)

export type UpdateFeaturesResponse = Infer<typeof UpdateFeaturesResponse>
