/** Where the jars of a real Apache Kafka come from: a folder that is there, or Maven. */
import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

/** What the comparison is about; other versions work by SAMSA_KAFKA_LIBS. */
const KAFKA_VERSION = '4.3.1'
const SCALA_VERSION = '2.13'
const LOCAL_FOLDER = '.cache/kafka-libs'

/** The folder with Kafka's jars. Fetches them with Maven where there are none. */
export async function kafkaJars(options: { onProgress: (text: string) => void }): Promise<string> {
  const named = process.env.SAMSA_KAFKA_LIBS
  if (named !== undefined && named !== '') {
    if (existsSync(named)) return resolve(named)
    throw new Error(`SAMSA_KAFKA_LIBS names ${named}, which does not exist`)
  }
  const folder = resolve(LOCAL_FOLDER)
  if (existsSync(folder)) return folder
  if (Bun.which('mvn') === null) {
    throw new Error(
      `no Apache Kafka to compare with: set SAMSA_KAFKA_LIBS to the libs folder of an unpacked Kafka ${KAFKA_VERSION}, ` +
        `or install Maven (mvn), which fetches it into ${LOCAL_FOLDER}; --samsa-only does without`,
    )
  }
  options.onProgress(`fetching Apache Kafka ${KAFKA_VERSION} with Maven`)
  await fetchWithMaven(folder)
  return folder
}

/** What is compared with: the version that the jars say, and the Java that runs it. */
export function describeKafka(jars: string): string {
  const core = readdirSync(jars).find((name) => /^kafka_[\d.]+-\d.*\.jar$/.test(name))
  const version = core?.replace(/^kafka_[\d.]+-(.*)\.jar$/, '$1') ?? 'of an unknown version'
  const java = Bun.spawnSync(['java', '-version'], { stdout: 'ignore', stderr: 'pipe' }).stderr.toString()
  return `${version}, ${java.split('\n')[0] ?? 'an unknown Java'}, heap 1 GB, G1`
}

export function requireJava(): void {
  if (Bun.which('java') === null) throw new Error('Apache Kafka needs Java, and there is no java in the path')
}

async function fetchWithMaven(folder: string): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), 'samsa-bench-maven-'))
  const fresh = `${folder}.new`
  try {
    writeFileSync(join(work, 'pom.xml'), projectFile())
    rmSync(fresh, { recursive: true, force: true })
    const command = ['mvn', '-q', '-B', 'dependency:copy-dependencies', `-DoutputDirectory=${fresh}`]
    const maven = Bun.spawn([...command, '-DincludeScope=runtime'], { cwd: work, stdout: 'pipe', stderr: 'pipe' })
    const [output, errors] = await Promise.all([new Response(maven.stdout).text(), new Response(maven.stderr).text()])
    if ((await maven.exited) !== 0) {
      const reason = `${output}\n${errors}`.split('\n').find((line) => line.includes('ERROR')) ?? 'no reason given'
      throw new Error(`Maven could not fetch Apache Kafka: ${reason}`)
    }
    renameSync(fresh, folder)
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

function projectFile(): string {
  return `<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>samsa</groupId>
  <artifactId>kafka-to-compare-with</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_${SCALA_VERSION}</artifactId>
      <version>${KAFKA_VERSION}</version>
    </dependency>
  </dependencies>
</project>
`
}
