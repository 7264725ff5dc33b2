// The admin client against a real Kafka. Needs a JDK and Kafka's jars.

import { describeAdmin } from '../client/admin/contract.ts'
import { startKafka } from '../support/kafka-process.ts'
import { interopDescribe } from '../support/tools.ts'

interopDescribe('the client on Kafka', ['java'], () => describeAdmin('Apache Kafka', startKafka))
