/** Topic by topic, each member a run of neighbouring partitions; the first members get one more where it does not come out even. */
import { type Assignor, emptyAssignments, subscribersByTopic } from './assignor.ts'

/** Topic by topic, each member a run of neighbouring partitions. As Java's of that name. */
export const rangeAssignor: Assignor = {
  name: 'range',
  cooperative: false,
  assign({ members, partitionCount }) {
    const assignments = emptyAssignments(members)
    for (const [topic, subscribers] of subscribersByTopic(members)) {
      const count = partitionCount(topic)
      const each = Math.floor(count / subscribers.length)
      const more = count % subscribers.length
      let next = 0
      for (const [index, { memberId }] of subscribers.entries()) {
        const end = next + each + (index < more ? 1 : 0)
        for (; next < end; next++) assignments.get(memberId)!.push({ topic, partition: next })
      }
    }
    return assignments
  },
}
