import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.CloseOptions;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** The Java client behind the contract of ../README.md. */
public final class JavaClient {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final long TIMEOUT_SECONDS = 30;
  private final String bootstrap;
  private Member member;

  private JavaClient(String bootstrap) {
    this.bootstrap = bootstrap;
  }

  public static void main(String[] arguments) throws Exception {
    JavaClient client = new JavaClient(arguments[0]);
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      JsonNode command = JSON.readTree(line);
      ObjectNode reply = JSON.createObjectNode().put("id", command.get("id").asInt());
      try {
        reply.set("result", client.run(command));
      } catch (Exception failure) {
        reply.put("error", failure.toString());
      }
      emit(reply);
    }
    Runtime.getRuntime().halt(0);
  }

  private static synchronized void emit(JsonNode message) {
    System.out.println(message);
    System.out.flush();
  }

  private JsonNode run(JsonNode command) throws Exception {
    String topic = command.path("topic").asText();
    switch (command.get("command").asText()) {
      case "create":
        create(topic, command.get("partitions").asInt());
        return JSON.nullNode();
      case "produce":
        produce(topic, command);
        return JSON.nullNode();
      case "consume":
        return consume(command.get("partitions"));
      case "offsetByTime":
        return offsetByTime(new TopicPartition(topic, command.get("partition").asInt()), command.get("timestamp").asLong());
      case "join":
        member = new Member(command.get("group").asText(), topic);
        member.start();
        return JSON.nullNode();
      case "leave":
        member.leave();
        return JSON.nullNode();
      default:
        throw new IllegalArgumentException("unknown command " + command);
    }
  }

  private void create(String topic, int partitions) throws Exception {
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
      admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1))).all().get(TIMEOUT_SECONDS, TimeUnit.SECONDS);
    }
  }

  private void produce(String topic, JsonNode command) throws Exception {
    Properties settings = new Properties();
    settings.put("bootstrap.servers", bootstrap);
    settings.put("compression.type", command.get("codec").asText());
    settings.put("linger.ms", "50");
    try (var producer = new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer())) {
      List<Future<RecordMetadata>> sent = new ArrayList<>();
      for (JsonNode record : command.get("records")) {
        RecordHeaders headers = new RecordHeaders();
        record.get("headers").forEach(pair -> headers.add(pair.get(0).asText(), bytes(pair.get(1))));
        Long timestamp = record.hasNonNull("timestamp") ? record.get("timestamp").asLong() : null;
        int partition = command.get("partition").asInt();
        sent.add(producer.send(
            new ProducerRecord<>(topic, partition, timestamp, bytes(record.get("key")), bytes(record.get("value")), headers)));
      }
      for (Future<RecordMetadata> each : sent) each.get(TIMEOUT_SECONDS, TimeUnit.SECONDS);
    }
  }

  private KafkaConsumer<byte[], byte[]> consumer(Map<String, Object> more) {
    Properties settings = new Properties();
    settings.put("bootstrap.servers", bootstrap);
    settings.put("enable.auto.commit", "false");
    settings.put("auto.offset.reset", "earliest");
    settings.putAll(more);
    return new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer());
  }

  private JsonNode consume(JsonNode partitions) {
    int expected = 0;
    List<TopicPartition> wanted = new ArrayList<>();
    for (JsonNode each : partitions) {
      wanted.add(new TopicPartition(each.get(0).asText(), each.get(1).asInt()));
      expected += each.get(2).asInt();
    }
    ArrayNode records = JSON.createArrayNode();
    try (var consumer = consumer(Map.of())) {
      consumer.assign(wanted);
      long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(TIMEOUT_SECONDS);
      while (records.size() < expected) {
        if (System.nanoTime() > deadline) throw new IllegalStateException(records.size() + " of " + expected + " records");
        consumer.poll(Duration.ofMillis(500)).forEach(record -> records.add(line(record)));
      }
    }
    return records;
  }

  private JsonNode offsetByTime(TopicPartition partition, long timestamp) {
    try (var consumer = consumer(Map.of())) {
      OffsetAndTimestamp found = consumer.offsetsForTimes(Map.of(partition, timestamp)).get(partition);
      return JSON.getNodeFactory().numberNode(found == null ? -1L : found.offset());
    }
  }

  private static byte[] bytes(JsonNode text) {
    return text.isNull() ? null : Base64.getDecoder().decode(text.asText());
  }

  private static String text(byte[] bytes) {
    return bytes == null ? null : Base64.getEncoder().encodeToString(bytes);
  }

  private static ObjectNode line(ConsumerRecord<byte[], byte[]> record) {
    ObjectNode line = JSON.createObjectNode();
    line.put("topic", record.topic()).put("partition", record.partition()).put("offset", record.offset());
    line.put("timestamp", record.timestamp()).put("key", text(record.key())).put("value", text(record.value()));
    ArrayNode headers = line.putArray("headers");
    for (Header header : record.headers()) headers.addArray().add(header.key()).add(text(header.value()));
    return line;
  }

  /** A group member in a thread of its own. */
  private final class Member extends Thread implements ConsumerRebalanceListener {
    private final String group;
    private final String topic;
    private final KafkaConsumer<byte[], byte[]> consumer;
    private volatile boolean leaving;
    private volatile Exception failure;

    Member(String group, String topic) {
      this.group = group;
      this.topic = topic;
      this.consumer = consumer(Map.of("group.id", group, "heartbeat.interval.ms", 500, "session.timeout.ms", 10000));
    }

    void leave() throws Exception {
      leaving = true;
      join();
      if (failure != null) throw failure;
    }

    @Override
    public void run() {
      try {
        consumer.subscribe(List.of(topic), this);
        while (!leaving) {
          var records = consumer.poll(Duration.ofMillis(100));
          for (var record : records) emit(JSON.createObjectNode().put("event", "record").set("record", line(record)));
          if (!records.isEmpty()) consumer.commitSync();
        }
      } catch (Exception thrown) {
        failure = thrown;
        emit(JSON.createObjectNode().put("event", "failed").put("error", group + ": " + thrown));
      } finally {
        consumer.close(CloseOptions.timeout(Duration.ofSeconds(10)));
      }
    }

    @Override
    public void onPartitionsAssigned(Collection<TopicPartition> added) {
      report();
    }

    @Override
    public void onPartitionsRevoked(Collection<TopicPartition> revoked) {}

    private void report() {
      ObjectNode event = JSON.createObjectNode().put("event", "assigned");
      ArrayNode partitions = event.putArray("partitions");
      consumer.assignment().stream().map(TopicPartition::partition).sorted().forEach(partitions::add);
      emit(event);
    }
  }
}
