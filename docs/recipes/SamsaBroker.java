import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.regex.Pattern;

/**
 * A Samsa broker for tests: the program {@code samsa}, started on a free port with nothing on disk, as a class of the kind that
 * Testcontainers has, without a container. Needs nothing but Java 17 and {@code samsa} on the PATH; the variable SAMSA names another program.
 */
public final class SamsaBroker implements AutoCloseable {
  private static final Pattern READY = Pattern.compile(" ready on (\\S+) ");
  private static final int START_SECONDS = 30;
  private static final int STOP_SECONDS = 10;

  private final Process process;
  private final Path log;
  private final String bootstrapServers;

  /** Starts the broker. The arguments go to {@code samsa serve}; without any, everything is kept in memory. */
  public SamsaBroker(String... arguments) {
    String program = System.getenv().getOrDefault("SAMSA", "samsa");
    List<String> command = new ArrayList<>(List.of(program, "serve", "--listen", "127.0.0.1:0", "--http", "off"));
    command.addAll(arguments.length > 0 ? List.of(arguments) : List.of("--storage", "memory"));
    try {
      log = Files.createTempFile("samsa", ".log");
      log.toFile().deleteOnExit();
      process = new ProcessBuilder(command).redirectError(log.toFile()).start();
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
    Runtime.getRuntime().addShutdownHook(new Thread(process::destroy));
    bootstrapServers = ready();
  }

  /** For {@code bootstrap.servers}. */
  public String getBootstrapServers() {
    return bootstrapServers;
  }

  /** What the broker has logged so far. */
  public String getLog() {
    try {
      return Files.readString(log);
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }

  /** Stops the broker. Again: nothing. */
  @Override
  public void close() {
    process.destroy();
    try {
      if (!process.waitFor(STOP_SECONDS, TimeUnit.SECONDS)) process.destroyForcibly().waitFor();
    } catch (InterruptedException error) {
      process.destroyForcibly();
      Thread.currentThread().interrupt();
    }
  }

  private String ready() {
    CompletableFuture<String> address = new CompletableFuture<>();
    Thread reader = new Thread(() -> {
      process.inputReader().lines().forEach(line -> {
        var found = READY.matcher(line);
        if (found.find()) address.complete(found.group(1));
      });
      address.completeExceptionally(new IllegalStateException("it has ended"));
    }, "samsa-output");
    reader.setDaemon(true);
    reader.start();
    try {
      return address.get(START_SECONDS, TimeUnit.SECONDS);
    } catch (ExecutionException | TimeoutException | InterruptedException error) {
      close();
      throw new IllegalStateException("the broker did not start:\n" + getLog(), error);
    }
  }
}
