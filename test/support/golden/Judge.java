import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.lang.reflect.Method;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import org.apache.kafka.common.message.RequestHeaderData;
import org.apache.kafka.common.message.ResponseHeaderData;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.ObjectSerializationCache;

/**
 * Reads recorded messages with Kafka's own generated parsers. One line in, "request|response KEY VERSION HEX", one line
 * of JSON out: the header and the body as Kafka's converters print them, and whether Kafka writes the same bytes again.
 */
public class Judge {
    private static final ObjectMapper MAPPER = new ObjectMapper();

    public static void main(String[] args) throws Exception {
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] words = line.split(" ");
            System.out.println(MAPPER.writeValueAsString(
                judge(words[0].equals("request"), Short.parseShort(words[1]), Short.parseShort(words[2]), words[3])));
        }
    }

    private static ObjectNode judge(boolean isRequest, short key, short version, String hex) throws Exception {
        ByteBuffer bytes = ByteBuffer.wrap(HexFormat.of().parseHex(hex));
        ApiKeys api = ApiKeys.forId(key);
        short headerVersion = isRequest ? api.requestHeaderVersion(version) : api.responseHeaderVersion(version);
        ByteBufferAccessor readable = new ByteBufferAccessor(bytes);
        ApiMessage header = isRequest
            ? new RequestHeaderData(readable, headerVersion)
            : new ResponseHeaderData(readable, headerVersion);
        ApiMessage body = isRequest ? api.messageType.newRequest() : api.messageType.newResponse();
        body.read(readable, version);
        ObjectNode result = MAPPER.createObjectNode();
        result.set("header", toJson(header, headerVersion));
        result.set("body", toJson(body, version));
        result.put("leftOver", bytes.remaining());
        result.put("rewritten", HexFormat.of().formatHex(write(header, headerVersion)) + HexFormat.of().formatHex(write(body, version)));
        return result;
    }

    private static byte[] write(Message message, short version) {
        ObjectSerializationCache cache = new ObjectSerializationCache();
        ByteBuffer buffer = ByteBuffer.allocate(message.size(cache, version));
        message.write(new ByteBufferAccessor(buffer), cache, version);
        return buffer.array();
    }

    private static JsonNode toJson(Message message, short version) throws Exception {
        Class<?> converter = Class.forName(message.getClass().getName() + "JsonConverter");
        Method write = converter.getMethod("write", message.getClass(), short.class, boolean.class);
        return (JsonNode) write.invoke(null, message, version, true);
    }
}
