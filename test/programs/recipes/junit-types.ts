/** Of JUnit 5 what an extension names: enough to compile one and to call it as JUnit does, without the library. */
export const JUNIT_TYPES: Readonly<Record<string, string>> = {
  BeforeAllCallback:
    'public interface BeforeAllCallback { void beforeAll(ExtensionContext context) throws Exception; }',
  AfterAllCallback: 'public interface AfterAllCallback { void afterAll(ExtensionContext context) throws Exception; }',
  ParameterContext: 'public interface ParameterContext { java.lang.reflect.Parameter getParameter(); }',
  ParameterResolver: `public interface ParameterResolver {
  boolean supportsParameter(ParameterContext parameter, ExtensionContext context);
  Object resolveParameter(ParameterContext parameter, ExtensionContext context);
}`,
  ExtensionContext: `public class ExtensionContext {
  public static class Namespace {
    public static Namespace create(Object... parts) { return new Namespace(); }
  }
  public static class Store {
    private final java.util.Map<Object, Object> values = new java.util.HashMap<>();
    public void put(Object key, Object value) { values.put(key, value); }
    public <V> V get(Object key, Class<V> type) { return type.cast(values.get(key)); }
    public <V> V remove(Object key, Class<V> type) { return type.cast(values.remove(key)); }
  }
  private final java.util.Map<Namespace, Store> stores = new java.util.HashMap<>();
  public Store getStore(Namespace namespace) { return stores.computeIfAbsent(namespace, ignored -> new Store()); }
}`,
}
