/** UpdateFeatures: changes levels, all of the request or none. The rules are in metadata/features.ts. */
import { type FeatureUpdate, UpgradeType } from '../../metadata/features.ts'
import { ErrorCode } from '../../protocol/errors.ts'
import { UpdateFeaturesRequest, UpdateFeaturesResponse } from '../../protocol/messages/57-update-features.ts'
import type { Infer } from '../../protocol/schema.ts'
import { defineApi } from '../api.ts'

/** Before, the request only said whether levels may go down; since then, how. */
const UPGRADE_TYPES_SINCE = 1
/** Before, successes have rows. */
const NO_ROWS_SINCE = 2

export default defineApi({
  key: 57,
  name: 'UpdateFeatures',
  request: UpdateFeaturesRequest,
  response: UpdateFeaturesResponse,
  versions: [0, 2],
  notes: ['metadata.version and kraft.version stay as they are.'],
  authorize(context) {
    if (context.allowed('ALTER', 'CLUSTER', 'kafka-cluster')) return null
    const errorCode = ErrorCode.CLUSTER_AUTHORIZATION_FAILED
    return { throttleTimeMs: 0, errorCode, errorMessage: 'Cluster authorization failed.' }
  },
  async handle({ broker, apiVersion }, request) {
    const updates = updatesOf(request, apiVersion)
    const { errorCode, errorMessage } = await broker.features.update(updates, request.validateOnly)
    const isDone = errorCode === ErrorCode.NONE
    const rows = isDone ? updates.map(({ name }) => ({ feature: name, errorCode, errorMessage: 'NONE' })) : []
    return {
      throttleTimeMs: 0,
      errorCode,
      errorMessage: isDone
        ? null
        : `The update failed for all features since the following feature had an error: ${errorMessage}`,
      ...(apiVersion < NO_ROWS_SINCE && { results: rows }),
    }
  },
})

function updatesOf({ featureUpdates }: Infer<typeof UpdateFeaturesRequest>, apiVersion: number): FeatureUpdate[] {
  return featureUpdates.map(({ feature, maxVersionLevel, allowDowngrade, upgradeType }) => {
    const typeBefore = allowDowngrade ? UpgradeType.SAFE_DOWNGRADE : UpgradeType.UPGRADE
    return {
      name: feature,
      level: maxVersionLevel,
      upgradeType: apiVersion >= UPGRADE_TYPES_SINCE ? upgradeType : typeBefore,
    }
  })
}
