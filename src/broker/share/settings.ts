/** What is set for deliveries to a share group now: for the group itself, else for all of them. */
import type { BrokerConfig } from '../../metadata/broker-config.ts'
import type { MetadataImage } from '../../metadata/image.ts'

export interface DeliverySettings {
  /** share.record.lock.duration.ms */
  readonly lockDurationMs: number
  /** share.delivery.count.limit */
  readonly deliveryLimit: number
  /** share.partition.max.record.locks */
  readonly inFlightMax: number
  /** share.isolation.level */
  readonly readCommitted: boolean
  /** share.renew.acknowledge.enable */
  readonly mayRenew: boolean
}

/** Where a group begins in a partition that it has not read: share.auto.offset.reset. */
export type OffsetReset = 'latest' | 'earliest' | { readonly durationMs: number }

export class ShareSettings {
  readonly #config: BrokerConfig
  readonly #image: MetadataImage

  constructor(config: BrokerConfig, image: MetadataImage) {
    this.#config = config
    this.#image = image
  }

  of(groupId: string): DeliverySettings {
    const { values } = this.#image.config('group', groupId)
    const setting = (name: string): number => {
      const own = values.get(name)
      return own === undefined ? this.#config.number(`group.${name}`) : Number(own)
    }
    return {
      lockDurationMs: setting('share.record.lock.duration.ms'),
      deliveryLimit: setting('share.delivery.count.limit'),
      inFlightMax: setting('share.partition.max.record.locks'),
      readCommitted: values.get('share.isolation.level') === 'read_committed',
      mayRenew: values.get('share.renew.acknowledge.enable') !== 'false',
    }
  }

  offsetReset(groupId: string): OffsetReset {
    const value = this.#image.config('group', groupId).values.get('share.auto.offset.reset') ?? 'latest'
    if (value === 'latest' || value === 'earliest') return value
    return { durationMs: durationMs(value.slice(value.indexOf(':') + 1)) }
  }
}

const DURATION = /^\+?P(?:\+?(\d+)D)?(?:T(?:\+?(\d+)H)?(?:\+?(\d+)M)?(?:\+?(\d+)(?:[.,](\d{0,9}))?S)?)?$/i
const SECONDS = { DAY: 86_400, HOUR: 3_600, MINUTE: 60 } as const

/** Of an ISO-8601 duration that the configuration has accepted. */
export function durationMs(text: string): number {
  const [, days = '0', hours = '0', minutes = '0', seconds = '0', fraction = ''] = DURATION.exec(text) ?? []
  const whole = Number(days) * SECONDS.DAY + Number(hours) * SECONDS.HOUR + Number(minutes) * SECONDS.MINUTE
  return (whole + Number(seconds)) * 1000 + Math.floor(Number(fraction.padEnd(3, '0').slice(0, 3)))
}
