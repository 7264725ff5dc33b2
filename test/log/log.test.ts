import { describe, expect, test } from 'bun:test'
import { appendNow, numbers, readAll, temporaryFolder, World } from './support.ts'

describe('smoke', () => {
  test('appends are read back, across segments and restarts', async () => {
    let world = await World.open({ config: { segmentBytes: 1000, indexIntervalBytes: 100 } })
    let log = world.log()
    for (let index = 0; index < 100; index++) expect(appendNow(world, log, { count: 2 }).error).toBe(0)
    expect(log.segments.count).toBeGreaterThan(5)
    expect((await readAll(log)).offsets).toEqual(numbers(0, 200))
    world = await world.restart()
    expect(world.manager.cleanStart).toBe(true)
    log = world.log()
    expect(log.logEndOffset).toBe(200)
    expect((await readAll(log)).offsets).toEqual(numbers(0, 200))
    world = await world.kill()
    expect(world.manager.cleanStart).toBe(false)
    log = world.log()
    expect(log.logEndOffset).toBe(200)
    expect((await readAll(log)).offsets).toEqual(numbers(0, 200))
  })

  test('the same on the real disk', async () => {
    const folder = temporaryFolder()
    let world = await World.open({
      ...folder,
      directory: folder.path,
      config: { segmentBytes: 1000, indexIntervalBytes: 100 },
    })
    let log = world.log()
    for (let index = 0; index < 100; index++) expect(appendNow(world, log, { count: 2 }).error).toBe(0)
    world = await world.restart()
    log = world.log()
    expect((await readAll(log, 0, 100)).offsets).toEqual(numbers(0, 200))
    expect(world.logger.lines).toEqual([])
    await world.manager.close()
    folder.remove()
  })
})
