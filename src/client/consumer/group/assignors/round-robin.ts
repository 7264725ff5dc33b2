/** All partitions of all topics in order, dealt to the members in turn; who does not subscribe to a topic is passed over. */
import { type Assignor, emptyAssignments, inMemberOrder, subscribersByTopic } from './assignor.ts'

/** All partitions of all topics, dealt out in turn. As Java's of that name. */
export const roundRobinAssignor: Assignor = {
  name: 'roundrobin',
  cooperative: false,
  assign({ members, partitionCount }) {
    const assignments = emptyAssignments(members)
    const order = inMemberOrder(members)
    let turn = 0
    for (const [topic, subscribers] of subscribersByTopic(members)) {
      const subscribed = new Set(subscribers)
      for (let partition = 0; partition < partitionCount(topic); partition++) {
        while (!subscribed.has(order[turn % order.length]!)) turn++
        assignments.get(order[turn % order.length]!.memberId)!.push({ topic, partition })
        turn++
      }
    }
    return assignments
  },
}
