// All cases, in the order in which they run: group requests first, while there is no coordinator yet.
import type { CaseGroup } from './case.ts'
import { CLUSTER_CASES } from './cases-cluster.ts'
import { CONFIG_CASES } from './cases-configs.ts'
import { CONSUMER_GROUP_CASES } from './cases-consumer-groups.ts'
import { CONSUMER_HISTORY_CASES } from './cases-consumer-histories.ts'
import { FEATURE_CASES } from './cases-features.ts'
import { FETCH_CASES } from './cases-fetch.ts'
import { GROUP_MIGRATION_CASES } from './cases-group-migration.ts'
import { GROUP_CASES } from './cases-groups.ts'
import { OFFSET_CASES } from './cases-offsets.ts'
import { PRODUCE_CASES } from './cases-produce.ts'
import { QUOTA_CASES } from './cases-quotas.ts'
import { REASSIGNMENT_CASES } from './cases-reassignment.ts'
import { SECURITY_CASES } from './cases-security.ts'
import { SHARE_FETCH_CASES } from './cases-share-fetch.ts'
import { SHARE_GROUP_CASES } from './cases-share-groups.ts'
import { SHARE_OFFSET_CASES } from './cases-share-offsets.ts'
import { STREAMS_GROUP_CASES } from './cases-streams-groups.ts'
import { TELEMETRY_CASES } from './cases-telemetry.ts'
import { TOPIC_CASES } from './cases-topics.ts'
import { TRANSACTION_CASES } from './cases-transactions.ts'
import { WIRE_CASES } from './cases-wire.ts'

export const CASE_GROUPS: readonly CaseGroup[] = [
  ...WIRE_CASES,
  ...GROUP_CASES,
  ...OFFSET_CASES,
  ...CONSUMER_GROUP_CASES,
  ...CONSUMER_HISTORY_CASES,
  ...GROUP_MIGRATION_CASES,
  ...STREAMS_GROUP_CASES,
  ...CLUSTER_CASES,
  ...TOPIC_CASES,
  ...CONFIG_CASES,
  ...PRODUCE_CASES,
  ...TRANSACTION_CASES,
  ...FETCH_CASES,
  ...REASSIGNMENT_CASES,
  ...SECURITY_CASES,
  ...TELEMETRY_CASES,
  ...SHARE_GROUP_CASES,
  ...SHARE_FETCH_CASES,
  ...SHARE_OFFSET_CASES,
  ...FEATURE_CASES,
  ...QUOTA_CASES,
]
