/** What the ACL requests have in common. */

/** The protocol's number for what the client itself does not know; a request that holds it closes the connection, as in Kafka. */
export const UNKNOWN_ELEMENT = 0

export const NO_AUTHORIZER = 'No Authorizer is configured.'

interface AclFilter {
  readonly resourceTypeFilter: number
  readonly patternTypeFilter: number
  readonly operation: number
  readonly permissionType: number
}

export function isUnknownFilter({
  resourceTypeFilter,
  patternTypeFilter,
  operation,
  permissionType,
}: AclFilter): boolean {
  return [resourceTypeFilter, patternTypeFilter, operation, permissionType].includes(UNKNOWN_ELEMENT)
}
