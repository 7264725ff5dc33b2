// Has Kafka's own code recover every segment of a partition folder, as it does after an unclean stop: the indexes are made anew from the .log.
// Prints one line per segment: base offset and the bytes that were cut off.

import java.io.File;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.server.util.KafkaScheduler;
import org.apache.kafka.storage.internals.checkpoint.LeaderEpochCheckpointFile;
import org.apache.kafka.storage.internals.epoch.LeaderEpochFileCache;
import org.apache.kafka.storage.internals.log.LogConfig;
import org.apache.kafka.storage.internals.log.LogDirFailureChannel;
import org.apache.kafka.storage.internals.log.LogSegment;
import org.apache.kafka.storage.internals.log.ProducerStateManager;
import org.apache.kafka.storage.internals.log.ProducerStateManagerConfig;

public class RecoverSegments {
  public static void main(String[] args) throws Exception {
    File folder = new File(args[0]);
    Map<String, String> settings = new HashMap<>();
    settings.put("index.interval.bytes", args[1]);
    LogConfig config = new LogConfig(settings);
    TopicPartition partition = new TopicPartition("events", 0);
    KafkaScheduler scheduler = new KafkaScheduler(1);
    scheduler.startup();
    ProducerStateManager producers =
        new ProducerStateManager(partition, folder, 900000, new ProducerStateManagerConfig(86400000, false), Time.SYSTEM);
    LeaderEpochFileCache epochs =
        new LeaderEpochFileCache(
            partition,
            new LeaderEpochCheckpointFile(LeaderEpochCheckpointFile.newFile(folder), new LogDirFailureChannel(1)),
            scheduler);
    String[] names = folder.list((dir, name) -> name.endsWith(".log"));
    Arrays.sort(names);
    for (String name : names) {
      long base = Long.parseLong(name.substring(0, name.length() - 4));
      LogSegment segment = LogSegment.open(folder, base, config, Time.SYSTEM, true, 0, false, "");
      System.out.println(base + " " + segment.recover(producers, epochs));
      segment.close();
    }
    scheduler.shutdown();
  }
}
