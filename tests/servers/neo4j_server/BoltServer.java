import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import org.neo4j.configuration.GraphDatabaseSettings;
import org.neo4j.configuration.connectors.BoltConnector;
import org.neo4j.configuration.connectors.HttpConnector;
import org.neo4j.configuration.connectors.HttpsConnector;
import org.neo4j.configuration.helpers.SocketAddress;
import org.neo4j.dbms.api.DatabaseManagementService;
import org.neo4j.dbms.api.DatabaseManagementServiceBuilder;

/**
 * Neo4j behind the Bolt protocol and nothing else, on loopback.
 *
 * <p>Usage: {@code java -cp 'lib/*:classes' BoltServer DIRECTORY PORT}. With NEO4J_TEST_PASSWORD in the
 * environment, authentication is on and the user neo4j has that password. A command line would show
 * it to everyone on the machine.
 */
public class BoltServer {
    public static void main(String[] arguments) throws Exception {
        Path directory = Path.of(arguments[0]);
        SocketAddress address = new SocketAddress("127.0.0.1", Integer.parseInt(arguments[1]));
        String password = System.getenv("NEO4J_TEST_PASSWORD");
        DatabaseManagementService server =
                new DatabaseManagementServiceBuilder(directory)
                        .setConfig(BoltConnector.enabled, true)
                        .setConfig(BoltConnector.listen_address, address)
                        .setConfig(BoltConnector.advertised_address, address)
                        .setConfig(HttpConnector.enabled, false)
                        .setConfig(HttpsConnector.enabled, false)
                        .setConfig(GraphDatabaseSettings.auth_enabled, password != null)
                        .setConfig(GraphDatabaseSettings.pagecache_memory, 256L * 1024 * 1024)
                        .setConfig(
                                GraphDatabaseSettings.shutdown_transaction_end_timeout,
                                Duration.ofSeconds(2))
                        .setConfig(GraphDatabaseSettings.udc_enabled, false)
                        .build();
        Runtime.getRuntime().addShutdownHook(new Thread(server::shutdown));
        if (password != null) {
            server.database("system")
                    .executeTransactionally(
                            "ALTER USER neo4j IF EXISTS SET PASSWORD $password CHANGE NOT REQUIRED",
                            Map.of("password", password));
        }
        Thread.currentThread().join();
    }
}
