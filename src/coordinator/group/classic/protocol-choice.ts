/**
 * Which protocol a generation uses: candidates are the names that every member lists, each member votes for the first
 * candidate in its list, most votes win. On a tie the candidate that the first member (in join order) prefers wins, so that
 * the same members always choose the same.
 */
export function chooseProtocol(preferences: readonly (readonly string[])[]): string | null {
  const [first, ...others] = preferences
  if (first === undefined) return null
  const sets = others.map((names) => new Set(names))
  const candidates = new Set(first.filter((name) => sets.every((names) => names.has(name))))
  const votes = new Map<string, number>()
  for (const names of preferences) {
    const vote = names.find((name) => candidates.has(name))
    if (vote !== undefined) votes.set(vote, (votes.get(vote) ?? 0) + 1)
  }
  let chosen: string | null = null
  for (const name of candidates) {
    // Candidates come in the first member's order, and only more votes replace what came before.
    if (chosen === null || (votes.get(name) ?? 0) > (votes.get(chosen) ?? 0)) chosen = name
  }
  return chosen
}
