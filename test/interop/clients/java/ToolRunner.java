import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.kafka.common.utils.Exit;

/**
 * Runs Kafka's own command-line tools, unmodified, in one JVM, since starting a JVM for each would take most of the tests' time.
 *
 * <p>A line {"id", "main", "args", "input"} on stdin runs that class's main in a thread of its own with its own standard streams and
 * answers {"id", "exitCode", "stdout", "stderr"} when it ends. {"id", "stop": true} runs what the tool wants done when its process is
 * terminated. Streams belong to a job through an inheritable thread-local, so that threads started by a tool write to it too. The console
 * consumers keep counts and latches in static fields: each of their jobs gets classes of its own.
 */
public final class ToolRunner {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final InheritableThreadLocal<Job> CURRENT = new InheritableThreadLocal<>();
  private static final Map<Integer, Job> JOBS = new ConcurrentHashMap<>();

  private static final class Job {
    final ByteArrayOutputStream stdout = new ByteArrayOutputStream();
    final ByteArrayOutputStream stderr = new ByteArrayOutputStream();
    final List<Runnable> shutdownHooks = new ArrayList<>();
    final InputStream stdin;
    Integer exitCode;

    Job(String input) {
      stdin = new ByteArrayInputStream(input.getBytes(StandardCharsets.UTF_8));
    }

    synchronized void exit(int code) {
      if (exitCode == null) exitCode = code;
    }

    /** What a JVM does when it ends, asked to or not: each hook once, in the tool's own streams. */
    void runShutdownHooks() {
      CURRENT.set(this);
      List<Runnable> hooks;
      synchronized (this) {
        hooks = new ArrayList<>(shutdownHooks);
        shutdownHooks.clear();
      }
      hooks.forEach(Runnable::run);
    }
  }

  /** What a tool's Exit.exit becomes. An Error, so that a tool's own error handling does not take it for a failure. */
  private static final class JobExit extends Error {
    private static final long serialVersionUID = 1L;

    JobExit(int code) {
      super("exit " + code, null, false, false);
    }
  }

  public static void main(String[] arguments) throws Exception {
    PrintStream replies = System.out;
    InputStream commands = System.in;
    System.setOut(new PrintStream(new JobOutput(false), true));
    System.setErr(new PrintStream(new JobOutput(true), true));
    System.setIn(new JobInput());
    Exit.setExitProcedure(ToolRunner::exitJob);
    Exit.setHaltProcedure(ToolRunner::exitJob);
    Exit.setShutdownHookAdder((name, hook) -> {
      Job job = CURRENT.get();
      synchronized (job) {
        job.shutdownHooks.add(hook);
      }
    });
    BufferedReader lines = new BufferedReader(new InputStreamReader(commands, StandardCharsets.UTF_8));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      JsonNode request = JSON.readTree(line);
      int id = request.get("id").asInt();
      if (request.has("stop")) {
        Job job = JOBS.get(id);
        if (job != null) new Thread(job::runShutdownHooks).start();
      } else {
        Job job = new Job(request.path("input").asText(""));
        JOBS.put(id, job);
        new Thread(() -> run(replies, id, job, request)).start();
      }
    }
    Runtime.getRuntime().halt(0);
  }

  private static void exitJob(int code, String message) {
    Job job = CURRENT.get();
    if (job != null) job.exit(code);
    throw new JobExit(code);
  }

  private static void run(PrintStream replies, int id, Job job, JsonNode request) {
    CURRENT.set(job);
    List<String> arguments = new ArrayList<>();
    request.get("args").forEach(each -> arguments.add(each.asText()));
    try {
      String name = request.get("main").asText();
      Class<?> tool = Class.forName(name, true, name.startsWith(OwnClasses.PREFIX + "Console") ? new OwnClasses() : loader());
      tool.getMethod("main", String[].class).invoke(null, (Object) arguments.toArray(new String[0]));
      job.exit(0);
    } catch (InvocationTargetException thrown) {
      if (!(thrown.getCause() instanceof JobExit)) {
        thrown.getCause().printStackTrace();
        job.exit(1);
      }
    } catch (ReflectiveOperationException missing) {
      missing.printStackTrace();
      job.exit(2);
    }
    job.runShutdownHooks();
    ObjectNode reply = JSON.createObjectNode();
    reply.put("id", id);
    reply.put("exitCode", job.exitCode);
    reply.put("stdout", job.stdout.toString(StandardCharsets.UTF_8));
    reply.put("stderr", job.stderr.toString(StandardCharsets.UTF_8));
    synchronized (replies) {
      replies.println(reply);
      replies.flush();
    }
    JOBS.remove(id);
  }

  private static ClassLoader loader() {
    return ToolRunner.class.getClassLoader();
  }

  /** Loads the classes of one package anew; all others are the JVM's. */
  private static final class OwnClasses extends URLClassLoader {
    static final String PREFIX = "org.apache.kafka.tools.consumer.";

    OwnClasses() throws ClassNotFoundException {
      super(new URL[] {Class.forName(PREFIX + "ConsoleConsumer").getProtectionDomain().getCodeSource().getLocation()}, loader());
    }

    @Override
    protected synchronized Class<?> loadClass(String name, boolean resolves) throws ClassNotFoundException {
      if (!name.startsWith(PREFIX)) return super.loadClass(name, resolves);
      Class<?> loaded = findLoadedClass(name);
      return loaded == null ? findClass(name) : loaded;
    }
  }

  private static final class JobOutput extends OutputStream {
    private final boolean error;

    JobOutput(boolean error) {
      this.error = error;
    }

    @Override
    public void write(int single) {
      write(new byte[] {(byte) single}, 0, 1);
    }

    @Override
    public void write(byte[] bytes, int offset, int length) {
      Job job = CURRENT.get();
      if (job != null) (error ? job.stderr : job.stdout).write(bytes, offset, length);
    }
  }

  private static final class JobInput extends InputStream {
    @Override
    public int read() throws java.io.IOException {
      return CURRENT.get().stdin.read();
    }

    @Override
    public int read(byte[] bytes, int offset, int length) throws java.io.IOException {
      return CURRENT.get().stdin.read(bytes, offset, length);
    }

    @Override
    public int available() throws java.io.IOException {
      return CURRENT.get().stdin.available();
    }
  }
}
