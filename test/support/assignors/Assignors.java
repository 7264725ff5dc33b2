// Kafka's own assignors of consumer and share groups, asked on standard input and answering on standard output.
//
// A case is a line `uniform|range|simple homogeneous|heterogeneous`, a line `T id partitions` per topic, a line
// `M memberId instanceId|- topic,topic,... topic:partition.partition,...` per member ('-' for nothing), and a line with a dot.
// Its answer is a line `memberId topic:partition.partition,...` per member in the order of the ids, and a line with a dot.
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.coordinator.group.api.assignor.GroupAssignment;
import org.apache.kafka.coordinator.group.api.assignor.SubscribedTopicDescriber;
import org.apache.kafka.coordinator.group.api.assignor.SubscriptionType;
import org.apache.kafka.coordinator.group.assignor.RangeAssignor;
import org.apache.kafka.coordinator.group.assignor.SimpleAssignor;
import org.apache.kafka.coordinator.group.assignor.UniformAssignor;
import org.apache.kafka.coordinator.group.modern.Assignment;
import org.apache.kafka.coordinator.group.modern.GroupSpecImpl;
import org.apache.kafka.coordinator.group.modern.MemberSubscriptionAndAssignmentImpl;

public class Assignors {
    record Topics(Map<Uuid, Integer> counts) implements SubscribedTopicDescriber {
        public int numPartitions(Uuid topic) {
            return counts.getOrDefault(topic, -1);
        }

        public Set<String> racksForPartition(Uuid topic, int partition) {
            return Set.of();
        }
    }

    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        StringBuilder out = new StringBuilder();
        for (String line = in.readLine(); line != null; line = in.readLine()) answer(line, in, out);
        System.out.print(out);
    }

    static void answer(String head, BufferedReader in, StringBuilder out) throws Exception {
        Map<Uuid, Integer> counts = new HashMap<>();
        Map<String, MemberSubscriptionAndAssignmentImpl> members = new HashMap<>();
        Map<Uuid, Map<Integer, String>> inverted = new HashMap<>();
        for (String line = in.readLine(); !line.equals("."); line = in.readLine()) {
            String[] words = line.split(" ");
            if (words[0].equals("T")) {
                counts.put(Uuid.fromString(words[1]), Integer.parseInt(words[2]));
                continue;
            }
            Set<Uuid> subscribed = new HashSet<>();
            if (!words[3].equals("-")) for (String topic : words[3].split(",")) subscribed.add(Uuid.fromString(topic));
            Map<Uuid, Set<Integer>> target = new HashMap<>();
            if (!words[4].equals("-")) {
                for (String held : words[4].split(",")) {
                    Uuid topic = Uuid.fromString(held.substring(0, held.indexOf(':')));
                    Set<Integer> partitions = new HashSet<>();
                    for (String partition : held.substring(held.indexOf(':') + 1).split("\\.")) {
                        partitions.add(Integer.parseInt(partition));
                        inverted.computeIfAbsent(topic, __ -> new HashMap<>()).put(Integer.parseInt(partition), words[1]);
                    }
                    target.put(topic, partitions);
                }
            }
            Optional<String> instance = words[2].equals("-") ? Optional.empty() : Optional.of(words[2]);
            members.put(words[1], new MemberSubscriptionAndAssignmentImpl(
                Optional.empty(), instance, subscribed, new Assignment(Collections.unmodifiableMap(target))));
        }
        SubscriptionType type = head.endsWith(" homogeneous") ? SubscriptionType.HOMOGENEOUS : SubscriptionType.HETEROGENEOUS;
        GroupSpecImpl spec = new GroupSpecImpl(Collections.unmodifiableMap(members), type, inverted, Optional.empty());
        Topics topics = new Topics(counts);
        GroupAssignment assigned = switch (head.substring(0, head.indexOf(' '))) {
            case "range" -> new RangeAssignor().assign(spec, topics);
            case "simple" -> new SimpleAssignor().assign(spec, topics);
            default -> new UniformAssignor().assign(spec, topics);
        };
        for (String member : new TreeSet<>(members.keySet())) {
            out.append(member).append(' ');
            var own = assigned.members().get(member);
            Map<String, Set<Integer>> sorted = new TreeMap<>();
            if (own != null) own.partitions().forEach((topic, set) -> sorted.put(topic.toString(), new TreeSet<>(set)));
            String separator = "";
            for (var entry : sorted.entrySet()) {
                if (entry.getValue().isEmpty()) continue;
                out.append(separator).append(entry.getKey()).append(':');
                String dot = "";
                for (int partition : entry.getValue()) {
                    out.append(dot).append(partition);
                    dot = ".";
                }
                separator = ",";
            }
            out.append('\n');
        }
        out.append(".\n");
    }
}
