// AlterClientQuotas (49): changes client quotas.

import { array, bool, float64, type Infer, int16, int32, request, response, string } from '../schema.ts'

export const AlterClientQuotasRequest = request(
  { key: 49, name: 'AlterClientQuotasRequest', versions: '0-1', flexible: '1+' },
  {
    entries: array({
      entity: array({
        entityType: string(),
        entityName: string({ nullable: true }),
      }),
      ops: array({
        key: string(),
        value: float64(),
        remove: bool(),
      }),
    }),
    validateOnly: bool(),
  },
)

export type AlterClientQuotasRequest = Infer<typeof AlterClientQuotasRequest>

export const AlterClientQuotasResponse = response(
  { key: 49, name: 'AlterClientQuotasResponse', versions: '0-1', flexible: '1+' },
  {
    throttleTimeMs: int32(),
    entries: array({
      errorCode: int16(),
      errorMessage: string({ nullable: true }),
      entity: array({
        entityType: string(),
        entityName: string({ nullable: true }),
      }),
    }),
  },
)

export type AlterClientQuotasResponse = Infer<typeof AlterClientQuotasResponse>
