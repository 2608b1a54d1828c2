//! Lines that a person needs as they are.

#[rustfmt::skip]
pub(super) const HARMLESS: &[&str] = &[
    // Objects of a cluster, by their names.
    "secret \"db\" not found", "secret \"tokens\" not found", "secrets \"db-credentials\" not found", "secretName: db-credentials", "imagePullSecrets: [regcred]",
    "MountVolume.SetUp failed for volume \"tokens\" : secret \"tokens\" not found", "MountVolume.SetUp failed for volume \"db-password\" : configmap \"x\" not found",
    "MountVolume.SetUp failed for volume \"token\" : references non-existent secret key: DB_PASSWORD", "couldn't find key password in Secret shop/db",
    "Unable to retrieve some image pull secrets (regcred); attempting to pull the image may not succeed.", "valueFrom: secretKeyRef: {name: db, key: password}",
    "secretKeyRef: name: db-credentials", "serviceAccountToken: path: token", "existingSecret: db-credentials", "tlsSecret: web-tls", "secretRef: name: db",
    "secrets is forbidden: User \"system:serviceaccount:shop:api\" cannot list resource \"secrets\" in API group \"\" in the namespace \"shop\"",
    "secret/db-password created", "Secret shop/api-token-x7k2p not found", "automountServiceAccountToken: false", "DB_PASSWORD:  <set to the key 'password' in secret 'db'>",
    "failed to sync secret cache: timed out waiting for the condition", "object \"shop\"/\"db-token\" not registered", "failed to fetch token: serviceaccounts \"api\" not found",
    "Error: secret \"db-password-2\" is in use", "waiting for secret shop/db-7f9c", "Created secret db-credentials-2", "\"Reconciling\" key=\"shop/web-1\"", "key: /registry/pods/shop/web-7f9c",
    // Sentences about secrets.
    "token expired", "token is expired", "Error: token: not found in header", "token has invalid claims: token is expired", "jwt expired", "the token was rejected", "invalid token",
    "pq: password authentication failed for user \"app\"", "FATAL: password authentication failed for user \"app\"", "Access denied for user 'app'@'10.0.0.7' (using password: YES)",
    "the password is wrong", "the password is too short", "password is required", "password: required", "no password supplied", "missing password", "bad password for user app",
    "Unexpected token < in JSON at position 0", "SyntaxError: Unexpected token '}'", "unexpected token \"}\" at line 3", "no basic auth credentials", "basic settings loaded, basic authentication off",
    "authorization failed: no basic auth credentials", "may require authorization: server message: insufficient_scope: authorization failed", "error getting credentials - err: exit status 1",
    "incorrect username or password", "failed to authorize: failed to fetch anonymous token: unexpected status: 401 Unauthorized", "WWW-Authenticate: Bearer realm=\"https://auth.example/token\"",
    "com.auth.TokenExpiredError: jwt expired", "InvalidTokenException: token signature does not match", "at com.shop.auth.TokenFilter.doFilter(TokenFilter.java:31)", "use --token to log in",
    "unknown flag: --token", "open /etc/secrets/tls.key: permission denied", "open /run/secrets/token: input/output error", "stat /var/run/secrets/db/password: no such file or directory",
    "password authentication is disabled", "using token authentication", "with password authentication off", "secret rotation failed", "the secret is mounted", "credentials are missing",
    "reset your password to continue", "token refresh in 30s", "tokens: 4096", "max_tokens=4096", "session closed", "x509: certificate signed by unknown authority", "tls: private key does not match public key",
    // Words like those of secrets.
    "tokenizer: vocab.json", "--keyspace foo", "key not found: foo", "keyboard: us", "monkey=banana", "author=joe", "authority=auth.example", "pass=3 fail=0", "12 tests passed: all well", "bypass=true",
    "compass: north", "signal: killed", "passenger=joe", "keys=12", "primary key: id", "Duplicate entry 'a' for key 'users.email'", "secretary: jane", "--tls-key /etc/tls/tls.key", "password_file=/run/x",
    "token_url=https://auth.example/token", "--token-ttl 30m", "TokenCount: 12", "pass 3 of 4", "passed 12 tests", "${DB_PASSWORD} is not set", "password=${DB_PASSWORD}", "token: {{ .Values.token }}", "password=***",
    // What looks like chance and is none.
    "request 550e8400-e29b-41d4-a716-446655440000 failed", "api@sha256:9f86d081884c7d659a2feaa0c55ad0153bf4f1b2b0b822cd15d6c15b0f00a089", "commit 34572bf1e2d3c4b5a697887766554433221100ff",
    "container 4c01db0b339c0d5b3a7b6e2f1c9d8e7f6a5b4c3d2e1f0a9b8c7d6e5f4a3b2c1d not found", "trace_id=4bf92f3577b34da6a3ce929d0e0e4736 span_id=00f067aa0ba902b7", "2026-11-30T15:37:05.123456789Z ERROR x",
    "id=01ARZ3NDEKTSV4RRFFQ69G5FAV", "payments-api-7d9f8b6c5d-x2x4z", "goroutine 1 [running]: main.main() /src/main.go:12 +0x1a5", "github.com/org/repo/v2.(*Client).Do(0xc0001b2000, {0x7ffd9a8b, 0x10})",
    "at org.springframework.beans.factory.support.AbstractAutowireCapableBeanFactory2.createBean(Factory.java:412)", "OrderService$$EnhancerBySpringCGLIB$$3f2a9c1b.run", "_ZN4core3fmt9Formatter3new17h0123456789abcdefE",
    "at org.postgresql.Driver$ConnectThread.getResult(Driver.java:412)", "at Object.<anonymous> (/app/node_modules/express4/lib/router/index.js:12:5)", "/usr/local/lib/python3.11/site-packages/urllib3/connectionpool.py",
    "SHA256:q7Zr2mXv9Lk4Tn8Bs1YdHc5Wp3Jf6Gt0Ra7EuK2sVbQ", "integrity sha512-q7Zr2mXv9Lk4Tn8Bs1YdHc5Wp3Jf6Gt0Ra7EuK2sVbQ==", "verifying module: h1:q7Zr2mXv9Lk4Tn8Bs1YdHc5Wp3Jf6Gt0Ra7EuK2sVbQ=", "ip-10-0-1-2.eu-central-1.compute.internal",
    "arn:aws:iam::123456789012:role/eks-node-group-2", "java.lang.NoSuchMethodError: getHttpURLConnectionTimeout30Seconds", "node i-0a1b2c3d4e5f67890 is gone", "subnet-0123456789abcdef0",
    "gke-prod-default-pool-7d9f8b6c-x2x4", "pvc-123e4567-e89b-42d3-a456-426614174000", "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/net/web/50dc6c495c0c9188",
    // What went wrong.
    "dial tcp 10.0.0.5:5432: connect: connection refused", "GET https://api.example.com:8443/v1/items?limit=10 timed out", "http://db:5432 refused, ask ops@example.com", "Failed to pull image \"registry.example/api:v1.2.3\": not found",
    "pull access denied, repository does not exist or may require 'docker login': denied: requested access to the resource is denied", "toomanyrequests: You have reached your pull rate limit", "panic: runtime error: index out of range [5] with length 3",
    "Back-off pulling image \"registry.example:5000/shop/api@sha256:9f86d081884c7d659a2feaa0c55ad0153bf4f1b2b0b822cd15d6c15b0f00a089\"", "java.lang.OutOfMemoryError: Java heap space", "bind: address already in use", "mysql -u root -h db shop", "redis-cli -h redis ping",
    "mkdir -p /data/mysql", "mysqld: ready for connections. Version: '8.0.36'", "ssh -p 2222 app@host", "login -f root",
];
