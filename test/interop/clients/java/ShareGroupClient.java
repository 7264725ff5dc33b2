// Members of share groups, several in one JVM, each in a thread of its own. One command per line on standard input:
//   start NAME TOPIC key=value...    close NAME
// With explicit acknowledgement a value says what becomes of it: `release...` is released at its first delivery and accepted later,
// `reject...` is rejected, everything else accepted. One event per line on standard output:
//   NAME record VALUE DELIVERY-COUNT | NAME done VALUE (its acknowledgement was confirmed) | NAME closed | NAME failed REASON
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.kafka.clients.consumer.AcknowledgeType;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.common.serialization.StringDeserializer;

public class ShareGroupClient {
    static final Map<String, Member> MEMBERS = new ConcurrentHashMap<>();

    static synchronized void say(String name, String event) {
        System.out.println(name + " " + event);
    }

    static class Member extends Thread {
        final KafkaShareConsumer<String, String> consumer;
        final boolean explicit;
        volatile boolean closing;

        Member(String name, String topics, Properties properties) {
            super(name);
            explicit = "explicit".equals(properties.get("share.acknowledgement.mode"));
            consumer = new KafkaShareConsumer<>(properties, new StringDeserializer(), new StringDeserializer());
            consumer.subscribe(List.of(topics.split(",")));
        }

        AcknowledgeType verdict(ConsumerRecord<String, String> record) {
            if (record.value().startsWith("reject")) return AcknowledgeType.REJECT;
            boolean first = record.deliveryCount().orElse((short) 1) == 1;
            return first && record.value().startsWith("release") ? AcknowledgeType.RELEASE : AcknowledgeType.ACCEPT;
        }

        public void run() {
            try {
                while (!closing) {
                    var records = consumer.poll(Duration.ofMillis(200));
                    if (records.isEmpty()) continue;
                    List<String> done = new ArrayList<>();
                    for (var record : records) {
                        say(getName(), "record " + record.value() + " " + record.deliveryCount().orElse((short) 0));
                        AcknowledgeType verdict = explicit ? verdict(record) : AcknowledgeType.ACCEPT;
                        if (explicit) consumer.acknowledge(record, verdict);
                        if (verdict != AcknowledgeType.RELEASE) done.add(record.value());
                    }
                    boolean confirmed = consumer.commitSync().values().stream().allMatch(error -> error.isEmpty());
                    if (confirmed) for (String value : done) say(getName(), "done " + value);
                }
            } catch (Exception failure) {
                say(getName(), "failed " + failure);
            }
            consumer.close();
            say(getName(), "closed");
        }
    }

    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] words = line.split(" ");
            if (words[0].equals("close")) {
                MEMBERS.remove(words[1]).closing = true;
                continue;
            }
            Properties properties = new Properties();
            properties.put("bootstrap.servers", args[0]);
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
