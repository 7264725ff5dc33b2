import { describe, expect, test } from 'bun:test'
import type { ConfigDefinition, ConfigType } from '../../src/metadata/config-definitions/definition.ts'
import {
  between,
  listOf,
  nonEmptyString,
  oneOfIgnoringCase,
  shareOffsetReset,
  throttledReplicas,
  type Validator,
} from '../../src/metadata/config-definitions/validators.ts'
import { doubleText, parseConfigValue } from '../../src/metadata/config-values.ts'

function definition(type: ConfigType, validator: Validator | null = null): ConfigDefinition {
  const mode = 'cluster-wide' as const
  return { name: 'x', type, defaultValue: '', validator, mode, importance: 'low', internal: false, documentation: null }
}

/** Value and canonical text, or null if refused. */
function parse(type: ConfigType, text: string, validator: Validator | null = null): unknown {
  const parsed = parseConfigValue(definition(type, validator), text)
  return parsed.ok ? [parsed.value, parsed.text] : null
}

describe('numbers', () => {
  test.each([
    ['int', '2147483647', [2147483647, '2147483647']],
    ['int', '2147483648', null],
    ['int', '-2147483648', [-2147483648, '-2147483648']],
    ['int', ' 007 ', [7, '7']],
    ['int', '+5', [5, '5']],
    ['int', '-0', [0, '0']],
    ['int', '1.0', null],
    ['int', '1e3', null],
    ['int', '', null],
    ['short', '32767', [32767, '32767']],
    ['short', '32768', null],
    ['long', '9007199254740991', [9007199254740991, '9007199254740991']],
    // Beyond 2^53 the number is the nearest that is exact; the text stays.
    ['long', '9223372036854775807', [9007199254740991, '9223372036854775807']],
    ['long', '-9223372036854775808', [-9007199254740991, '-9223372036854775808']],
    ['long', '9223372036854775808', null],
    ['double', '1', [1, '1.0']],
    ['double', '.5', [0.5, '0.5']],
    ['double', '5.', [5, '5.0']],
    ['double', '1e3', [1000, '1000.0']],
    ['double', '0.5f', [0.5, '0.5']],
    ['double', '1,5', null],
    ['double', 'Infinity', [Number.POSITIVE_INFINITY, 'Infinity']],
  ] as const)('%s %p', (type, text, expected) => {
    expect(parse(type, text)).toEqual(expected)
  })

  test.each([
    [0, '0.0'],
    [-0, '-0.0'],
    [0.001, '0.001'],
    [0.0001, '1.0E-4'],
    [1e7, '1.0E7'],
    [9999999, '9999999.0'],
    [1.5e10, '1.5E10'],
    [Number.MAX_VALUE, '1.7976931348623157E308'],
    [-2.5, '-2.5'],
  ])('%p is spelled %p, as in Java', (value, text) => {
    expect(doubleText(value)).toBe(text)
  })
})

describe('other types', () => {
  test.each([
    ['boolean', 'TRUE', [true, 'true']],
    ['boolean', ' false ', [false, 'false']],
    ['boolean', '1', null],
    ['list', '', [[], '']],
    ['list', ' a , b ', [['a', 'b'], 'a,b']],
    ['list', 'a,,b', [['a', '', 'b'], 'a,,b']],
    ['string', ' x ', ['x', 'x']],
    ['password', ' secret ', [' secret ', ' secret ']],
  ] as const)('%s %p', (type, text, expected) => {
    expect(parse(type, text)).toEqual(expected as unknown[] | null)
  })

  test('a refusal names the key, the value and what is wrong; a secret is not shown', () => {
    const refused = parseConfigValue(definition('int', between(1, 5)), '9')
    expect(refused).toEqual({
      ok: false,
      reason: 'Invalid value 9 for configuration x: Value must be no more than 5',
    })
    const secret = parseConfigValue(definition('password', nonEmptyString), '')
    expect(secret.ok).toBe(false)
    if (!secret.ok) expect(secret.reason).toContain('[hidden]')
  })
})

describe('validators', () => {
  const mode = oneOfIgnoringCase('DISABLED', 'UPGRADE')
  const policies = listOf({ values: ['compact', 'delete'], mayBeEmpty: false })
  test.each([
    ['string', mode, 'upgrade', true],
    ['string', mode, 'downgrade', false],
    ['list', policies, 'compact,delete', true],
    ['list', policies, 'compact,other', false],
    ['list', policies, '', false],
    ['list', policies, 'compact,', false],
    ['list', listOf({ mayBeEmpty: true }), '', true],
    ['list', throttledReplicas, '*', true],
    ['list', throttledReplicas, '0:1,12:3', true],
    ['list', throttledReplicas, '*,0:1', false],
    ['list', throttledReplicas, '0-1', false],
    ['string', shareOffsetReset, 'latest', true],
    ['string', shareOffsetReset, 'LATEST', false],
    ['string', shareOffsetReset, 'by_duration:PT1H30M', true],
    ['string', shareOffsetReset, 'by_duration:P2DT0.5S', true],
    ['string', shareOffsetReset, 'by_duration:P', false],
    ['string', shareOffsetReset, 'by_duration:PT', false],
    ['string', shareOffsetReset, 'by_duration:P1Y', false],
    ['string', shareOffsetReset, 'by_duration:-PT1H', false],
  ] as const)('%s %o: %p is allowed: %p', (type, validator, text, allowed) => {
    expect(parse(type, text, validator) !== null).toBe(allowed)
  })
})
