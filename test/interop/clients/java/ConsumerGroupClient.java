// Members of consumer groups, several in one JVM, each in a thread of its own. One command per line on standard input:
//   start NAME TOPIC|~EXPRESSION key=value...    close NAME
// One event per line on standard output: NAME assigned topic-0,topic-1 | NAME record VALUE | NAME closed | NAME failed REASON
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.SubscriptionPattern;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.StringDeserializer;

public class ConsumerGroupClient {
    static final Map<String, Member> MEMBERS = new ConcurrentHashMap<>();

    static synchronized void say(String name, String event) {
        System.out.println(name + " " + event);
    }

    static class Member extends Thread implements ConsumerRebalanceListener {
        final KafkaConsumer<String, String> consumer;
        volatile boolean closing;

        Member(String name, String topics, Properties properties) {
            super(name);
            consumer = new KafkaConsumer<>(properties, new StringDeserializer(), new StringDeserializer());
            if (topics.startsWith("~")) consumer.subscribe(new SubscriptionPattern(topics.substring(1)), this);
            else consumer.subscribe(List.of(topics.split(",")), this);
        }

        public void run() {
            try {
                while (!closing) {
                    var records = consumer.poll(Duration.ofMillis(100));
                    if (records.isEmpty()) continue;
                    consumer.commitSync();
                    for (var record : records) say(getName(), "record " + record.value());
                }
            } catch (WakeupException expected) {
                // Closing.
            } catch (Exception failure) {
                say(getName(), "failed " + failure);
            }
            consumer.close();
            say(getName(), "closed");
        }

        void tell() {
            String held = consumer.assignment().stream().map(TopicPartition::toString).sorted().collect(Collectors.joining(","));
            say(getName(), "assigned " + held);
        }

        public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
            tell();
        }

        public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
            String left = consumer.assignment().stream().filter(each -> !partitions.contains(each))
                .map(TopicPartition::toString).sorted().collect(Collectors.joining(","));
            say(getName(), "assigned " + left);
        }
    }

    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] words = line.split(" ");
            if (words[0].equals("close")) {
                Member member = MEMBERS.remove(words[1]);
                member.closing = true;
                continue;
            }
            Properties properties = new Properties();
            properties.put("bootstrap.servers", args[0]);
            properties.put("auto.offset.reset", "earliest");
            properties.put("enable.auto.commit", "false");
            for (int index = 3; index < words.length; index++) {
                int equals = words[index].indexOf('=');
                properties.put(words[index].substring(0, equals), words[index].substring(equals + 1));
            }
            Member member = new Member(words[1], words[2], properties);
            MEMBERS.put(words[1], member);
            member.start();
        }
        System.exit(0);
    }
}
