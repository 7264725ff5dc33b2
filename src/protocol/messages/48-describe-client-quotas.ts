// DescribeClientQuotas (48): client quotas that match a filter.

import { array, bool, float64, type Infer, int8, int16, int32, request, response, string } from '../schema.ts'

export const DescribeClientQuotasRequest = request(
  { key: 48, name: 'DescribeClientQuotasRequest', versions: '0-1', flexible: '1+' },
  {
    components: array({
      entityType: string(),
      matchType: int8(),
      match: string({ nullable: true }),
    }),
    strict: bool(),
  },
)

export type DescribeClientQuotasRequest = Infer<typeof DescribeClientQuotasRequest>

export const DescribeClientQuotasResponse = response(
  { key: 48, name: 'DescribeClientQuotasResponse', versions: '0-1', flexible: '1+' },
  {
    throttleTimeMs: int32(),
    errorCode: int16(),
    errorMessage: string({ nullable: true }),
    entries: array(
      {
        entity: array({
          entityType: string(),
          entityName: string({ nullable: true }),
        }),
        values: array({
          key: string(),
          value: float64(),
        }),
      },
      { nullable: true },
    ),
  },
)

export type DescribeClientQuotasResponse = Infer<typeof DescribeClientQuotasResponse>
