/**
 * ApiVersions: which requests this broker answers, in which versions, and which features are on. Every client's first
 * request. The list is the registry itself, so nothing is advertised that is not served.
 */
import { servedFeatures } from '../../metadata/features.ts'
import { ErrorCode } from '../../protocol/errors.ts'
import { ApiVersionsRequest, ApiVersionsResponse } from '../../protocol/messages/18-api-versions.ts'
import type { Input } from '../../protocol/schema.ts'
import { defineApi } from '../api.ts'

const API_VERSIONS_KEY = 18
const MAX_VERSION = 4

/** What a client that asked in an unknown version gets, in version 0: enough to ask again. */
export const UNSUPPORTED_API_VERSIONS_ANSWER: Input<typeof ApiVersionsResponse> = {
  errorCode: ErrorCode.UNSUPPORTED_VERSION,
  apiKeys: [{ apiKey: API_VERSIONS_KEY, minVersion: 0, maxVersion: MAX_VERSION }],
}

const SOFTWARE_NAME = /^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$/

export default defineApi({
  key: API_VERSIONS_KEY,
  name: 'ApiVersions',
  request: ApiVersionsRequest,
  response: ApiVersionsResponse,
  versions: [0, MAX_VERSION],
  notes: ['An unsupported version is answered in version 0 with UNSUPPORTED_VERSION.'],
  handle(context, request) {
    if (context.apiVersion >= 3) {
      const { clientSoftwareName: name, clientSoftwareVersion: version } = request
      if (!SOFTWARE_NAME.test(name) || !SOFTWARE_NAME.test(version)) {
        return { errorCode: ErrorCode.INVALID_REQUEST, apiKeys: [], throttleTimeMs: 0 }
      }
      context.connection.clientSoftware = { name, version }
    }
    // Clients up to version 3 cannot read a feature range that starts at 0.
    const features = servedFeatures().filter((feature) => context.apiVersion >= 4 || feature.min > 0)
    return {
      errorCode: ErrorCode.NONE,
      apiKeys: context.broker.apis.map((api) => ({
        apiKey: api.key,
        minVersion: api.minVersion,
        maxVersion: api.maxVersion,
      })),
      throttleTimeMs: 0,
      supportedFeatures: features.map(({ name, min, max }) => ({ name, minVersion: min, maxVersion: max })),
      finalizedFeaturesEpoch: context.broker.image.revision,
      finalizedFeatures: context.broker.features.finalized().map(({ name, level }) => ({
        name,
        maxVersionLevel: level,
        minVersionLevel: level,
      })),
    }
  },
})
