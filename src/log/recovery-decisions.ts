// What to do with what is found on disk at start. Every decision is a table: rows are tried in order, the first one whose conditions all
// hold gives the action. The tables are the documentation; test/log/recovery-decisions.test.ts walks through every combination.

/** A row's conditions: for each property the value it must have, or one of several. What is left out may be anything. */
type Conditions<S> = { readonly [K in keyof S]?: S[K] | readonly S[K][] }

export interface DecisionRow<S, A> {
  readonly name: string
  readonly when: Conditions<S>
  readonly action: A
}

/** The first row that fits. A table that has none for a situation is wrong, so that is an exception. */
export function decide<S extends object, A>(table: readonly DecisionRow<S, A>[], situation: S): DecisionRow<S, A> {
  for (const row of table) if (fits(row.when, situation)) return row
  throw new Error(`no row for ${JSON.stringify(situation)}`)
}

function fits<S extends object>(when: Conditions<S>, situation: S): boolean {
  for (const key of Object.keys(when) as (keyof S)[]) {
    const wanted = when[key]
    const value = situation[key]
    if (Array.isArray(wanted) ? !wanted.includes(value) : wanted !== value) return false
  }
  return true
}

// ---- where recovery begins --------------------------------------------------------------------------------------

export interface RecoveryPointSituation {
  readonly stop: 'clean' | 'unclean'
  /** The recovery-point checkpoint: has an entry for the log, has none, or could not be read (or is not there). */
  readonly checkpoint: 'entry' | 'no entry' | 'unreadable'
}

/** The offset from which on the log's bytes are not to be trusted. */
export type RecoveryPointSource = 'log end' | 'checkpoint' | 'log start'

export const RECOVERY_POINT_TABLE: readonly DecisionRow<RecoveryPointSituation, RecoveryPointSource>[] = [
  { name: 'clean stop: all was synced', when: { stop: 'clean' }, action: 'log end' },
  { name: 'unclean stop, checkpointed', when: { checkpoint: 'entry' }, action: 'checkpoint' },
  { name: 'unclean stop, nothing known', when: {}, action: 'log start' },
]

// ---- segments ---------------------------------------------------------------------------------------------------

export type IndexState = 'good' | 'missing' | 'bad'

export interface SegmentSituation {
  readonly stop: 'clean' | 'unclean'
  /** Where the segment lies as seen from the recovery point. */
  readonly place: 'below' | 'around' | 'above'
  /** Whether what a clean stop wrote down about the segment is there and agrees with the files. */
  readonly facts: 'agree' | 'none'
  readonly offsetIndex: IndexState
  readonly timeIndex: IndexState
  readonly txnIndex: 'good' | 'bad'
}

export type SegmentAction =
  /** Take it as it is; nothing of it is read. */
  | 'trust'
  /** Walk from the last indexed batch to the end: finds the end offset, and an index that is too short. */
  | 'check tail'
  /** Make offset and time index anew. */
  | 'rebuild indexes'
  /** Make the transaction index anew: replay of the whole log. */
  | 'rebuild transactions'
  /** Check every batch from the recovery point on, cut at the first bad one. */
  | 'scan from recovery point'
  /** The same from the segment's beginning, with new indexes. */
  | 'scan whole'

export const SEGMENT_TABLE: readonly DecisionRow<SegmentSituation, SegmentAction>[] = [
  { name: 'unclean, nothing of it was synced', when: { stop: 'unclean', place: 'above' }, action: 'scan whole' },
  {
    name: 'unclean, partly synced, offset index unusable',
    when: { stop: 'unclean', place: 'around', offsetIndex: ['missing', 'bad'] },
    action: 'scan whole',
  },
  {
    name: 'unclean, partly synced, time index unusable',
    when: { stop: 'unclean', place: 'around', timeIndex: ['missing', 'bad'] },
    action: 'scan whole',
  },
  {
    name: 'unclean, partly synced, transaction index unusable',
    when: { stop: 'unclean', place: 'around', txnIndex: 'bad' },
    action: 'rebuild transactions',
  },
  { name: 'unclean, partly synced', when: { stop: 'unclean', place: 'around' }, action: 'scan from recovery point' },
  { name: 'transaction index unusable', when: { txnIndex: 'bad' }, action: 'rebuild transactions' },
  { name: 'offset index unusable', when: { offsetIndex: ['missing', 'bad'] }, action: 'rebuild indexes' },
  { name: 'time index unusable', when: { timeIndex: ['missing', 'bad'] }, action: 'rebuild indexes' },
  { name: 'as the clean stop left it', when: { stop: 'clean', facts: 'agree' }, action: 'trust' },
  { name: 'left by another program, or not by a clean stop', when: {}, action: 'check tail' },
]

// ---- producer state ---------------------------------------------------------------------------------------------

export interface ProducerSituation {
  /** The newest snapshot that can be read, as seen from the offset up to which batches are trusted. */
  readonly snapshot: 'at the end' | 'older' | 'none'
  readonly transactions: 'kept' | 'rebuilt'
  readonly log: 'empty' | 'has batches'
}

export type ProducerAction = 'take snapshot' | 'replay after snapshot' | 'replay everything' | 'nothing to do'

export const PRODUCER_TABLE: readonly DecisionRow<ProducerSituation, ProducerAction>[] = [
  { name: 'no batches, no state', when: { log: 'empty', snapshot: 'none' }, action: 'nothing to do' },
  { name: 'transaction index is rebuilt on the way', when: { transactions: 'rebuilt' }, action: 'replay everything' },
  { name: 'snapshot as of the end', when: { snapshot: 'at the end' }, action: 'take snapshot' },
  { name: 'snapshot of before', when: { snapshot: 'older' }, action: 'replay after snapshot' },
  { name: 'no snapshot, also after a clean stop', when: { snapshot: 'none' }, action: 'replay everything' },
]

// ---- files left over --------------------------------------------------------------------------------------------

export interface FileSituation {
  readonly kind: 'segment' | 'index' | 'temporary' | 'deleted' | 'cleaned' | 'swap' | 'other'
  /** Whether a segment file (.log) of that base is there; for `.swap` files, one named .log.swap. */
  readonly log: 'there' | 'missing'
  /** A compaction's round of renames was not finished: output (.cleaned) with this base or a lower one is there. */
  readonly unfinishedRound: boolean
}

export type FileAction = 'keep' | 'remove' | 'finish swap'

export const FILE_TABLE: readonly DecisionRow<FileSituation, FileAction>[] = [
  { name: 'was to be deleted', when: { kind: 'deleted' }, action: 'remove' },
  { name: 'half-written small file', when: { kind: 'temporary' }, action: 'remove' },
  { name: 'unfinished compaction output', when: { kind: 'cleaned' }, action: 'remove' },
  { name: 'compaction output of an unfinished round', when: { kind: 'swap', unfinishedRound: true }, action: 'remove' },
  { name: 'finished compaction output', when: { kind: 'swap' }, action: 'finish swap' },
  { name: 'index without its segment', when: { kind: 'index', log: 'missing' }, action: 'remove' },
  { name: 'segment or index', when: { kind: ['segment', 'index'] }, action: 'keep' },
  { name: "not the log's own", when: { kind: 'other' }, action: 'keep' },
]
