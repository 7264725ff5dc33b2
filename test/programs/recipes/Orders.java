import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** What a user of docs/recipes/SamsaBroker.java would write; the extension is driven as JUnit does. */
final class Orders {
  void areKept(SamsaBroker kafka) {
    Map<String, Object> settings = Map.of("bootstrap.servers", kafka.getBootstrapServers(), "group.id", "g", "auto.offset.reset", "earliest");
    try (var producer = new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer());
        var consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer())) {
      producer.send(new ProducerRecord<>("orders", "tea"));
      producer.flush();
      consumer.subscribe(List.of("orders"));
      var records = consumer.poll(Duration.ofSeconds(60));
      System.out.println("read " + records.iterator().next().value());
    }
  }

  public static void main(String... arguments) throws Exception {
    var extension = new SamsaExtension();
    var context = new org.junit.jupiter.api.extension.ExtensionContext();
    extension.beforeAll(context);
    var parameter = Orders.class.getDeclaredMethod("areKept", SamsaBroker.class).getParameters()[0];
    System.out.println("supported " + extension.supportsParameter(() -> parameter, context));
    var broker = (SamsaBroker) extension.resolveParameter(() -> parameter, context);
    new Orders().areKept(broker);
    extension.afterAll(context);
    broker.close();
    try {
      new SamsaBroker("--storage", "memory", "--set", "num.partitions=0");
    } catch (IllegalStateException error) {
      System.out.println("refused " + error.getMessage().contains("num.partitions: Value must be at least 1"));
    }
    try (var wide = new SamsaBroker("--storage", "memory", "--set", "num.partitions=3");
        var admin = Admin.create(Map.of("bootstrap.servers", wide.getBootstrapServers()))) {
      System.out.println("nodes " + admin.describeCluster().nodes().get().size());
    }
  }
}
