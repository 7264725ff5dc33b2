/**
 * ACLs as they are stored. What has been taken over from Kafka lies there with the id it had; nobody asks for it yet, as
 * nobody is authenticated.
 */

export const ACLS_PREFIX = 'acls/'

/** The numbers are those of the ACL requests. */
export interface AclValue {
  readonly resourceType: number
  readonly resourceName: string
  readonly patternType: number
  readonly principal: string
  readonly host: string
  readonly operation: number
  readonly permissionType: number
}
