// The same applications go to Kafka's own task assignor and to ours; the assignments must be the same, step by step.
import { expect } from 'bun:test'
import { join } from 'node:path'
import { javaTemporaryOption, kafkaJars, REPOSITORY } from '../../../../support/kafka-jars.ts'
import { fuzzRounds, Random } from '../../../../support/random.ts'
import { interopTest } from '../../../../support/tools.ts'
import { answerText, caseText, type TaskCase, taskHistory } from './task-cases.ts'

const SEED = Number(process.env.SAMSA_SEED ?? 1_071)
const HISTORIES = fuzzRounds(120)

async function kafkaAnswers(cases: readonly TaskCase[]): Promise<string> {
  const program = join(REPOSITORY, 'test/support/assignors/TaskAssignor.java')
  const command = ['java', javaTemporaryOption(), '-cp', `${kafkaJars()}/*`, program]
  const process = Bun.spawn(command, { stdin: 'pipe', stdout: 'pipe', stderr: 'pipe' })
  process.stdin.write(cases.map(caseText).join(''))
  process.stdin.end()
  const [text, errors, code] = await Promise.all([
    new Response(process.stdout).text(),
    new Response(process.stderr).text(),
    process.exited,
  ])
  if (code !== 0) throw new Error(errors)
  return text
}

interopTest('hundreds of changing applications get the tasks that Kafka gives them', ['java'], async () => {
  const random = new Random(SEED)
  const cases = Array.from({ length: HISTORIES }, () => [...taskHistory(random, 6)]).flat()
  const answers = (await kafkaAnswers(cases)).split(/(?<=^\.\n)/m)
  expect(answers).toHaveLength(cases.length)
  for (const [index, each] of cases.entries()) {
    // The seed and the case are in the message of a failure.
    expect(`seed ${SEED}\n${caseText(each)}${answerText(each)}`).toBe(
      `seed ${SEED}\n${caseText(each)}${answers[index]}`,
    )
  }
})
