import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ParameterContext;
import org.junit.jupiter.api.extension.ParameterResolver;

/**
 * For JUnit 5: a broker for the tests of a class, handed to whoever has a parameter for it.
 *
 * <pre>{@code
 * @ExtendWith(SamsaExtension.class)
 * class OrdersTest {
 *   @Test void areKept(SamsaBroker kafka) { ... kafka.getBootstrapServers() ... }
 * }
 * }</pre>
 */
public final class SamsaExtension implements BeforeAllCallback, AfterAllCallback, ParameterResolver {
  private static final ExtensionContext.Namespace OWN = ExtensionContext.Namespace.create(SamsaExtension.class);

  @Override
  public void beforeAll(ExtensionContext context) {
    context.getStore(OWN).put(SamsaBroker.class, new SamsaBroker());
  }

  @Override
  public void afterAll(ExtensionContext context) {
    context.getStore(OWN).remove(SamsaBroker.class, SamsaBroker.class).close();
  }

  @Override
  public boolean supportsParameter(ParameterContext parameter, ExtensionContext context) {
    return parameter.getParameter().getType() == SamsaBroker.class;
  }

  @Override
  public Object resolveParameter(ParameterContext parameter, ExtensionContext context) {
    return context.getStore(OWN).get(SamsaBroker.class, SamsaBroker.class);
  }
}
