//! Shapes in which secrets are printed. `{}` is the secret, by the kind of letters that it has.

/// Of these the issuers make what follows their prefix. None is a real one, and no prefix stands before it in this file.
pub(super) const HEX32: &str = "9f86d081884c7d659a2feaa0c55ad015";
pub(super) const HEX64: &str = "9f86d081884c7d659a2feaa0c55ad0153bf4f1b2b0b822cd15d6c15b0f00a089";
pub(super) const MIXED20: &str = "q7Zr2mXv9Lk4Tn8Bs1Yd";
pub(super) const MIXED36: &str = "q7Zr2mXv9Lk4Tn8Bs1YdHc5Wp3Jf6Gt0Ra7E";
pub(super) const MIXED43: &str = "q7Zr2mXv9Lk4Tn8Bs1YdHc5Wp3Jf6Gt0Ra7EuK2sVbQ";
pub(super) const LETTERS34: &str = "qZrmXvLkTnBsYdHcWpJfGtRaEuKsVbQxMo";
pub(super) const LARGE16: &str = "Q7ZR2MXV4LK5TN3B";
pub(super) const AWS40: &str = "q7Zr2mXv9/k4Tn8Bs1YdHc5Wp+Jf6Gt0Ra7EuK2s";
pub(super) const BASE88: &str =
    "q7Zr2mXv9Lk4Tn8Bs1YdHc5Wp3Jf6Gt0Ra7EuK2sVbQq7Zr2mXv9Lk4Tn8Bs1YdHc5Wp3Jf6Gt0Ra7EuK2sVQ==";
/// What people choose.
pub(super) const CHOSEN: &str = "hunter2";
/// A word like another, which only its place tells.
pub(super) const WORD: &str = "opensesame";

/// Told by their form: no name stands before them.
#[rustfmt::skip]
pub(super) const BY_FORM: &[(&str, &str)] = &[
    ("AKIA{}", LARGE16), ("ASIA{}", LARGE16), ("denied for {} in eu-west-1", AWS40), ("aws configure: {}", AWS40),
    ("ABSK{}", BASE88), ("amzn.mws.{}", "4ea38b7b-f563-7709-4bae-87aea1b2c3d4"),
    ("AIza{}", "SyQ7Zr2mXv9Lk4Tn8Bs1YdHc5Wp3Jf6Gt0R"), ("ya29.{}", MIXED43), ("GOCSPX-{}", MIXED36), ("1//0{}", MIXED43),
    ("abc8Q~{}", "q7Zr2mXv9Lk4Tn8Bs1YdHc5Wp3Jf6Gt0Ra"), ("storage key {} rejected", BASE88),
    ("https://a.blob.core.windows.net/c?sv=2024-01-01&se=2026-12-01&sig={}", "q7Zr2mXv9Lk4Tn8%2Bs1Yd%3D"),
    ("LTAI{}", MIXED20), ("AKID{}", "q7Zr2mXv9Lk4Tn8Bs1YdHc5Wp3Jf6Gt0"), ("SCW{}", "Q7ZR2MXV4LK5TN3BA"),
    ("ghp_{}", MIXED36), ("gho_{}", MIXED36), ("ghs_{}", MIXED36), ("github_pat_{}", MIXED43),
    ("glpat-{}", MIXED20), ("gldt-{}", MIXED20), ("glrt-{}", MIXED20), ("glptt-{}", HEX32), ("GR1348941{}", MIXED20),
    ("ATATT3{}", MIXED43), ("ATBB{}", MIXED36), ("npm_{}", MIXED36), ("pypi-{}", MIXED43), ("rubygems_{}", HEX64),
    ("dckr_pat_{}", MIXED20), ("hf_{}", LETTERS34), ("sk-{}", MIXED43), ("sk-proj-{}", MIXED43), ("sk-ant-api03-{}", MIXED43),
    ("gsk_{}", MIXED43), ("xai-{}", MIXED43), ("pplx-{}", MIXED43), ("r8_{}", MIXED36),
    ("dapi{}", HEX32), ("dop_v1_{}", HEX64), ("doo_v1_{}", HEX64), ("HRKU-{}", MIXED43), ("fo1_{}", MIXED43),
    ("hvs.{}", MIXED36), ("hvb.{}", MIXED36), ("s.{}", "q7Zr2mXv9Lk4Tn8Bs1YdHc5W"), ("q7Zr2mXv9Lk4Tn.atlasv1.{}", MIXED43),
    ("pul-{}", HEX32), ("dp.pt.{}", MIXED43), ("glsa_{}", MIXED36), ("glc_{}", MIXED43), ("NRAK-{}", "Q7ZR2MXV4LK5TN3BS1YDHC5WP3J"),
    ("sntrys_{}", MIXED43), ("sntryu_{}", HEX64), ("https://{}@o12345.ingest.sentry.io/42", HEX32),
    ("123456789:{}", "AAq7Zr2mXv9Lk4Tn8Bs1YdHc5Wp3Jf6Gt0R"), ("https://api.telegram.org/bot123456789:{}/getMe", "AAq7Zr2mXv9Lk4Tn8Bs1YdHc5Wp3Jf6Gt0R"),
    ("MTIzNDU2Nzg5MDEyMzQ1Njc4.GaBcDe.{}", MIXED36), ("https://discord.com/api/webhooks/123/{}", MIXED43),
    ("xoxb-123456789012-{}", MIXED36), ("xoxp-{}", MIXED36), ("xapp-1-A1-2-{}", HEX64), ("https://hooks.slack.com/services/{}", "T00/B00/q7Zr2mXv9Lk4"),
    ("sk_live_{}", MIXED36), ("rk_live_{}", MIXED36), ("sk_test_{}", MIXED36), ("whsec_{}", MIXED36), ("SK{}", HEX32), ("AC{}", HEX32),
    ("SG.{}", "q7Zr2mXv9Lk4Tn8Bs1YdHc.5Wp3Jf6Gt0Ra7EuK2sVbQ"), ("key-{}", HEX32), ("xkeysib-{}", HEX64), ("{}-us12", HEX32),
    ("shpat_{}", HEX32), ("sq0atp-{}", MIXED36), ("EAACEdEose0cBA{}", MIXED43), ("lin_api_{}", MIXED36), ("ntn_{}", MIXED43), ("figd_{}", MIXED43),
    ("PMAK-{}", HEX64), ("pscale_pw_{}", MIXED43), ("tskey-auth-{}", MIXED36), ("sbp_{}", HEX64), ("AKCp{}", MIXED43), ("sha256~{}", MIXED43),
    ("AGE-SECRET-KEY-1{}", "Q7ZR2MXV4LK5TN3BQ7ZR2MXV4LK5TN3B"), ("eyJhbGciOi.eyJzdWIi.{}", MIXED43),
    ("-----BEGIN OPENSSH PRIVATE KEY-----\n{}\n-----END OPENSSH PRIVATE KEY-----", MIXED43),
    ("-----BEGIN PGP PRIVATE KEY BLOCK-----\n{}", MIXED43), ("-----BEGIN EC PRIVATE KEY-----\\n{}\\n", MIXED43),
    ("app:$2b$12${}", "q7Zr2mXv9Lk4Tn8Bs1YdHc5Wp3Jf6Gt0Ra7EuK2sVbQ/.x./yzab"), ("root:$6${}:19000:0", "q7Zr2mXv$9Lk4Tn8Bs1YdHc5Wp3"),
    ("app:$apr1${}", "q7Zr2mXv$9Lk4Tn8Bs1Yd"), ("$argon2id${}", "v=19$m=65536$q7Zr2mXv"), ("{SSHA}{}", MIXED36),
    ("SCRAM-SHA-256${}", "4096:q7Zr2mXv9Lk4Tn8"), ("no match for {} in the store", MIXED36), ("cannot decode {}", "k3j9x0q2m7v5b1n8c4z6p8w2"),
];

/// Told by what stands around them.
#[rustfmt::skip]
pub(super) const BY_PLACE: &[(&str, &str)] = &[
    // Addresses and connection strings.
    ("postgres://app:{}@db:5432/shop", CHOSEN), ("postgresql://app:{}@db/shop?sslmode=require", "p@ss/w0rd"), ("postgres://app:{}@db/shop", "two words"),
    ("mysql://root:{}@tcp(db:3306)/shop", CHOSEN), ("app:{}@tcp(db:3306)/shop", CHOSEN), ("mongodb+srv://app:{}@c.mongodb.net/shop", CHOSEN),
    ("redis://:{}@redis:6379/0", CHOSEN), ("rediss://default:{}@redis:6379", "a b c"), ("amqp://guest:{}@rabbit:5672/", CHOSEN),
    ("https://{}@github.com/org/repo.git", CHOSEN), ("https://oauth2:{}@gitlab.com/org/repo.git", CHOSEN), ("ftp://u:{}@h/x", CHOSEN),
    ("jdbc:postgresql://db/shop?user=app&password={}", CHOSEN), ("jdbc:oracle:thin:scott/{}@//db:1521/x", CHOSEN),
    ("jdbc:sqlserver://db;user=sa;password={};encrypt=true", "two words"), ("Driver={ODBC 18};Server=db;UID=sa;PWD={};", CHOSEN),
    ("Server=db;Database=shop;User Id=sa;Password={};", "two words"), ("AccountName=a;AccountKey={};EndpointSuffix=core.windows.net", BASE88),
    ("org.apache.kafka.common.security.plain.PlainLoginModule required username=\"app\" password=\"{}\";", CHOSEN),
    ("sasl.jaas.config=…ScramLoginModule required username='app' password='{}';", "two words"),
    ("db:5432:shop:app:{}", CHOSEN), ("machine example.com login app password {}", WORD), ("host=db user=app password='{}' dbname=shop", "two words"),
    // Settings.
    ("pw={}", CHOSEN), ("pw={}", WORD), ("key={}", CHOSEN), ("auth={}", CHOSEN), ("pwd: {}", CHOSEN), ("GET /v1?key={}", CHOSEN), ("?auth={}&x=1", CHOSEN),
    ("DB_PASSWORD={}", WORD), ("export PGPASSWORD='{}'", "two words"), ("declare -x API_TOKEN=\"{}\"", WORD), ("REDISCLI_AUTH={}", CHOSEN), ("db.pass={}", WORD),
    ("VAULT_TOKEN={}", WORD), ("TWILIO_AUTH_TOKEN={}", HEX32), ("DD_API_KEY={}", HEX32), ("HEROKU_API_KEY={}", "123e4567-e89b-42d3-a456-426614174000"),
    ("aws_secret_access_key = {}", AWS40), ("ROLE_SECRET_ID={}", "123e4567-e89b-42d3-a456-426614174000"), ("SENTRY_DSN={}", CHOSEN),
    ("{\"auths\":{\"registry.example\":{\"auth\":\"{}\"}}}", "YXBwOmh1bnRlcjI="), ("\"auth\": \"{}\"", "YXBwOmh1bnRlcjI="), ("{\"identitytoken\":\"{}\"}", CHOSEN),
    ("{\"type\":\"service_account\",\"private_key_id\":\"{}\"}", HEX32), ("client-key-data: {}", "LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVktLS0tLQo="),
    ("    token: {}", WORD), ("password: |\n  {}", WORD), ("stringData:\n  password: {}", CHOSEN), ("- name: DB_PASSWORD\n  value: {}", WORD),
    ("{\"name\":\"DB_PASSWORD\",\"value\":\"{}\"}", WORD), ("{Name:API_TOKEN Value:{} ValueFrom:nil}", WORD), ("<add key=\"Password\" value=\"{}\"/>", WORD),
    ("&{User:app Password:{} Host:db}", WORD), ("Config(user=app, password={}, host=db)", WORD), ("Config{user='app', password='{}'}", WORD),
    ("{'user': 'app', 'password': '{}'}", WORD), ("{'token': b'{}'}", WORD), (":password=>\"{}\"", WORD), ("array('password' => '{}')", WORD),
    ("level=error msg=login password={} user=app", WORD), ("{\"msg\":\"{\\\"password\\\":\\\"{}\\\"}\"}", WORD),
    ("{\"a\":\"{\\\"b\\\":\\\"{\\\\\\\"token\\\\\\\":\\\\\\\"{}\\\\\\\"}\\\"}\"}", WORD), ("config.api key: {}", CHOSEN), ("Client Secret = {}", WORD),
    ("spring.datasource.password={}", WORD), ("<password>{}</password>", WORD), ("Passwort: {}", CHOSEN), ("X-Api-Key: {}", WORD), ("PRIVATE-TOKEN: {}", WORD),
    ("Authorization: Basic {}", "YXBwOmh1bnRlcjI="), ("Authorization: Digest username=\"app\", response=\"{}\"", HEX32), ("Cookie: sid={}", WORD), ("Bearer {}", CHOSEN),
    ("PrivateKey = {}", "q7Zr2mXv9Lk4Tn8Bs1YdHc5Wp3Jf6Gt0Ra7EuK2sVbQ="), ("requirepass {}", WORD), ("\"AUTH\" \"{}\"", WORD),
    ("CREATE USER app IDENTIFIED BY '{}'", "two words"), ("ALTER USER app WITH PASSWORD '{}'", "two words"), ("SET PASSWORD = '{}'", WORD),
    // Command lines.
    ("mysql -u root -p{} shop", WORD), ("mysqldump -h db -p{} shop > x", CHOSEN), ("mysqladmin -uroot -p{} ping", WORD), ("redis-cli -h redis -a {} ping", WORD),
    ("[\"redis-cli\",\"-a\",\"{}\",\"ping\"]", WORD), ("[\"mysqladmin\",\"ping\",\"-p{}\"]", WORD), ("sshpass -p {} ssh app@host", WORD), ("sshpass -p'{}' ssh app@host", WORD),
    ("curl -u app:{} https://x", WORD), ("curl --user app:{} https://x", WORD), ("docker login -u app -p {} registry.example", WORD), ("helm registry login -u app -p {} r", WORD),
    ("skopeo copy --creds app:{} docker://x", WORD), ("ldapsearch -D cn=admin -w {} -b dc=x", WORD), ("mongosh -u app -p {} --host m", WORD), ("smbclient //s/x -U app%{}", WORD),
    ("openssl rsa -passin pass:{} -in k", WORD), ("htpasswd -bc /etc/htpasswd app {}", WORD), ("rabbitmqctl change_password app {}", WORD), ("sqlcmd -S db -U sa -P {} -Q x", WORD),
    ("keytool -storepass {} -list", WORD), ("wget --http-password={} https://x", WORD), ("server --api-key {} --port 1", WORD), ("['--db-password', '{}']", WORD), ("--auth {}", CHOSEN),
    ("kubectl create secret generic x --from-literal=password={}", WORD), ("--set auth.password={}", WORD), ("-Djavax.net.ssl.keyStorePassword={}", WORD),
    // Sentences.
    ("the password is {}", WORD), ("the password is {}", CHOSEN), ("password was \"{}\"", "two words"), ("login as app with password \"{}\" failed", "two words"),
    ("connecting with password {}", WORD), ("using token {} for the API", CHOSEN), ("using password {}", CHOSEN), ("new password for user app is {}", WORD),
    ("Your API key is {}", CHOSEN), ("invalid token '{}'", CHOSEN), ("admin password set to {}", WORD), ("Generated password: {}", CHOSEN), ("access token {} refused", CHOSEN), ("Incorrect API key provided: {}", CHOSEN),
    ("Password for user app: {}", CHOSEN), ("mysql -p'{}' shop", "two words"), ("sshpass -p \"{}\" ssh h", "two words"), ("export KEY={}", WORD), ("/shop/db/password: {}", WORD), ("PASSWORD_USER={}", CHOSEN),
    ("secret 'password': '{}'", WORD),
    ("secret is {}", CHOSEN), ("password '{}' is too short", "two words"), ("rejected credentials app:{}", CHOSEN),
];
