import { expect, test } from 'bun:test'
import { Admin } from '../../../src/client/admin/admin.ts'
import { Broker } from '../../../src/index.ts'
import { describeAdmin } from './contract.ts'

describeAdmin('Samsa', () => Broker.start())

test('an address that is none is an error of the caller', () => {
  expect(() => new Admin({ bootstrap: 'nowhere:port' })).toThrow('bootstrap: ')
  expect(() => new Admin({})).toThrow('bootstrap: no broker address given')
})
