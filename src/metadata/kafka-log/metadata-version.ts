/** The names of the levels of the feature `metadata.version`, as people know them. */

/** Releases with the number of their first level, and how many levels they brought. */
const RELEASES: readonly (readonly [release: string, firstLevel: number, levels: number, firstName: number])[] = [
  ['3.0', 1, 1, 1],
  ['3.1', 2, 1, 0],
  ['3.2', 3, 1, 0],
  ['3.3', 4, 4, 0],
  ['3.4', 8, 1, 0],
  ['3.5', 9, 3, 0],
  ['3.6', 12, 3, 0],
  ['3.7', 15, 5, 0],
  ['3.8', 20, 1, 0],
  ['3.9', 21, 1, 0],
  ['4.0', 22, 4, 0],
  ['4.1', 26, 2, 0],
  ['4.2', 28, 2, 0],
  ['4.3', 30, 1, 0],
]

/** `30` -> `4.3-IV0`; null for a level of a release that came later. */
export function metadataVersionName(level: number): string | null {
  for (const [release, first, levels, firstName] of RELEASES) {
    if (level >= first && level < first + levels) return `${release}-IV${level - first + firstName}`
  }
  return null
}
