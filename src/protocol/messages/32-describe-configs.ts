// DescribeConfigs (32): the configuration of topics, brokers and groups, with where each value comes from.

import { array, bool, type Infer, int8, int16, int32, request, response, string } from '../schema.ts'

export const DescribeConfigsRequest = request(
  { key: 32, name: 'DescribeConfigsRequest', versions: '1-4', flexible: '4+' },
  {
    resources: array({
      resourceType: int8(),
      resourceName: string(),
      configurationKeys: array(string, { nullable: true }),
    }),
    includeSynonyms: bool({ default: false }),
    includeDocumentation: bool('3+', { default: false }),
  },
)

export type DescribeConfigsRequest = Infer<typeof DescribeConfigsRequest>

export const DescribeConfigsResponse = response(
  { key: 32, name: 'DescribeConfigsResponse', versions: '1-4', flexible: '4+' },
  {
    throttleTimeMs: int32(),
    results: array({
      errorCode: int16(),
      errorMessage: string({ nullable: true }),
      resourceType: int8(),
      resourceName: string(),
      configs: array({
        name: string(),
        value: string({ nullable: true }),
        readOnly: bool(),
        configSource: int8({ default: -1 }),
        isSensitive: bool(),
        synonyms: array({
          name: string(),
          value: string({ nullable: true }),
          source: int8(),
        }),
        configType: int8('3+', { default: 0 }),
        documentation: string('3+', { nullable: true }),
      }),
    }),
  },
)

export type DescribeConfigsResponse = Infer<typeof DescribeConfigsResponse>
