// Kafka's own task assignor of streams groups, asked on standard input and answering on standard output.
//
// A case is a line `sticky standbys`, a line `S id tasks stateful|stateless` per subtopology, a line
// `M memberId processId active standby` per member, tasks as `id:partition.partition,...` ('-' for none), and a line with a dot.
// Its answer is a line `memberId active standby` per member in the order of the ids, and a line with a dot.
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.kafka.coordinator.group.streams.assignor.AssignmentMemberSpec;
import org.apache.kafka.coordinator.group.streams.assignor.GroupSpecImpl;
import org.apache.kafka.coordinator.group.streams.assignor.MemberAssignment;
import org.apache.kafka.coordinator.group.streams.assignor.StickyTaskAssignor;
import org.apache.kafka.coordinator.group.streams.assignor.TopologyDescriber;

public class TaskAssignor {
    record Topology(TreeMap<String, Integer> tasks, Set<String> stateful) implements TopologyDescriber {
        public List<String> subtopologies() {
            return List.copyOf(tasks.keySet());
        }

        public int maxNumInputPartitions(String subtopology) {
            return tasks.get(subtopology);
        }

        public boolean isStateful(String subtopology) {
            return stateful.contains(subtopology);
        }
    }

    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        StringBuilder out = new StringBuilder();
        for (String line = in.readLine(); line != null; line = in.readLine()) answer(line.split(" ")[1], in, out);
        System.out.print(out);
    }

    static void answer(String standbys, BufferedReader in, StringBuilder out) throws Exception {
        Topology topology = new Topology(new TreeMap<>(), new HashSet<>());
        Map<String, AssignmentMemberSpec> members = new HashMap<>();
        for (String line = in.readLine(); !line.equals("."); line = in.readLine()) {
            String[] words = line.split(" ");
            if (words[0].equals("S")) {
                topology.tasks().put(words[1], Integer.parseInt(words[2]));
                if (words[3].equals("stateful")) topology.stateful().add(words[1]);
            } else {
                members.put(words[1], new AssignmentMemberSpec(Optional.empty(), Optional.empty(), tasks(words[3]),
                    tasks(words[4]), Map.of(), words[2], Map.of(), Map.of(), Map.of()));
            }
        }
        var spec = new GroupSpecImpl(members, Map.of("num.standby.replicas", standbys));
        Map<String, MemberAssignment> assigned = new StickyTaskAssignor().assign(spec, topology).members();
        for (String member : new TreeSet<>(members.keySet())) {
            MemberAssignment own = assigned.get(member);
            out.append(member).append(' ').append(text(own.activeTasks())).append(' ').append(text(own.standbyTasks()));
            out.append('\n');
        }
        out.append(".\n");
    }

    static Map<String, Set<Integer>> tasks(String text) {
        Map<String, Set<Integer>> tasks = new HashMap<>();
        if (text.equals("-")) return tasks;
        for (String held : text.split(",")) {
            Set<Integer> partitions = new HashSet<>();
            for (String partition : held.substring(held.indexOf(':') + 1).split("\\.")) partitions.add(Integer.parseInt(partition));
            tasks.put(held.substring(0, held.indexOf(':')), partitions);
        }
        return tasks;
    }

    static String text(Map<String, Set<Integer>> tasks) {
        StringBuilder text = new StringBuilder();
        for (var entry : new TreeMap<>(tasks).entrySet()) {
            if (entry.getValue().isEmpty()) continue;
            text.append(text.length() == 0 ? "" : ",").append(entry.getKey()).append(':');
            String dot = "";
            for (int partition : new TreeSet<>(entry.getValue())) {
                text.append(dot).append(partition);
                dot = ".";
            }
        }
        return text.length() == 0 ? "-" : text.toString();
    }
}
