// The same groups go to Kafka's own assignor classes and to ours; the assignments must be the same, step by step.
import { expect } from 'bun:test'
import { join } from 'node:path'
import { javaTemporaryOption, kafkaJars, REPOSITORY } from '../../../../support/kafka-jars.ts'
import { fuzzRounds, Random } from '../../../../support/random.ts'
import { interopTest } from '../../../../support/tools.ts'
import { type AssignmentCase, answerText, caseText, groupHistory } from './assignor-cases.ts'

const SEED = Number(process.env.SAMSA_SEED ?? 20_848)
const HISTORIES = fuzzRounds(150)
const KINDS = [
  { assignor: 'uniform', homogeneous: true },
  { assignor: 'uniform', homogeneous: false },
  { assignor: 'range', homogeneous: true },
  { assignor: 'range', homogeneous: false },
  { assignor: 'simple', homogeneous: true },
  { assignor: 'simple', homogeneous: false },
]

async function kafkaAnswers(cases: readonly AssignmentCase[]): Promise<string> {
  const program = join(REPOSITORY, 'test/support/assignors/Assignors.java')
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

interopTest('hundreds of changing groups are assigned as Kafka assigns them', ['java'], async () => {
  const cases: AssignmentCase[] = []
  for (const [index, kind] of KINDS.entries()) {
    const random = new Random(SEED + index)
    for (let history = 0; history < HISTORIES; history++) cases.push(...groupHistory(random, { ...kind, steps: 6 }))
  }
  const answers = (await kafkaAnswers(cases)).split(/(?<=^\.\n)/m)
  expect(answers).toHaveLength(cases.length)
  for (const [index, each] of cases.entries()) {
    // The seed and the case are in the message of a failure.
    expect(`seed ${SEED}\n${caseText(each)}${answerText(each)}`).toBe(
      `seed ${SEED}\n${caseText(each)}${answers[index]}`,
    )
  }
})
