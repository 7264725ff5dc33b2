/**
 * Where Samsa does something else than Kafka 4.3 on purpose. A part of docs/compatibility.md, which compatibility.ts
 * writes; each row names the test that shows Samsa's side of it.
 */
export interface DeliberateDifference {
  readonly situation: string
  readonly kafka: string
  readonly samsa: string
  /** The file of the test. */
  readonly test: string
}

export const DELIBERATE_DIFFERENCES: readonly DeliberateDifference[] = [
  {
    situation: 'A Produce with null records',
    kafka: 'never answers',
    samsa: 'answers INVALID_RECORD',
    test: 'test/differential/cases-produce.ts',
  },
  {
    situation: 'A legacy AlterConfigs that names a resource twice',
    kafka: 'never answers',
    samsa: 'answers INVALID_REQUEST',
    test: 'test/differential/cases-configs.ts',
  },
  {
    situation: 'A Fetch with negative max_bytes',
    kafka: 'answers UNKNOWN_SERVER_ERROR',
    samsa: 'answers INVALID_REQUEST for each partition',
    test: 'test/differential/cases-fetch.ts',
  },
  {
    situation: 'A Metadata topic with neither name nor id',
    kafka: 'answers UNKNOWN_SERVER_ERROR',
    samsa: 'answers INVALID_REQUEST for it',
    test: 'test/differential/cases-cluster.ts',
  },
  {
    situation: 'An OffsetFetch of a consumer group with a member epoch and no member id',
    kafka: 'answers UNKNOWN_SERVER_ERROR',
    samsa: 'answers UNKNOWN_MEMBER_ID',
    test: 'test/differential/cases-consumer-groups.ts',
  },
  {
    situation: 'A StreamsGroupHeartbeat of a member with an endpoint while source topics are missing',
    kafka: 'answers UNKNOWN_SERVER_ERROR',
    samsa: 'answers with the status that names the topics',
    test: 'test/differential/cases-streams-groups.ts',
  },
  {
    situation: 'A member that wants no topics joins a consumer group whose next assignment is due',
    kafka: 'may assign as if all members wanted the same: topics that others want are left without a reader',
    samsa: 'assigns to each what it wants',
    test: 'test/coordinator/group/consumer/heartbeat.test.ts',
  },
  {
    situation: 'A regular expression over topics of more than 1024 characters',
    kafka: 'compiles it',
    samsa: 'answers INVALID_REGULAR_EXPRESSION',
    test: 'test/broker/topic-patterns.test.ts',
  },
  {
    situation: 'An uncompressed batch whose records have wrong offset deltas',
    kafka: 'stores it and serves offsets that overlap',
    samsa: 'answers INVALID_RECORD',
    test: 'test/differential/cases-produce.ts',
  },
  {
    situation: 'Two names in one CreateTopics that differ only in `.` and `_`',
    kafka: 'creates both',
    samsa: 'creates the first, refuses the second with INVALID_TOPIC_EXCEPTION, as it does with an existing topic',
    test: 'test/differential/cases-topics.ts',
  },
  {
    situation: 'CreatePartitions to a number beyond what a broker can take',
    kafka: 'answers UNKNOWN_SERVER_ERROR',
    samsa: 'answers INVALID_PARTITIONS',
    test: 'test/differential/cases-topics.ts',
  },
  {
    situation: 'A compressed batch that expands to far more than it seems',
    kafka: 'expands it',
    samsa: 'stops at a limit and refuses it',
    test: 'test/hostile/hostile-input.test.ts',
  },
  {
    situation: 'Many connections that announce large requests and send nothing',
    kafka: 'sets the memory aside at the announcement',
    samsa: 'holds what has arrived',
    test: 'test/hostile/hostile-input.test.ts',
  },
  {
    situation: 'A kill right after DeleteRecords was answered',
    kafka: 'may serve the deleted records again',
    samsa: 'the new log start was durable before the answer',
    test: 'test/log/recovery.test.ts',
  },
  {
    situation: 'A time index or a producer snapshot that is missing or damaged after a clean stop',
    kafka: 'searches by time find wrong offsets; a repeated batch is taken again',
    samsa: 'is seen at the start and made anew from the log',
    test: 'test/log/recovery.test.ts',
  },
  {
    situation: 'A checkpoint file that cannot be read',
    kafka: 'takes the data folder offline and exits',
    samsa: 'warns and finds out from the logs',
    test: 'test/log/recovery.test.ts',
  },
  {
    situation: 'A call to a data folder fails, or the disk is full',
    kafka: 'takes the folder offline at the first one',
    samsa: 'takes it offline if a small file cannot be written there either; a full disk is tried again',
    test: 'test/log/folders.test.ts',
  },
  {
    situation: 'A crash in the middle of a move between data folders leaves two folders of a partition',
    kafka: 'refuses to start',
    samsa: 'goes on with the complete one',
    test: 'test/log/moves.test.ts',
  },
  {
    situation: "A batch length in a sealed segment that points past the segment's end",
    kafka: 'goes on silently in the next segment',
    samsa: 'answers an error at that place',
    test: 'test/log/read.test.ts',
  },
  {
    situation: 'A folder such as `lost+found` in the data folder',
    kafka: 'refuses to start',
    samsa: 'leaves it alone and says so',
    test: 'test/log/manager.test.ts',
  },
  {
    situation: 'Adding to a transaction while the one before it is ending',
    kafka: 'answers CONCURRENT_TRANSACTIONS; clients come back after a pause',
    samsa: 'waits for the end, at most add.partitions.to.txn.retry.backoff.max.ms, and answers then',
    test: 'test/coordinator/txn/shard.test.ts',
  },
  {
    situation: 'An AddPartitionsToTxn of version 4 and up without transactions',
    kafka: 'never answers',
    samsa: 'answers',
    test: 'test/differential/cases-transactions.ts',
  },
  {
    situation: 'A kill while the markers of an ended transaction are being written',
    kafka: 'on one node some are skipped after the restart',
    samsa: 'all are written before the port opens',
    test: 'test/crash/transactions.test.ts',
  },
  {
    situation: 'A full disk',
    kafka: 'answers KAFKA_STORAGE_ERROR once, then exits',
    samsa: 'refuses writes with KAFKA_STORAGE_ERROR, goes on reading, and writes again when there is space',
    test: 'test/broker/server.test.ts',
  },
  {
    situation: 'A quota for an ip that is given as a host name',
    kafka: 'asks the name service, and counts the address that it had then',
    samsa: 'answers INVALID_REQUEST: only addresses are counted',
    test: 'test/metadata/client-quotas.test.ts',
  },
  {
    situation: 'A ShareFetch of an unknown topic id',
    kafka: 'answers UNKNOWN_SERVER_ERROR',
    samsa: 'answers UNKNOWN_TOPIC_ID for it',
    test: 'test/differential/cases-share-fetch.ts',
  },
  {
    situation: 'UpdateFeatures of kraft.version',
    kafka: 'accepts level 1, after which voters can be added',
    samsa: 'refuses it: the metadata has one voter, which is the broker',
    test: 'test/differential/cases-features.ts',
  },
  {
    situation: 'UnregisterBroker of a running broker',
    kafka: 'forgets it until it registers again',
    samsa: 'answers INVALID_REQUEST: a registration ends when its broker stops',
    test: 'test/broker/cluster-admin.test.ts',
  },
  {
    situation: 'A broker whose offsets.topic.segment.bytes (or that of another internal topic) no topic may have',
    kafka: 'starts; the coordinator is never available, and only the log says why',
    samsa: 'does not start, and says why',
    test: 'test/metadata/broker-config.test.ts',
  },
]
