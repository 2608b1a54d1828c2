//! Root causes are named from what runtimes and clients really print, and from nothing else.

use kubeheal::{
    api::DiagnosisRule,
    diagnosis::{Rules, Said, compile, tidy},
};
/// Lines as they were printed, by the root cause they name.
#[rustfmt::skip]
const LINES: [(&str, &[&str]); 12] = [
    ("DatabaseUnreachable", &[
        "ERROR - Failed to connect to PostgreSQL after all retry attempts",
        "panic: failed to connect to `host=db user=app database=shop`: dial error (dial tcp 10.0.0.5:5432: connect: connection refused)",
        "2026/11/23 10:00:00 dial tcp 10.0.0.5:3306: connect: connection refused",
        "Error: connect ECONNREFUSED 10.96.14.2:5432",
        "psycopg2.OperationalError: could not connect to server: Connection refused",
        "psycopg.OperationalError: connection failed: connection to server at \"10.0.0.5\", port 5432 failed: Connection refused",
        "sqlalchemy.exc.OperationalError: (pymysql.err.OperationalError) (2003, \"Can't connect to MySQL server on 'db' (timed out)\")",
        "pymongo.errors.ServerSelectionTimeoutError: mongo:27017: [Errno 111] Connection refused",
        "MongoServerSelectionError: connect ECONNREFUSED 10.0.0.9:27017",
        "org.postgresql.util.PSQLException: Connection to db:5432 refused. Check that the hostname and port are correct",
        "java.sql.SQLTransientConnectionException: HikariPool-1 - Connection is not available, request timed out after 30000ms.",
        "com.mysql.cj.jdbc.exceptions.CommunicationsException: Communications link failure",
        "redis.exceptions.ConnectionError: Error 111 connecting to redis:6379. Connection refused.",
        "io.lettuce.core.RedisConnectionException: Unable to connect to redis/10.0.0.7:6379",
        "[ioredis] Unhandled error event: Error: connect ETIMEDOUT 10.0.0.7:6379",
        "SQLSTATE[HY000] [2002] Connection refused",
        "PG::ConnectionBad: could not connect to server: No route to host (ActiveRecord::ConnectionNotEstablished)",
        "Npgsql.NpgsqlException (0x80004005): Failed to connect to 10.0.0.5:5432",
        "A network-related or instance-specific error occurred while establishing a connection to SQL Server.",
        "PrismaClientInitializationError: Can't reach database server at `db:5432`",
        "FATAL:  the database system is starting up",
        "** (DBConnection.ConnectionError) tcp connect (db:5432): connection refused - :econnrefused",
        "thread 'main' panicked at src/main.rs:12: called `Result::unwrap()` on an `Err` value: error communicating with database: Connection refused (os error 111)",
        "ORA-12541: TNS:no listener",
        "{\"level\":\"fatal\",\"msg\":\"cannot open database\",\"error\":\"dial tcp: i/o timeout\",\"addr\":\"db:5432\"}",
    ]),
    ("BrokerUnreachable", &[
        "amqp: connection refused by rabbitmq:5672",
        "pika.exceptions.AMQPConnectionError: Connection to 10.0.0.4:5672 failed: [Errno 111] Connection refused",
        "kombu.exceptions.OperationalError: [Errno 111] Connection refused",
        "kafka.errors.NoBrokersAvailable: NoBrokersAvailable",
        "[Producer clientId=producer-1] Connection to node -1 (kafka/10.0.0.8:9092) could not be established. Broker may not be available.",
        "kafka: client has run out of available brokers to talk to: dial tcp 10.0.0.8:9092: connect: connection refused",
        "%3|1732356000.123|FAIL|rdkafka#consumer-1| [thrd:kafka:9092/bootstrap]: Connect to ipv4#10.0.0.8:9092 failed: Connection refused",
        "KafkaJSConnectionError: Connection error: connect ECONNREFUSED 10.0.0.8:9092",
        "nats: no servers available for connection",
        "Error: connect ECONNREFUSED 10.0.0.4:5672",
        "RabbitMQ.Client.Exceptions.BrokerUnreachableException: None of the specified endpoints were reachable",
        "Bunny::TCPConnectionFailedForAllHosts: Could not establish TCP connection to any of the configured hosts: rabbitmq",
        "MqttException (0) - java.net.ConnectException: Connection refused: mqtt:1883",
    ]),
    ("BadCredentials", &[
        "pq: password authentication failed for user \"app\"",
        "FATAL:  password authentication failed for user \"postgres\"",
        "ERROR 1045 (28000): Access denied for user 'app'@'10.0.0.7' (using password: YES)",
        "Microsoft.Data.SqlClient.SqlException (0x80131904): Login failed for user 'sa'.",
        "MongoServerError: Authentication failed.",
        "redis.exceptions.AuthenticationError: WRONGPASS invalid username-password pair or user is disabled.",
        "ReplyError: NOAUTH Authentication required.",
        "ORA-01017: invalid username/password; logon denied",
        "org.apache.kafka.common.errors.SaslAuthenticationException: Authentication failed during authentication due to invalid credentials with SASL mechanism PLAIN",
        "pika.exceptions.ProbableAuthenticationError: ConnectionClosedByBroker: (403) 'ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN.'",
        "An error occurred (InvalidAccessKeyId) when calling the ListBuckets operation",
        "Request failed with status code 401",
        "HTTP 401 Unauthorized for url https://api.example.com/v1",
        "FATAL: no pg_hba.conf entry for host \"10.0.0.9\", user \"app\", database \"shop\", no encryption",
        "failed to authorize: failed to fetch oauth token: unexpected status: 401 Unauthorized",
        "jwt: invalid token: token is expired",
    ]),
    ("MissingConfiguration", &[
        "KeyError: environment variable API_URL is not set",
        "KeyError: 'DATABASE_URL'",
        "Error: Missing required environment variable: STRIPE_KEY",
        "panic: required key DB_HOST missing value",
        "java.lang.IllegalArgumentException: Could not resolve placeholder 'payments.url' in value \"${payments.url}\"",
        "FATAL: environment variable JWT_ISSUER must be set",
        "open /etc/app/config.yaml: no such file or directory",
        "Error: ENOENT: no such file or directory, open '/app/config.json'",
        "Error: Database is uninitialized and superuser password is not specified. You must specify POSTGRES_PASSWORD",
        "thread 'main' panicked at src/config.rs:7: called `Result::unwrap()` on an `Err` value: NotPresent",
        "key not found: \"SECRET_KEY_BASE\" (KeyError)",
        "secret \"db-credentials\" not found",
        "couldn't find key password in Secret shop/db",
        "configmap \"app\" not found",
        "config file /etc/app.toml does not exist",
        "System.InvalidOperationException: The ConnectionString property has not been initialized.",
        "SMTP_HOST is not defined",
    ]),
    ("NameNotResolved", &[
        "dial tcp: lookup db.shop on 10.96.0.10:53: no such host",
        "Error: getaddrinfo ENOTFOUND redis",
        "Error: getaddrinfo EAI_AGAIN kafka",
        "socket.gaierror: [Errno -2] Name or service not known",
        "psycopg2.OperationalError: could not translate host name \"db\" to address: Temporary failure in name resolution",
        "Caused by: java.net.UnknownHostException: payments",
        "curl: (6) Could not resolve host: api.internal",
        "nginx: [emerg] host not found in upstream \"api\" in /etc/nginx/conf.d/default.conf:3",
        "error trying to connect: dns error: failed to lookup address information: Name does not resolve",
        "lookup api on 10.96.0.10:53: server misbehaving",
        "php_network_getaddresses: getaddrinfo failed: Name or service not known",
        "urllib3.exceptions.NameResolutionError: <urllib3.connection.HTTPSConnection object>: Failed to resolve 'api' ([Errno -3])",
        "Unknown MySQL server host 'db' (-2)",
    ]),
    ("CertificateInvalid", &[
        "x509: certificate has expired or is not yet valid: current time 2026-11-23T10:00:00Z is after 2026-11-01T00:00:00Z",
        "tls: failed to verify certificate: x509: certificate signed by unknown authority",
        "remote error: tls: handshake failure",
        "ssl.SSLCertVerificationError: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate",
        "javax.net.ssl.SSLHandshakeException: PKIX path building failed: unable to find valid certification path",
        "Error: self signed certificate in certificate chain",
        "Error [ERR_TLS_CERT_ALTNAME_INVALID]: Hostname/IP does not match certificate's altnames",
        "code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'",
        "OpenSSL::SSL::SSLError (SSL_connect returned=1 errno=0 state=error: certificate verify failed)",
        "invalid peer certificate: UnknownIssuer",
        "http: server gave HTTP response to HTTPS client",
        "System.Net.Http.HttpRequestException: The SSL connection could not be established, see inner exception.",
        "error:1408F10B:SSL routines:ssl3_get_record:wrong version number",
        "pq: SSL is not enabled on the server",
    ]),
    ("PortInUse", &[
        "listen tcp :8080: bind: address already in use",
        "Error: listen EADDRINUSE: address already in use :::3000",
        "OSError: [Errno 98] Address already in use",
        "java.net.BindException: Address already in use",
        "Web server failed to start. Port 8080 was already in use.",
        "nginx: [emerg] bind() to 0.0.0.0:80 failed (98: Address in use)",
        "Error: Os { code: 98, kind: AddrInUse, message: \"Address already in use\" }",
        "System.IO.IOException: Failed to bind to address http://[::]:80: address already in use.",
    ]),
    ("OutOfMemory", &[
        "java.lang.OutOfMemoryError: Java heap space",
        "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory",
        "fatal error: runtime: out of memory",
        "MemoryError",
        "PHP Fatal error:  Allowed memory size of 134217728 bytes exhausted (tried to allocate 20480 bytes)",
        "terminate called after throwing an instance of 'std::bad_alloc'",
        "memory allocation of 8589934592 bytes failed",
        "fork/exec /bin/sh: cannot allocate memory",
        "System.OutOfMemoryException: Exception of type 'System.OutOfMemoryException' was thrown.",
        "[FATAL] failed to allocate memory (NoMemoryError)",
        "Out of memory: Killed process 4242 (java) total-vm:8123456kB",
        "ERROR:  out of memory",
    ]),
    ("DiskFull", &[
        "write /data/log: no space left on device",
        "OSError: [Errno 28] No space left on device",
        "Error: ENOSPC: no space left on device, write",
        "java.io.IOException: No space left on device",
        "PANIC:  could not write to file \"pg_wal/xlogtemp.42\": No space left on device",
        "ERROR:  could not extend file \"base/16384/2619\": wrote only 4096 of 8192 bytes",
        "write /cache/a: disk quota exceeded",
        "sqlite3.OperationalError: database or disk is full",
        "[WARN] flood stage disk watermark [95%] exceeded on [x]",
        "System.IO.IOException: There is not enough space on the disk.",
    ]),
    ("ImageMissing", &[
        "manifest unknown: manifest unknown",
        "manifest for registry.example/api:9.9 not found: manifest unknown",
        "pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed",
        "failed to pull and unpack image \"docker.io/library/nope:1\": failed to resolve reference \"docker.io/library/nope:1\": docker.io/library/nope:1: not found",
        "no matching manifest for linux/arm64/v8 in the manifest list entries",
        "Failed to apply default image tag \"a b\": couldn't parse image name \"a b\": invalid reference format",
    ]),
    ("PermissionDenied", &[
        "open /etc/app.key: permission denied",
        "PermissionError: [Errno 13] Permission denied: '/data'",
        "Error: EACCES: permission denied, mkdir '/app/cache'",
        "mkdir: can't create directory '/var/run/x': Read-only file system",
        "java.nio.file.AccessDeniedException: /data/index",
        "System.UnauthorizedAccessException: Access to the path '/app/keys' is denied.",
        "chown: changing ownership of '/var/lib/postgresql/data': Operation not permitted",
        "pods is forbidden: User \"system:serviceaccount:shop:api\" cannot list resource \"pods\" in API group \"\" in the namespace \"shop\"",
        "ERROR:  permission denied for table orders",
        "An error occurred (AccessDenied) when calling the PutObject operation: Access Denied",
        "exec /app/start.sh: operation not permitted",
    ]),
    ("DependencyTimeout", &[
        "Get \"http://payments/v1/pay\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)",
        "rpc error: code = DeadlineExceeded desc = context deadline exceeded",
        "requests.exceptions.ConnectTimeout: HTTPConnectionPool(host='payments', port=80): Max retries exceeded with url: /",
        "java.net.SocketTimeoutException: Read timed out",
        "AxiosError: timeout of 5000ms exceeded",
        "Error: connect ECONNREFUSED 10.0.0.20:8080",
        "dial tcp 10.0.0.20:443: i/o timeout",
        "net/http: TLS handshake timeout",
        "Error: socket hang up",
        "upstream connect error or disconnect/reset before headers. reset reason: connection timeout",
        "reqwest::Error { kind: Request, source: hyper::Error(Connect, Os { code: 111, kind: ConnectionRefused, message: \"Connection refused\" }) }",
        "Faraday::TimeoutError: Net::ReadTimeout with #<TCPSocket:(closed)>",
        "System.Threading.Tasks.TaskCanceledException: The operation was timed out after 30 seconds",
        "HTTP/1.1 503 Service Unavailable",
    ]),
];

/// Lines that speak of the same things and report no trouble, or another one.
#[rustfmt::skip]
const NOTHING: [&str; 46] = [
    "", "segmentation fault", "signal: killed", "exit status 2", "panic: runtime error: index out of range [5] with length 3",
    "Connected to PostgreSQL at db:5432",
    "INFO  HikariPool-1 - Start completed.",
    "database migration 0042 failed: relation \"orders\" already exists",
    "redis: connection pool timeout set to 30s",
    "Shutting down, closing database connections",
    "mysql: ready for connections, port: 3306",
    "db: 12 rows updated",
    "Kafka consumer connected to broker kafka-0:9092",
    "broker metadata refreshed in 12 ms",
    "amqp: channel 1 opened",
    "user authentication succeeded",
    "processed 401 items",
    "loading credentials from /var/run/secrets/app",
    "token refreshed, next refresh in 3600 s",
    "SyntaxError: invalid token (app.py, line 3)",
    "Loading configuration from /etc/app/config.yaml",
    "no environment variable overrides",
    "optional config file /etc/app/local.yaml not found, using defaults",
    "environment: production",
    "configuration reloaded",
    "resolved host db.shop in 2 ms",
    "DNS cache flushed",
    "ghost not found in haunted house",
    "loaded TLS certificate from /etc/tls/tls.crt, valid until 2027-01-01",
    "TLS handshake completed in 12 ms",
    "tls: enabled",
    "listening on address 0.0.0.0:8080",
    "SO_REUSEADDR set, address reused",
    "memory in use: 512 MiB of 1 GiB",
    "12 entries evicted out of memory cache",
    "disk space check passed: 40% free",
    "Error: ENOSPC: System limit for number of file watchers reached, watch '/app'",
    "disk fully mounted at /data",
    "asset manifest not found in cache, building it",
    "image processed: 1024x768",
    "permission check passed for user app",
    "0 requests denied",
    "request timeout is 30s, keep-alive timeout is 65s",
    "shutdown timeout: 10s",
    "AssertionError: expected 3 but got 4",
    "TypeError: Cannot read properties of undefined (reading 'id')",
];

fn message(message: &str) -> Said<'_> {
    Said { reason: "Error", message, exit_code: Some(1), log: "" }
}

fn named(said: &Said<'_>) -> Option<String> {
    Rules::default().diagnose(said).map(|found| found.name)
}

#[test]
fn what_clients_and_runtimes_print_is_named() {
    let mut wrong = Vec::new();
    for (name, lines) in LINES {
        for text in lines {
            let found = Rules::default().diagnose(&message(&tidy(text, 4096)));
            if found.as_ref().map(|found| found.name.as_str()) != Some(name) {
                wrong.push(format!("{name} expected, {:?} found: {text}", found.map(|found| found.name)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_reports_no_such_trouble_is_not_named() {
    let wrong: Vec<_> = NOTHING.iter().filter_map(|text| Some((*text, named(&message(text))?))).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_line_that_matched_is_shown_wherever_it_stands() {
    let node = "node:internal/process/promises:288\n            triggerUncaughtException(err, true);\n\n\
                Error: connect ECONNREFUSED 10.96.14.2:5432\n    at TCPConnectWrap.afterConnect [as oncomplete] (node:net:1595:16) {\n  \
                errno: -111,\n  code: 'ECONNREFUSED',\n  address: '10.96.14.2',\n  port: 5432\n}\n\nNode.js v20.11.0";
    let found = Rules::default().diagnose(&message(node)).unwrap();
    assert_eq!(
        (found.name.as_str(), found.line.as_str()),
        ("DatabaseUnreachable", "Error: connect ECONNREFUSED 10.96.14.2:5432")
    );

    let java = "Exception in thread \"main\" java.lang.IllegalStateException: start failed\n\tat app.Main.main(Main.java:7)\n\
                Caused by: java.net.UnknownHostException: payments\n\t... 12 more";
    let found = Rules::default().diagnose(&message(java)).unwrap();
    assert_eq!(found.line, "Caused by: java.net.UnknownHostException: payments");

    let long = format!("{{\"trace\":\"{}\",\"err\":\"dial tcp 10.0.0.5:5432: connection refused\"}}", "x".repeat(3000));
    let found = Rules::default().diagnose(&message(&long)).unwrap();
    assert!(found.line.contains("connection refused") && found.line.chars().count() <= 240, "{}", found.line);
}

#[test]
fn a_persons_rule_comes_first_and_what_is_said_before_what_it_is_called() {
    let rule = |name: &str, pattern: &str| DiagnosisRule {
        name: name.into(),
        pattern: pattern.into(),
        advice: Some("renew it".into()),
    };
    let own = [
        rule("LicenceExpired", "licen[cs]e (has )?expired"),
        rule("Killed", "^exit code 137$"),
        rule("Evicted", "^Evicted$"),
    ];
    let rules = Rules::compile(&own);
    let of = |said: &Said<'_>| rules.diagnose(said).unwrap().name;
    assert_eq!(of(&message("the License has expired\nopen /x: permission denied")), "LicenceExpired");
    assert_eq!(of(&Said { exit_code: Some(137), ..message("") }), "Killed");
    assert_eq!(of(&Said { reason: "Evicted", ..Said::default() }), "Evicted");
    assert_eq!(of(&message("open /x: permission denied")), "PermissionDenied");

    let of = |said: Said<'_>| named(&said);
    let oom = Said {
        reason: "OOMKilled",
        message: "could not connect to redis:6379: connection refused",
        exit_code: Some(137),
        log: "",
    };
    assert_eq!(of(oom).as_deref(), Some("OutOfMemory"), "the kernel is certain");
    let pull = |message| Said { reason: "ErrImagePull", message, exit_code: None, log: "" };
    assert_eq!(of(pull("dial tcp: lookup registry.example: no such host")).as_deref(), Some("NameNotResolved"));
    assert_eq!(of(pull("")).as_deref(), Some("ImageMissing"));
    assert_eq!(
        of(Said { reason: "CreateContainerConfigError", ..Said::default() }).as_deref(),
        Some("MissingConfiguration")
    );
    assert_eq!(of(Said { exit_code: Some(126), ..message("") }).as_deref(), Some("PermissionDenied"));
    let found = Rules::default().diagnose(&Said { exit_code: Some(126), ..message("") }).unwrap();
    assert_eq!(found.line, "", "a number is no line that anybody printed");
}

#[test]
fn in_a_long_log_the_end_counts() {
    let log = format!(
        "{}{}panic: listen tcp :8080: bind: address already in use\n",
        "WARN connection to redis:6379 refused\n",
        "GET /healthz 200\n".repeat(80)
    );
    assert_eq!(named(&Said { log: &log, ..message("") }).as_deref(), Some("PortInUse"));
    assert_eq!(
        named(&Said { log: &log, ..message("disk quota exceeded") }).as_deref(),
        Some("DiskFull"),
        "the message before the log"
    );
}

#[test]
fn a_pattern_that_costs_too_much_is_left_out() {
    assert!(compile(r"(\w{50}){50}").is_err());
    assert!(compile("(").is_err());
    let rule = DiagnosisRule { name: "Huge".into(), pattern: r"(\w{50}){50}".into(), advice: None };
    assert_eq!(
        Rules::compile(&[rule]).diagnose(&message("open /x: permission denied")).unwrap().name,
        "PermissionDenied"
    );
    let nasty = DiagnosisRule { name: "Nasty".into(), pattern: "(a+)+$".into(), advice: None };
    let text = format!("{}b", "a".repeat(4000));
    assert_eq!(Rules::compile(&[nasty]).diagnose(&message(&text)), None, "in time linear to the text");
}
