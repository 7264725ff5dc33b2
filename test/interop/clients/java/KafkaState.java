import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ListOffsetsOptions;
import org.apache.kafka.clients.admin.ListShareGroupOffsetsSpec;
import org.apache.kafka.clients.admin.ListTopicsOptions;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.ScramCredentialInfo;
import org.apache.kafka.clients.admin.ScramMechanism;
import org.apache.kafka.clients.admin.UserScramCredentialDeletion;
import org.apache.kafka.clients.admin.UserScramCredentialUpsertion;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.GroupType;
import org.apache.kafka.common.IsolationLevel;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.quota.ClientQuotaAlteration;
import org.apache.kafka.common.quota.ClientQuotaEntity;
import org.apache.kafka.common.quota.ClientQuotaFilter;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourceType;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * `fill BOOTSTRAP` leaves something of every kind in a cluster; `more BOOTSTRAP` goes on in it; `describe BOOTSTRAP` prints, as JSON, what
 * a client can learn about it that must survive when another broker takes over its data.
 */
public final class KafkaState {
  private static final List<String> CODECS = List.of("none", "gzip", "snappy", "lz4", "zstd");
  private static final Duration POLL = Duration.ofMillis(200);
  private final String bootstrap;
  private final Admin admin;

  private KafkaState(String bootstrap) {
    this.bootstrap = bootstrap;
    admin = Admin.create(Map.of("bootstrap.servers", bootstrap, "default.api.timeout.ms", "60000"));
  }

  public static void main(String[] arguments) throws Exception {
    KafkaState state = new KafkaState(arguments[1]);
    if (arguments[0].equals("fill")) {
      state.fill();
      System.out.println("{}");
    } else if (arguments[0].equals("more")) {
      state.more();
      System.out.println("{}");
    } else {
      ObjectMapper json = new ObjectMapper().enable(SerializationFeature.ORDER_MAP_ENTRIES_BY_KEYS);
      System.out.println(json.writeValueAsString(state.describe()));
    }
    System.out.flush();
    // Without closing: a transaction stays open.
    Runtime.getRuntime().halt(0);
  }

  private static <T> T get(KafkaFuture<T> future) throws Exception {
    return future.get(60, TimeUnit.SECONDS);
  }

  // ---- filling

  private void fill() throws Exception {
    topics();
    records();
    groups();
    transactions();
    settings();
    security();
  }

  /** Everybody goes on, and the producer whose transaction is open begins anew. */
  private void more() throws Exception {
    for (String topic : List.of("plain", "compacted", "dotted.name_x", "appended", "again", "trimmed")) send(topic, "zstd", 30);
    try (var producer = transactional("t-done")) {
      producer.beginTransaction();
      producer.send(record("accounts", "more", 1));
      producer.commitTransaction();
    }
    try (var producer = transactional("t-open")) {
      producer.beginTransaction();
      producer.send(record("accounts", "fenced the open one", 2));
      producer.abortTransaction();
    }
    for (String protocol : List.of("classic", "consumer")) {
      Map<String, String> member = Map.of("group.id", "g-" + protocol, "group.protocol", protocol, "auto.offset.reset", "none");
      try (var consumer = consumer(member)) {
        consumer.subscribe(List.of("plain"));
        int seen = 0;
        while (seen < 30) seen += consumer.poll(POLL).count();
        if (seen != 30) throw new IllegalStateException("group g-" + protocol + " read " + seen + " records again");
        consumer.commitSync();
      }
    }
    get(admin.createTopics(List.of(new NewTopic("fresh", 2, (short) 1))).all());
    send("fresh", "gzip", 5);
    get(admin.deleteTopics(List.of("grown")).all());
  }

  private void topics() throws Exception {
    List<NewTopic> topics = new ArrayList<>();
    topics.add(new NewTopic("plain", 3, (short) 1));
    for (String codec : CODECS) {
      String stored = codec.equals("none") ? "uncompressed" : codec;
      topics.add(new NewTopic("stored-" + codec, 1, (short) 1).configs(Map.of("compression.type", stored)));
    }
    topics.add(new NewTopic("compacted", 2, (short) 1).configs(
        Map.of("cleanup.policy", "compact", "min.cleanable.dirty.ratio", "0.01", "segment.ms", "1000")));
    topics.add(new NewTopic("dotted.name_x", 1, (short) 1).configs(Map.of("retention.ms", "-1", "max.message.bytes", "2000000")));
    topics.add(new NewTopic("appended", 1, (short) 1).configs(Map.of("message.timestamp.type", "LogAppendTime")));
    for (String name : List.of("grown", "gone", "again", "trimmed", "accounts")) topics.add(new NewTopic(name, 1, (short) 1));
    get(admin.createTopics(topics).all());
    get(admin.createPartitions(Map.of("grown", NewPartitions.increaseTo(4))).all());
    send("again", "none", 7);
    get(admin.deleteTopics(List.of("gone", "again")).all());
    while (get(admin.listTopics().names()).contains("again")) Thread.sleep(50);
    get(admin.createTopics(List.of(new NewTopic("again", 2, (short) 1).configs(Map.of("segment.bytes", "1048576")))).all());
  }

  private void records() throws Exception {
    for (String codec : CODECS) {
      send("plain", codec, 40);
      send("stored-" + codec, "none", 20);
    }
    for (int round = 0; round < 5; round++) {
      send("compacted", "lz4", 30);
      // Each round in a segment of its own, so that there is something to compact.
      Thread.sleep(1100);
    }
    for (String topic : List.of("dotted.name_x", "appended", "grown", "again", "trimmed")) send(topic, "zstd", 25);
    get(admin.deleteRecords(Map.of(new TopicPartition("trimmed", 0), RecordsToDelete.beforeOffset(11))).all());
  }

  private void send(String topic, String codec, int count) throws Exception {
    Properties properties = new Properties();
    properties.put("bootstrap.servers", bootstrap);
    properties.put("compression.type", codec);
    properties.put("linger.ms", "20");
    try (var producer = new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer())) {
      for (int index = 0; index < count; index++) producer.send(record(topic, codec, index));
    }
  }

  private static ProducerRecord<byte[], byte[]> record(String topic, String codec, int index) {
    byte[] key = topic.equals("compacted") || index % 3 != 0 ? bytes("key-" + index % 10) : null;
    byte[] value = index % 11 == 10 ? null : bytes((codec + "-" + index + " ").repeat(index + 1));
    List<Header> headers = index % 4 != 0 ? List.of() : List.of(new RecordHeader("h", bytes("v" + index)), new RecordHeader("h", null));
    return new ProducerRecord<>(topic, null, null, key, value, headers);
  }

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  private void groups() throws Exception {
    for (String protocol : List.of("classic", "consumer")) {
      try (var consumer = consumer(Map.of("group.id", "g-" + protocol, "group.protocol", protocol, "auto.offset.reset", "earliest"))) {
        consumer.subscribe(List.of("plain", "grown"));
        int seen = 0;
        while (seen < 100) seen += consumer.poll(POLL).count();
        consumer.commitSync();
      }
    }
    get(admin.alterConsumerGroupOffsets("g-offsets-only", Map.of(
        new TopicPartition("plain", 0), new OffsetAndMetadata(3, "by hand"),
        new TopicPartition("dotted.name_x", 0), new OffsetAndMetadata(9))).all());
    shareGroup();
    get(admin.alterConsumerGroupOffsets("g-deleted", Map.of(new TopicPartition("plain", 0), new OffsetAndMetadata(1))).all());
    get(admin.deleteConsumerGroups(List.of("g-deleted")).all());
  }

  private void shareGroup() throws Exception {
    alter(ConfigResource.Type.GROUP, "g-share", set("share.auto.offset.reset", "earliest"));
    Properties properties = new Properties();
    properties.put("bootstrap.servers", bootstrap);
    properties.put("group.id", "g-share");
    try (var consumer = new KafkaShareConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
      consumer.subscribe(List.of("again"));
      int seen = 0;
      while (seen < 25) seen += consumer.poll(POLL).count();
      consumer.commitSync();
    }
  }

  private KafkaConsumer<byte[], byte[]> consumer(Map<String, String> more) {
    Properties properties = new Properties();
    properties.put("bootstrap.servers", bootstrap);
    properties.put("enable.auto.commit", "false");
    properties.putAll(more);
    return new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer());
  }

  private KafkaProducer<byte[], byte[]> transactional(String id) {
    Properties properties = new Properties();
    properties.put("bootstrap.servers", bootstrap);
    properties.put("transactional.id", id);
    properties.put("transaction.timeout.ms", "900000");
    var producer = new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer());
    producer.initTransactions();
    return producer;
  }

  private void transactions() throws Exception {
    try (var producer = transactional("t-done")) {
      for (int round = 0; round < 4; round++) {
        producer.beginTransaction();
        for (int index = 0; index < 5; index++) producer.send(record("accounts", "txn" + round, index));
        if (round == 2) {
          try (var consumer = consumer(Map.of("group.id", "g-txn"))) {
            producer.sendOffsetsToTransaction(
                Map.of(new TopicPartition("plain", 1), new OffsetAndMetadata(17, "in a transaction")), consumer.groupMetadata());
          }
        }
        if (round % 2 == 0) producer.commitTransaction();
        else producer.abortTransaction();
      }
    }
    var open = transactional("t-open");
    open.beginTransaction();
    for (int index = 0; index < 3; index++) open.send(record("accounts", "open", index));
    open.flush();
  }

  private static AlterConfigOp set(String name, String value) {
    return new AlterConfigOp(new ConfigEntry(name, value), value == null ? AlterConfigOp.OpType.DELETE : AlterConfigOp.OpType.SET);
  }

  private void alter(ConfigResource.Type type, String name, AlterConfigOp... operations) throws Exception {
    get(admin.incrementalAlterConfigs(Map.of(new ConfigResource(type, name), List.of(operations))).all());
  }

  private void settings() throws Exception {
    alter(ConfigResource.Type.TOPIC, "plain", set("retention.ms", "86400000000"), set("segment.bytes", "2097152"));
    alter(ConfigResource.Type.TOPIC, "plain", set("retention.ms", null));
    alter(ConfigResource.Type.BROKER, "1", set("log.cleaner.threads", "2"), set("max.connections", "4000"));
    alter(ConfigResource.Type.BROKER, "", set("log.retention.ms", "700000000"));
    alter(ConfigResource.Type.GROUP, "g-consumer", set("consumer.session.timeout.ms", "50000"));
    alter(ConfigResource.Type.CLIENT_METRICS, "all", set("interval.ms", "60000"), set("metrics", "org.apache.kafka.producer."),
        set("match", "client_id=app-.*"));
    List<ClientQuotaAlteration> quotas = new ArrayList<>();
    quotas.add(quota(map("user", "alice"), "producer_byte_rate", 1000000.0));
    quotas.add(quota(map("user", "alice", "client-id", "app"), "consumer_byte_rate", 2000000.0));
    quotas.add(quota(map("client-id", null), "request_percentage", 1234.5));
    quotas.add(quota(map("user", null), "controller_mutation_rate", 77.0));
    quotas.add(quota(map("ip", "10.1.2.3"), "connection_creation_rate", 9000.0));
    quotas.add(quota(map("user", "removed"), "producer_byte_rate", 5.0));
    get(admin.alterClientQuotas(quotas).all());
    get(admin.alterClientQuotas(List.of(quota(map("user", "removed"), "producer_byte_rate", null))).all());
  }

  private static Map<String, String> map(String... pairs) {
    Map<String, String> map = new TreeMap<>();
    for (int index = 0; index < pairs.length; index += 2) map.put(pairs[index], pairs[index + 1]);
    return map;
  }

  private static ClientQuotaAlteration quota(Map<String, String> entity, String key, Double value) {
    return new ClientQuotaAlteration(new ClientQuotaEntity(entity), List.of(new ClientQuotaAlteration.Op(key, value)));
  }

  private void security() throws Exception {
    // Nobody else has bob's mechanism: a Kafka that reads his removal together with another user's change of it can lose that change.
    var sha256 = new ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4096);
    var sha512 = new ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 8192);
    get(admin.alterUserScramCredentials(List.of(
        new UserScramCredentialUpsertion("alice", sha512, "old"), new UserScramCredentialUpsertion("bob", sha256, "hidden"))).all());
    get(admin.alterUserScramCredentials(List.of(new UserScramCredentialUpsertion("alice", sha512, "secret"))).all());
    get(admin.alterUserScramCredentials(List.of(new UserScramCredentialDeletion("bob", ScramMechanism.SCRAM_SHA_256))).all());
    List<AclBinding> acls = new ArrayList<>();
    for (String principal : List.of("User:alice", "User:bob")) {
      acls.add(new AclBinding(new ResourcePattern(ResourceType.TOPIC, "plain", PatternType.LITERAL),
          new AccessControlEntry(principal, "*", AclOperation.READ, AclPermissionType.ALLOW)));
      acls.add(new AclBinding(new ResourcePattern(ResourceType.GROUP, "g-", PatternType.PREFIXED),
          new AccessControlEntry(principal, "10.0.0.1", AclOperation.ALL, AclPermissionType.DENY)));
    }
    get(admin.createAcls(acls).all());
    get(admin.deleteAcls(List.of(acls.get(3).toFilter())).all());
  }

  // ---- describing

  private Map<String, Object> describe() throws Exception {
    Map<String, Object> all = new TreeMap<>();
    all.put("clusterId", get(admin.describeCluster().clusterId()));
    Set<String> names = new TreeSet<>(get(admin.listTopics(new ListTopicsOptions().listInternal(true)).names()));
    List<TopicPartition> partitions = new ArrayList<>();
    Map<String, Object> topics = new TreeMap<>();
    for (var description : get(admin.describeTopics(names).allTopicNames()).values()) {
      topics.put(description.name(), List.of(description.topicId().toString(), description.isInternal(), description.partitions().size()));
      description.partitions().forEach(each -> partitions.add(new TopicPartition(description.name(), each.partition())));
    }
    all.put("topics", topics);
    List<TopicPartition> own = partitions.stream().filter(each -> !each.topic().startsWith("__")).toList();
    all.put("configs", configs(names));
    all.put("offsets", offsets(own));
    all.put("producers", producers(own));
    all.put("groups", groupStates());
    Map<String, Object> shares = new TreeMap<>();
    get(admin.listShareGroupOffsets(Map.of("g-share", new ListShareGroupOffsetsSpec())).partitionsToOffsetInfo("g-share"))
        .forEach((partition, info) -> shares.put(partition.toString(), info == null ? null : info.startOffset()));
    all.put("shares", shares);
    all.put("transactions", transactionStates());
    all.put("quotas", quotaStates());
    all.put("scram", scramStates());
    Map<String, Object> features = new TreeMap<>();
    get(admin.describeFeatures().featureMetadata()).finalizedFeatures().forEach((name, range) -> features.put(name, range.maxVersionLevel()));
    all.put("features", features);
    all.put("uncommitted", recordsOf(own, "read_uncommitted"));
    all.put("committed", recordsOf(own, "read_committed"));
    return all;
  }

  private Map<String, Object> configs(Set<String> topics) throws Exception {
    List<ConfigResource> resources = new ArrayList<>();
    topics.forEach(name -> resources.add(new ConfigResource(ConfigResource.Type.TOPIC, name)));
    resources.add(new ConfigResource(ConfigResource.Type.BROKER, "1"));
    resources.add(new ConfigResource(ConfigResource.Type.BROKER, ""));
    resources.add(new ConfigResource(ConfigResource.Type.GROUP, "g-consumer"));
    resources.add(new ConfigResource(ConfigResource.Type.CLIENT_METRICS, "all"));
    Map<String, Object> found = new TreeMap<>();
    for (var described : get(admin.describeConfigs(resources).all()).entrySet()) {
      Map<String, String> dynamic = new TreeMap<>();
      for (ConfigEntry entry : described.getValue().entries()) {
        if (entry.source().name().startsWith("DYNAMIC")) dynamic.put(entry.name(), entry.source() + " " + entry.value());
      }
      found.put(described.getKey().type() + " " + described.getKey().name(), dynamic);
    }
    return found;
  }

  private Map<String, Object> offsets(List<TopicPartition> partitions) throws Exception {
    Map<String, Object> found = new TreeMap<>();
    // Kafka's newest of a trimmed log is a record that was deleted.
    Map<String, OffsetSpec> specs = Map.of("earliest", OffsetSpec.earliest(), "latest", OffsetSpec.latest(), "newest", OffsetSpec.maxTimestamp());
    for (var spec : specs.entrySet()) {
      for (IsolationLevel level : IsolationLevel.values()) {
        Map<TopicPartition, OffsetSpec> wanted = new java.util.HashMap<>();
        for (TopicPartition each : partitions) {
          if (!spec.getKey().equals("newest") || !each.topic().equals("trimmed")) wanted.put(each, spec.getValue());
        }
        get(admin.listOffsets(wanted, new ListOffsetsOptions(level)).all())
            .forEach((partition, info) -> found.put(spec.getKey() + " " + level + " " + partition, info.offset() + " " + info.timestamp()));
      }
    }
    return found;
  }

  private Map<String, Object> producers(List<TopicPartition> partitions) throws Exception {
    Map<String, Object> found = new TreeMap<>();
    get(admin.describeProducers(partitions).all()).forEach((partition, state) -> {
      Set<String> active = new TreeSet<>();
      state.activeProducers().forEach(each -> active.add(each.producerId() + " " + each.producerEpoch() + " " + each.lastSequence() + " "
          + each.lastTimestamp() + " " + each.coordinatorEpoch() + " " + each.currentTransactionStartOffset()));
      found.put(partition.toString(), active);
    });
    return found;
  }

  private Map<String, Object> groupStates() throws Exception {
    Map<String, Object> found = new TreeMap<>();
    for (var group : get(admin.listGroups().all())) {
      Map<String, Object> offsets = new TreeMap<>();
      boolean isShare = group.type().map(type -> type == GroupType.SHARE).orElse(false);
      if (!isShare) get(admin.listConsumerGroupOffsets(group.groupId()).partitionsToOffsetAndMetadata()).forEach((partition, offset) ->
          offsets.put(partition.toString(), offset == null ? null : offset.offset() + " " + offset.leaderEpoch() + " " + offset.metadata()));
      found.put(group.groupId(), List.of(String.valueOf(group.type()), group.protocol(), String.valueOf(group.groupState()), offsets));
    }
    return found;
  }

  private Map<String, Object> transactionStates() throws Exception {
    Collection<String> ids = get(admin.listTransactions().all()).stream().map(each -> each.transactionalId()).toList();
    Map<String, Object> found = new TreeMap<>();
    get(admin.describeTransactions(ids).all()).forEach((id, each) -> found.put(id, List.of(each.state().toString(), each.producerId(),
        each.producerEpoch(), each.transactionTimeoutMs(), each.transactionStartTimeMs().orElse(-1),
        new TreeSet<>(each.topicPartitions().stream().map(TopicPartition::toString).toList()))));
    return found;
  }

  private Map<String, Object> quotaStates() throws Exception {
    Map<String, Object> found = new TreeMap<>();
    get(admin.describeClientQuotas(ClientQuotaFilter.all()).entities())
        .forEach((entity, values) -> found.put(new TreeMap<>(entity.entries()).toString(), new TreeMap<>(values)));
    return found;
  }

  private Map<String, Object> scramStates() throws Exception {
    Map<String, Object> found = new TreeMap<>();
    get(admin.describeUserScramCredentials().all()).forEach((user, each) -> found.put(user, new TreeSet<>(each.credentialInfos().stream().map(Object::toString).toList())));
    return found;
  }

  /** Number and digest of all records of each partition: offsets, times, keys, values, headers and leader epochs. */
  private Map<String, Object> recordsOf(List<TopicPartition> partitions, String isolation) throws Exception {
    Map<TopicPartition, MessageDigest> digests = new java.util.HashMap<>();
    Map<TopicPartition, Integer> counts = new java.util.HashMap<>();
    Map<String, String> newest = new TreeMap<>();
    for (TopicPartition partition : partitions) digests.put(partition, MessageDigest.getInstance("SHA-256"));
    try (var consumer = consumer(Map.of("isolation.level", isolation))) {
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
      while (partitions.stream().anyMatch(each -> consumer.position(each) < ends.get(each))) {
        for (var record : consumer.poll(POLL)) {
          TopicPartition partition = new TopicPartition(record.topic(), record.partition());
          // How far a compaction has come is nobody's promise, the newest record of a key is.
          if (record.topic().equals("compacted")) {
            newest.put(partition + " " + text(record.key()), line(record));
          } else {
            digests.get(partition).update(bytes(line(record)));
            counts.merge(partition, 1, Integer::sum);
          }
        }
      }
    }
    Map<String, Object> found = new TreeMap<>(newest);
    digests.forEach((partition, digest) ->
        found.put(partition.toString(), counts.getOrDefault(partition, 0) + " " + Base64.getEncoder().encodeToString(digest.digest())));
    return found;
  }

  private static String line(ConsumerRecord<byte[], byte[]> record) {
    StringBuilder line = new StringBuilder();
    line.append(record.offset()).append(' ').append(record.timestampType()).append(' ').append(record.timestamp()).append(' ');
    line.append(record.leaderEpoch()).append(' ').append(text(record.key())).append(' ').append(text(record.value()));
    for (Header header : record.headers()) line.append(' ').append(header.key()).append('=').append(text(header.value()));
    return line.append('\n').toString();
  }

  private static String text(byte[] value) {
    return value == null ? "null" : Base64.getEncoder().encodeToString(value);
  }
}
