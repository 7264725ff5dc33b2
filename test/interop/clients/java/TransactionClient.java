import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.function.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Produced;

/**
 * Transactions with the Java client, one short program per purpose. Each prints what came of it, one line per fact.
 *
 * <p>outcomes BOOTSTRAP TOPIC: commits, aborts, and a producer that is replaced. fill BOOTSTRAP TOPIC ID COUNT: one record per transaction, prints
 * the milliseconds. copy BOOTSTRAP FROM TO GROUP ID COUNT: reads, writes and commits its position in transactions, as a member of the group. count
 * BOOTSTRAP FROM TO APPLICATION FOLDER [PROTOCOL]: Kafka Streams counts words, exactly once, until it is killed or its input ends. join BOOTSTRAP
 * LEFT,RIGHT PAIRS,COUNTS APPLICATION FOLDER: Kafka Streams joins two topics in a window and counts the pairs. write BOOTSTRAP: records from its input.
 */
public final class TransactionClient {
  private static final Duration POLL = Duration.ofMillis(100);

  public static void main(String[] arguments) throws Exception {
    String bootstrap = arguments[1];
    switch (arguments[0]) {
      case "outcomes" -> outcomes(bootstrap, arguments[2]);
      case "fill" -> fill(bootstrap, arguments[2], arguments[3], Integer.parseInt(arguments[4]));
      case "copy" -> copy(bootstrap, Arrays.copyOfRange(arguments, 2, 6), Integer.parseInt(arguments[6]));
      case "count", "join" -> {
        String[] names = Arrays.copyOfRange(arguments, 2, 6);
        String[] from = names[0].split(",");
        String[] to = names[1].split(",");
        stream(bootstrap, names, arguments.length > 6 ? arguments[6] : "classic", builder -> {
          if (arguments[0].equals("count")) count(builder, from[0], to[0]);
          else join(builder, from, to);
        });
      }
      case "write" -> write(bootstrap);
      default -> throw new IllegalArgumentException(arguments[0]);
    }
    System.out.flush();
    Runtime.getRuntime().halt(0);
  }

  private static KafkaProducer<String, String> producer(String bootstrap, String id) {
    Properties settings = new Properties();
    settings.put("bootstrap.servers", bootstrap);
    settings.put("transactional.id", id);
    settings.put("linger.ms", "0");
    return new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer());
  }

  private static KafkaConsumer<String, String> consumer(String bootstrap, String isolation, String group) {
    Properties settings = new Properties();
    settings.put("bootstrap.servers", bootstrap);
    settings.put("isolation.level", isolation);
    settings.put("auto.offset.reset", "earliest");
    settings.put("enable.auto.commit", "false");
    if (group != null) settings.put("group.id", group);
    return new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer());
  }

  private static void outcomes(String bootstrap, String topic) {
    TopicPartition partition = new TopicPartition(topic, 0);
    try (var first = producer(bootstrap, topic + "-id"); var second = producer(bootstrap, topic + "-id")) {
      first.initTransactions();
      for (boolean commits : new boolean[] {true, false, true}) {
        first.beginTransaction();
        for (int index = 0; index < 3; index++) first.send(new ProducerRecord<>(topic, 0, null, (commits ? "kept " : "dropped ") + index));
        first.flush();
        if (commits) first.commitTransaction();
        else first.abortTransaction();
      }
      first.beginTransaction();
      first.abortTransaction();
      first.beginTransaction();
      first.send(new ProducerRecord<>(topic, 0, null, "of a fenced producer"));
      first.flush();
      second.initTransactions();
      try {
        first.commitTransaction();
        System.out.println("a fenced producer committed");
      } catch (Exception fenced) {
        System.out.println("fenced: " + fenced.getClass().getSimpleName());
      }
      second.beginTransaction();
      second.send(new ProducerRecord<>(topic, 0, null, "of the second"));
      second.commitTransaction();
    }
    for (String isolation : List.of("read_committed", "read_uncommitted")) {
      try (var reader = consumer(bootstrap, isolation, null)) {
        reader.assign(List.of(partition));
        long end = reader.endOffsets(List.of(partition)).get(partition);
        List<String> values = new ArrayList<>();
        while (reader.position(partition) < end) for (var record : reader.poll(POLL)) values.add(record.value());
        System.out.println(isolation + ": " + String.join(", ", values));
      }
    }
  }

  private static void fill(String bootstrap, String topic, String id, int count) {
    try (var producer = producer(bootstrap, id)) {
      producer.initTransactions();
      long began = System.nanoTime();
      for (int index = 0; index < count; index++) {
        producer.beginTransaction();
        producer.send(new ProducerRecord<>(topic, Integer.toString(index), id + " " + index));
        producer.commitTransaction();
      }
      System.out.println((System.nanoTime() - began) / 1_000_000);
    }
  }

  private static void copy(String bootstrap, String[] names, int count) {
    try (var producer = producer(bootstrap, names[3]); var consumer = consumer(bootstrap, "read_committed", names[2])) {
      producer.initTransactions();
      consumer.subscribe(List.of(names[0]));
      int copied = 0;
      while (copied < count) {
        var records = consumer.poll(POLL);
        if (records.isEmpty()) continue;
        producer.beginTransaction();
        Map<TopicPartition, OffsetAndMetadata> positions = new HashMap<>();
        for (ConsumerRecord<String, String> record : records) {
          producer.send(new ProducerRecord<>(names[1], record.key(), record.value()));
          positions.put(new TopicPartition(record.topic(), record.partition()), new OffsetAndMetadata(record.offset() + 1));
        }
        producer.sendOffsetsToTransaction(positions, consumer.groupMetadata());
        producer.commitTransaction();
        copied += records.count();
      }
      System.out.println("copied " + copied);
    }
  }

  private static void count(StreamsBuilder builder, String from, String to) {
    KStream<String, String> lines = builder.stream(from);
    lines
        .flatMapValues(line -> Arrays.asList(line.split(" ")))
        .groupBy((key, word) -> word, Grouped.with(Serdes.String(), Serdes.String()))
        .count()
        .toStream()
        .mapValues(value -> Long.toString(value))
        .to(to, Produced.with(Serdes.String(), Serdes.String()));
  }

  /** Pairs of the same key that are at most five seconds apart, each once, and how many there were for each key. */
  private static void join(StreamsBuilder builder, String[] from, String[] to) {
    KStream<String, String> left = builder.stream(from[0]);
    KStream<String, String> right = builder.stream(from[1]);
    JoinWindows window = JoinWindows.ofTimeDifferenceAndGrace(Duration.ofSeconds(5), Duration.ofHours(1));
    KStream<String, String> joined = left.join(right, (one, other) -> one + "+" + other, window);
    joined.to(to[0]);
    joined.groupByKey().count().toStream().mapValues(value -> Long.toString(value)).to(to[1], Produced.with(Serdes.String(), Serdes.String()));
  }

  /** Lines of topic, timestamp, key and value, separated by tabs. */
  private static void write(String bootstrap) throws Exception {
    Properties settings = new Properties();
    settings.put("bootstrap.servers", bootstrap);
    try (var producer = new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer())) {
      for (String line : new String(System.in.readAllBytes(), StandardCharsets.UTF_8).split("\n")) {
        String[] parts = line.split("\t");
        producer.send(new ProducerRecord<>(parts[0], null, Long.parseLong(parts[1]), parts[2], parts[3]));
      }
    }
  }

  private static void stream(String bootstrap, String[] names, String protocol, Consumer<StreamsBuilder> topology) throws Exception {
    Properties settings = new Properties();
    settings.put("bootstrap.servers", bootstrap);
    settings.put(StreamsConfig.APPLICATION_ID_CONFIG, names[2]);
    settings.put(StreamsConfig.STATE_DIR_CONFIG, names[3]);
    settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
    settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 100);
    settings.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
    settings.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.StringSerde.class);
    settings.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Serdes.StringSerde.class);
    settings.put(StreamsConfig.GROUP_PROTOCOL_CONFIG, protocol);
    if (protocol.equals("classic")) {
      settings.put("session.timeout.ms", 6000);
      settings.put("heartbeat.interval.ms", 500);
    }
    settings.put("auto.offset.reset", "earliest");
    StreamsBuilder builder = new StreamsBuilder();
    topology.accept(builder);
    KafkaStreams streams = new KafkaStreams(builder.build(), settings);
    streams.setStateListener((now, before) -> {
      System.out.println("state " + now);
      System.out.flush();
    });
    streams.start();
    while (System.in.read() != -1) {}
    streams.close(Duration.ofSeconds(10));
  }
}
