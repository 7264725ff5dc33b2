import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.*;
import org.apache.kafka.common.acl.*;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.quota.*;
import org.apache.kafka.common.resource.*;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Drives every client-facing request that Kafka's Java clients can send, once or a few times, to be recorded on the way.
 * A step that fails is reported and does not matter: an error answer is an answer too.
 */
public class GoldenClient {
    private interface Step { Object run() throws Exception; }

    private static String bootstrap;

    private static void step(String name, Step step) {
        try {
            Object result = step.run();
            if (result instanceof KafkaFuture<?> future) future.get(20, TimeUnit.SECONDS);
            System.err.println("done: " + name);
        } catch (Throwable error) {
            Throwable cause = error.getCause() == null ? error : error.getCause();
            System.err.println("answered with an error: " + name + ": " + cause.getClass().getSimpleName() + " " + cause.getMessage());
        }
    }

    private static Properties properties(String... pairs) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        properties.put("client.id", "golden");
        for (int i = 0; i < pairs.length; i += 2) properties.put(pairs[i], pairs[i + 1]);
        return properties;
    }

    public static void main(String[] args) throws Exception {
        bootstrap = args[0];
        try (Admin admin = Admin.create(properties())) {
            topics(admin);
            produce();
            consume(admin, "classic");
            consume(admin, "consumer");
            transactions(admin);
            groups(admin);
            share(admin);
            cluster(admin);
            security(admin);
            cleanUp(admin);
        }
        System.exit(0);
    }

    private static void topics(Admin admin) {
        step("create topics", () -> admin.createTopics(List.of(
            new NewTopic("java-events", 3, (short) 1).configs(Map.of("retention.ms", "86400000")),
            new NewTopic("java-out", Map.of(0, List.of(1))),
            new NewTopic("java.collides_x", -1, (short) 3))).all());
        step("create partitions", () -> admin.createPartitions(Map.of("java-out", NewPartitions.increaseTo(2, List.of(List.of(1))))).all());
        step("describe topics", () -> admin.describeTopics(List.of("java-events", "missing")).allTopicNames());
        step("list topics", () -> admin.listTopics(new ListTopicsOptions().listInternal(true)).names());
        ConfigResource topic = new ConfigResource(ConfigResource.Type.TOPIC, "java-events");
        step("alter configs", () -> admin.incrementalAlterConfigs(Map.of(topic, List.of(
            new AlterConfigOp(new ConfigEntry("cleanup.policy", "compact"), AlterConfigOp.OpType.APPEND),
            new AlterConfigOp(new ConfigEntry("retention.ms", null), AlterConfigOp.OpType.DELETE)))).all());
        step("describe configs", () -> admin.describeConfigs(List.of(topic, new ConfigResource(ConfigResource.Type.GROUP, "g"))).all());
        step("list config resources", () -> admin.listConfigResources(Set.of(), new ListConfigResourcesOptions()).all());
    }

    private static void produce() {
        for (String acks : new String[] {"all", "0"}) {
            step("produce with acks " + acks, () -> {
                Properties properties = properties("acks", acks, "enable.idempotence", String.valueOf(acks.equals("all")), "compression.type", "gzip");
                try (var producer = new KafkaProducer<>(properties, new StringSerializer(), new StringSerializer())) {
                    for (int i = 0; i < 3; i++) producer.send(new ProducerRecord<>("java-events", i, "key" + i, "value" + i));
                    producer.send(new ProducerRecord<>("java-out", 0, 1700000000000L, null, "fünf")).get();
                }
                return null;
            });
        }
        step("produce too much", () -> {
            try (var producer = new KafkaProducer<>(properties("max.request.size", "4000000"), new StringSerializer(), new StringSerializer())) {
                producer.send(new ProducerRecord<>("missing-topic-!", "x")).get();
            }
            return null;
        });
    }

    private static Properties consumerProperties(String group, String protocol) {
        Properties properties = properties("group.id", group, "group.protocol", protocol, "auto.offset.reset", "earliest", "client.rack", "r1");
        properties.put("fetch.max.wait.ms", "200");
        if (protocol.equals("classic")) properties.put("group.instance.id", "static-1");
        return properties;
    }

    private static void consume(Admin admin, String protocol) {
        step("consume as " + protocol, () -> {
            try (var consumer = new KafkaConsumer<>(consumerProperties("group-" + protocol, protocol), new StringDeserializer(), new StringDeserializer())) {
                consumer.subscribe(List.of("java-events"));
                for (int i = 0; i < 12; i++) consumer.poll(Duration.ofMillis(300));
                consumer.commitSync();
                consumer.committed(Set.of(new TopicPartition("java-events", 0)));
                consumer.offsetsForTimes(Map.of(new TopicPartition("java-events", 0), 5L));
                consumer.endOffsets(List.of(new TopicPartition("java-events", 0)));
                consumer.partitionsFor("java-out");
                step("describe active " + protocol, () -> admin.describeConsumerGroups(List.of("group-" + protocol, "missing")).all());
                step("describe classic " + protocol, () -> admin.describeClassicGroups(List.of("group-" + protocol)).all());
                for (int i = 0; i < 12; i++) consumer.poll(Duration.ofMillis(300));
            }
            return null;
        });
        step("read committed", () -> {
            Properties properties = consumerProperties("none", "classic");
            properties.put("isolation.level", "read_committed");
            try (var consumer = new KafkaConsumer<>(properties, new StringDeserializer(), new StringDeserializer())) {
                TopicPartition partition = new TopicPartition("java-out", 0);
                consumer.assign(List.of(partition));
                consumer.seek(partition, new OffsetAndMetadata(0, Optional.of(0), ""));
                for (int i = 0; i < 4; i++) consumer.poll(Duration.ofMillis(300));
                consumer.seek(partition, 1_000_000);
                consumer.poll(Duration.ofMillis(500));
            }
            return null;
        });
    }

    private static void transactions(Admin admin) {
        step("transaction", () -> {
            try (var producer = new KafkaProducer<>(properties("transactional.id", "txn-1"), new StringSerializer(), new StringSerializer());
                 var consumer = new KafkaConsumer<>(consumerProperties("group-txn", "consumer"), new StringDeserializer(), new StringDeserializer())) {
                consumer.subscribe(List.of("java-events"));
                consumer.poll(Duration.ofMillis(2000));
                producer.initTransactions();
                producer.beginTransaction();
                producer.send(new ProducerRecord<>("java-out", 0, "k", "in transaction")).get();
                producer.sendOffsetsToTransaction(Map.of(new TopicPartition("java-events", 0), new OffsetAndMetadata(1, "meta")), consumer.groupMetadata());
                step("list transactions", () -> admin.listTransactions(new ListTransactionsOptions().filterStates(List.of(TransactionState.ONGOING))).all());
                step("describe transactions", () -> admin.describeTransactions(List.of("txn-1", "txn-missing")).all());
                step("describe producers", () -> admin.describeProducers(List.of(new TopicPartition("java-out", 0))).all());
                producer.commitTransaction();
                producer.beginTransaction();
                producer.send(new ProducerRecord<>("java-out", 0, "k", "to be aborted")).get();
                producer.abortTransaction();
            }
            return null;
        });
        step("fence", () -> admin.fenceProducers(List.of("txn-1")).all());
        step("abort", () -> admin.abortTransaction(new AbortTransactionSpec(new TopicPartition("java-out", 0), 1, (short) 0, 0)).all());
        step("terminate", () -> admin.forceTerminateTransaction("txn-1").result());
        consume(admin, "classic");
    }

    private static void groups(Admin admin) {
        step("list groups", () -> admin.listGroups().all());
        step("offsets of groups", () -> admin.listConsumerGroupOffsets(Map.of("group-classic", new ListConsumerGroupOffsetsSpec(), "missing", new ListConsumerGroupOffsetsSpec())).all());
        step("alter offsets", () -> admin.alterConsumerGroupOffsets("group-new", Map.of(new TopicPartition("java-events", 1), new OffsetAndMetadata(1))).all());
        step("delete offsets", () -> admin.deleteConsumerGroupOffsets("group-new", Set.of(new TopicPartition("java-events", 1))).all());
        step("remove members", () -> admin.removeMembersFromConsumerGroup("group-classic", new RemoveMembersFromConsumerGroupOptions(List.of(new MemberToRemove("static-1")))).all());
        step("describe streams groups", () -> admin.describeStreamsGroups(List.of("group-streams")).all());
        step("delete groups", () -> admin.deleteConsumerGroups(List.of("group-new", "missing")).all());
    }

    private static void share(Admin admin) {
        ConfigResource group = new ConfigResource(ConfigResource.Type.GROUP, "group-share");
        step("share from the start", () -> admin.incrementalAlterConfigs(Map.of(group, List.of(
            new AlterConfigOp(new ConfigEntry("share.auto.offset.reset", "earliest"), AlterConfigOp.OpType.SET)))).all());
        step("share", () -> {
            Properties properties = properties("group.id", "group-share", "share.acknowledgement.mode", "explicit");
            try (var consumer = new KafkaShareConsumer<>(properties, new StringDeserializer(), new StringDeserializer())) {
                consumer.subscribe(List.of("java-events"));
                for (int i = 0; i < 25; i++) {
                    for (var record : consumer.poll(Duration.ofMillis(300))) consumer.acknowledge(record, record.offset() % 2 == 0 ? AcknowledgeType.ACCEPT : AcknowledgeType.REJECT);
                    if (i % 2 == 0) consumer.commitSync();
                }
                step("describe share group", () -> admin.describeShareGroups(List.of("group-share")).all());
            }
            return null;
        });
        step("share offsets", () -> admin.listShareGroupOffsets(Map.of("group-share", new ListShareGroupOffsetsSpec())).all());
        step("alter share offsets", () -> admin.alterShareGroupOffsets("group-share", Map.of(new TopicPartition("java-events", 0), 0L)).all());
        step("delete share offsets", () -> admin.deleteShareGroupOffsets("group-share", Set.of("java-events")).all());
        step("delete share group", () -> admin.deleteShareGroups(List.of("group-share")).all());
    }

    private static void cluster(Admin admin) {
        TopicPartition partition = new TopicPartition("java-events", 0);
        step("describe cluster", () -> admin.describeCluster(new DescribeClusterOptions().includeAuthorizedOperations(true)).nodes());
        step("log dirs", () -> admin.describeLogDirs(List.of(1)).allDescriptions());
        step("move replica", () -> admin.alterReplicaLogDirs(Map.of(new TopicPartitionReplica("java-events", 0, 1), "/nowhere")).all());
        step("elect", () -> admin.electLeaders(ElectionType.PREFERRED, Set.of(partition)).all());
        step("reassign", () -> admin.alterPartitionReassignments(Map.of(partition, Optional.of(new NewPartitionReassignment(List.of(1))), new TopicPartition("java-events", 1), Optional.empty())).all());
        step("reassignments", () -> admin.listPartitionReassignments().reassignments());
        step("list offsets", () -> admin.listOffsets(Map.of(partition, OffsetSpec.maxTimestamp(), new TopicPartition("java-events", 1), OffsetSpec.earliestLocal())).all());
        step("delete records", () -> admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(1), new TopicPartition("java-events", 1), RecordsToDelete.beforeOffset(99))).all());
        step("quorum", () -> admin.describeMetadataQuorum().quorumInfo());
        step("features", () -> admin.describeFeatures().featureMetadata());
        step("update features", () -> admin.updateFeatures(Map.of("group.version", new FeatureUpdate((short) 1, FeatureUpdate.UpgradeType.UPGRADE)), new UpdateFeaturesOptions().validateOnly(true)).all());
        step("unregister", () -> admin.unregisterBroker(77).all());
        step("add voter", () -> admin.addRaftVoter(77, Uuid.randomUuid(), Set.of(new RaftVoterEndpoint("CONTROLLER", "127.0.0.1", 1))).all());
        step("remove voter", () -> admin.removeRaftVoter(77, Uuid.randomUuid()).all());
        ConfigResource metrics = new ConfigResource(ConfigResource.Type.CLIENT_METRICS, "subscription");
        step("subscribe to metrics", () -> admin.incrementalAlterConfigs(Map.of(metrics, List.of(
            new AlterConfigOp(new ConfigEntry("metrics", "org.apache.kafka.producer."), AlterConfigOp.OpType.SET),
            new AlterConfigOp(new ConfigEntry("interval.ms", "1000"), AlterConfigOp.OpType.SET)))).all());
        step("telemetry", () -> admin.clientInstanceId(Duration.ofSeconds(5)));
    }

    private static void security(Admin admin) {
        ClientQuotaEntity user = new ClientQuotaEntity(Map.of("user", "alice"));
        step("alter quotas", () -> admin.alterClientQuotas(List.of(new ClientQuotaAlteration(user, List.of(new ClientQuotaAlteration.Op("producer_byte_rate", 1024.0))))).all());
        step("describe quotas", () -> admin.describeClientQuotas(ClientQuotaFilter.contains(List.of(ClientQuotaFilterComponent.ofEntity("user", "alice")))).entities());
        step("alter scram", () -> admin.alterUserScramCredentials(List.of(
            new UserScramCredentialUpsertion("alice", new ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4096), "secret"),
            new UserScramCredentialDeletion("nobody", ScramMechanism.SCRAM_SHA_512))).all());
        step("describe scram", () -> admin.describeUserScramCredentials(List.of("alice", "nobody")).all());
        AclBinding acl = new AclBinding(new ResourcePattern(ResourceType.TOPIC, "java-", PatternType.PREFIXED), new AccessControlEntry("User:alice", "*", AclOperation.READ, AclPermissionType.ALLOW));
        step("create acls", () -> admin.createAcls(List.of(acl)).all());
        step("describe acls", () -> admin.describeAcls(AclBindingFilter.ANY).values());
        step("delete acls", () -> admin.deleteAcls(List.of(acl.toFilter())).all());
        step("create token", () -> admin.createDelegationToken().delegationToken());
        step("describe tokens", () -> admin.describeDelegationToken().delegationTokens());
        step("renew token", () -> admin.renewDelegationToken(new byte[] {1, 2, 3}).expiryTimestamp());
        step("expire token", () -> admin.expireDelegationToken(new byte[] {1, 2, 3}).expiryTimestamp());
    }

    private static void cleanUp(Admin admin) {
        step("delete topics", () -> admin.deleteTopics(List.of("java-out", "missing")).all());
        step("delete a topic by id", () -> admin.deleteTopics(TopicCollection.ofTopicIds(List.of(Uuid.randomUuid()))).all());
    }
}
