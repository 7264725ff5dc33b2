/**
 * java.util.PriorityQueue: which of several equal elements comes first depends on the shape of its heap. Kafka's task assignor
 * takes the least loaded process from one; the same heap makes the same choice.
 */
export class JavaPriorityQueue<Element> {
  readonly #heap: Element[] = []
  readonly #compare: (one: Element, other: Element) => number

  constructor(compare: (one: Element, other: Element) => number) {
    this.#compare = compare
  }

  get size(): number {
    return this.#heap.length
  }

  add(element: Element): void {
    this.#heap.push(element)
    this.#siftUp(this.#heap.length - 1, element)
  }

  /** The least; undefined: it is empty. */
  poll(): Element | undefined {
    const least = this.#heap[0]
    const last = this.#heap.pop()
    if (last !== undefined && this.#heap.length > 0) this.#siftDown(last)
    return least
  }

  #siftUp(from: number, element: Element): void {
    let index = from
    while (index > 0) {
      const parent = (index - 1) >>> 1
      const above = this.#heap[parent]!
      if (this.#compare(element, above) >= 0) break
      this.#heap[index] = above
      index = parent
    }
    this.#heap[index] = element
  }

  #siftDown(element: Element): void {
    const size = this.#heap.length
    const half = size >>> 1
    let index = 0
    while (index < half) {
      let child = 2 * index + 1
      const right = child + 1
      if (right < size && this.#compare(this.#heap[child]!, this.#heap[right]!) > 0) child = right
      const below = this.#heap[child]!
      if (this.#compare(element, below) <= 0) break
      this.#heap[index] = below
      index = child
    }
    this.#heap[index] = element
  }
}
