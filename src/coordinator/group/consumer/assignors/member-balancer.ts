/**
 * The subscribers of one topic in the order of their loads, for giving to the least loaded and taking from the most loaded while the
 * caller changes one load per step.
 *
 * Shape: `sorted` stays as it was at the start. Those in `[0, leastEnd)` have been lifted to `leastLoad`, those in
 * `[mostStart, mostEnd)` brought down to `mostLoad`; a range takes in the next members when all of it has had its turn. So each
 * step costs next to nothing, and the loads of members in between are never looked at before a range reaches them.
 */
export class MemberBalancer {
  readonly #loads: readonly number[]
  readonly #sorted: number[]
  /** Most loaded less least loaded, at the start. */
  readonly spread: number
  #leastEnd = 0
  #leastLoad: number
  #nextLeast = 0
  #mostStart: number
  #mostEnd: number
  #mostLoad: number
  #nextMost: number

  /** Member indexes, at least one, and the loads of all members, which change with every step of the caller. */
  constructor(members: readonly number[], loads: readonly number[]) {
    const sorted = [...members].sort((one, other) => loads[one]! - loads[other]! || one - other)
    const least = loads[sorted[0]!]!
    const most = loads[sorted[sorted.length - 1]!]!
    this.#loads = loads
    this.#sorted = sorted
    this.spread = most - least
    this.#leastLoad = least - 1
    this.#mostStart = sorted.length
    this.#mostEnd = sorted.length
    this.#mostLoad = most + 1
    this.#nextMost = sorted.length - 1
  }

  get isBalanced(): boolean {
    return this.#mostLoad - this.#leastLoad <= 1
  }

  /** The member to give the next partition to. */
  nextLeastLoaded(): number {
    if (this.#nextLeast >= this.#leastEnd) {
      this.#leastLoad++
      while (this.#leastEnd < this.#sorted.length && this.#loadAt(this.#leastEnd) === this.#leastLoad) this.#leastEnd++
      this.#nextLeast = 0
    }
    return this.#sorted[this.#nextLeast++]!
  }

  /** The member to take a partition from; null: all were excluded. */
  nextMostLoaded(): number | null {
    if (this.#nextMost < this.#mostStart) {
      // All of the range were excluded: it begins anew at the load of the next member.
      if (this.#mostEnd <= this.#mostStart && this.#mostStart > 0) this.#mostLoad = this.#loadAt(this.#mostStart - 1)
      else this.#mostLoad--
      while (this.#mostStart > 0 && this.#loadAt(this.#mostStart - 1) === this.#mostLoad) this.#mostStart--
      this.#nextMost = this.#mostEnd - 1
    }
    return this.#nextMost < 0 ? null : this.#sorted[this.#nextMost--]!
  }

  /** The member that was taken last has nothing to give: it leaves the range. */
  excludeMostLoaded(): void {
    const at = this.#nextMost + 1
    const last = this.#mostEnd - 1
    const excluded = this.#sorted[at]!
    this.#sorted[at] = this.#sorted[last]!
    this.#sorted[last] = excluded
    this.#mostEnd--
  }

  #loadAt(index: number): number {
    return this.#loads[this.#sorted[index]!]!
  }
}
