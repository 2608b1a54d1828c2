//! What the name of a setting says of its value.

/// What a name says of the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Worth {
    /// It is a secret: `password`, `apiKey`.
    Secret,
    /// It may be one: `key`, `auth`. The value decides.
    Perhaps,
    /// It is none: `user`, and also what only speaks of a secret, as `secretName`.
    Plain,
}

/// Words that make a secret of what a name holds.
#[rustfmt::skip]
const SECRET: [&str; 26] = [
    "cookie", "cookies", "cred", "credential", "credentials", "creds", "dsn", "jwt", "kennwort", "mnemonic", "otp", "pass",
    "passcode", "passphrase", "passwd", "password", "passwords", "passwort", "psw", "pw", "pwd", "secret", "secrets", "sig",
    "signature", "token",
];
/// Ends of words that are written together: `dbpassword`, `accesstoken`.
#[rustfmt::skip]
const SECRET_ENDS: [&str; 19] = [
    "accesskey", "accountkey", "apikey", "authkey", "connectionstring", "connstr", "encryptionkey", "masterkey", "passcode",
    "passphrase", "passwd", "password", "privatekey", "secret", "secretkey", "sessionid", "signingkey", "storepass", "token",
];
/// The same, of words that end other words too: `bypass` is no secret.
#[rustfmt::skip]
const SECRET_WORDS: [&str; 12] = [
    "adminpass", "bindpw", "dbpass", "dbpwd", "keypass", "mysqlpwd", "pgpwd", "rootpass", "rootpw", "sshpass", "userpass",
    "userpwd",
];
/// Words that make a secret of the `key` behind them.
#[rustfmt::skip]
const OF_KEYS: [&str; 29] = [
    "access", "account", "aes", "api", "app", "auth", "client", "consumer", "decryption", "deploy", "encryption", "functions",
    "hmac", "integration", "licence", "license", "master", "private", "routing", "rsa", "secret", "service", "session", "shared",
    "signing", "ssh", "storage", "subscription", "webhook",
];
/// Words that only may tell of a secret.
const PERHAPS: [&str; 11] = ["key", "keys", "auth", "tokens", "sas", "salt", "nonce", "seed", "pin", "sid", "hash"];
/// Last words of a name that speaks of a secret and holds none: `secretName`, `token_url`, `TokenFilter.java`.
#[rustfmt::skip]
const SPEAKS_OF: [&str; 145] = [
    "age", "alg", "algorithm", "arn", "at", "audience", "authentication", "authenticator", "backend", "bucket", "builder",
    "cache", "cfg", "check", "class", "client", "conf", "config", "configured", "controller", "controllers", "count", "counter",
    "cr", "crd", "created", "csi", "dir", "directory", "disabled", "driver", "duration", "email", "enabled", "encoding",
    "endpoint", "engine", "error", "errors", "exception", "exists", "expected", "expiration", "expired", "expires", "expiry",
    "factory", "failed", "failure", "field", "file", "filename", "filter", "format", "found", "generator", "go", "handler",
    "helper", "host", "impl", "in", "interceptor", "invalid", "issuer", "java", "js", "json", "kind", "kt", "len", "length",
    "lifetime", "limit", "list", "loader", "manager", "max", "method", "min", "missing", "mode", "mount", "ms", "name", "names",
    "namespace", "operator", "parser", "path", "paths", "policy", "port", "processor", "provider", "py", "rate", "rb", "ref",
    "reference", "refresh", "refs", "request", "requests", "required", "resolver", "review", "rotation", "rs", "scope", "scopes",
    "seconds", "server", "service", "size", "source", "state", "stats", "status", "store", "strategy", "timeout", "toml", "total",
    "ts", "ttl", "txt", "type", "uri", "url", "usage", "used", "user", "username", "util", "utils", "valid", "validation",
    "validator", "version", "volume", "volumes", "web", "yaml", "yml",
];
/// Of these, words that may also say whose secret it is: `PASSWORD_USER`.
const WHOSE: [&str; 7] = ["client", "email", "host", "server", "service", "user", "web"];
/// Words before `secret` with which a name names a Secret of the cluster.
const OF_CLUSTER: [&str; 5] = ["pull", "existing", "tls", "kind", "get"];

/// What a name says of the value; `before` is the word that stands before it, as in `api key: …`.
pub(super) fn worth(name: &str, before: &str) -> Worth {
    let own = words(name);
    let Some(last) = own.last() else { return Worth::Plain };
    let before = before.to_lowercase();
    if has(&WHOSE, last) && own.iter().any(|word| is_secret(word)) {
        return Worth::Perhaps;
    }
    if has(&SPEAKS_OF, last) || (matches!(before.as_str(), "unexpected" | "illegal") && last == "token") {
        return Worth::Plain;
    }
    let said: Vec<&str> = Some(before.as_str()).into_iter().chain(own.iter().map(String::as_str)).collect();
    let pairs = || said.iter().copied().zip(said.iter().copied().skip(1));
    if pairs().any(|(first, second)| has(&OF_CLUSTER, first) && matches!(second, "secret" | "secrets")) {
        return Worth::Plain;
    }
    if own.iter().any(|word| is_secret(word)) || pairs().any(|(first, second)| is_secret_pair(first, second)) {
        return Worth::Secret;
    }
    if has(&PERHAPS, last) { Worth::Perhaps } else { Worth::Plain }
}

fn is_secret_pair(first: &str, second: &str) -> bool {
    match second {
        "key" | "keys" => has(&OF_KEYS, first),
        "string" | "str" => first.starts_with("conn"),
        "id" => first == "session",
        _ => false,
    }
}

fn is_secret(word: &str) -> bool {
    has(&SECRET, word) || has(&SECRET_WORDS, word) || SECRET_ENDS.iter().any(|end| word.ends_with(end))
}

fn has(list: &[&str], word: &str) -> bool {
    list.contains(&word)
}

/// The words of a name in small letters, without numbers: of `DB_PASSWORD2`, `dbPassword` and `db-password` the same.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let letters: Vec<char> = name.chars().collect();
    for (at, &letter) in letters.iter().enumerate() {
        if !letter.is_ascii_alphabetic() {
            if !letter.is_ascii_digit() {
                words.push(String::new());
            }
            continue;
        }
        let before = at.checked_sub(1).and_then(|before| letters.get(before));
        let after = letters.get(at + 1);
        let begins = letter.is_ascii_uppercase()
            && before.is_some_and(|before| !before.is_ascii_uppercase() || after.is_some_and(char::is_ascii_lowercase));
        if begins {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.push(letter.to_ascii_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_by_its_words() {
        for name in [
            "password",
            "DB_PASSWORD",
            "dbPassword2",
            "db.pass",
            "PGPASSWORD",
            "apiKey",
            "APIKey",
            "aws_secret_access_key",
            "accesstoken",
            "X-Auth-Token",
            "client-key-data",
            "AccountKey",
            "connectionString",
            "sslPassphrase",
            "MYSQL_PWD",
            "pw",
        ] {
            assert_eq!(worth(name, ""), Worth::Secret, "{name}");
        }
        for name in [
            "secretName",
            "imagePullSecrets",
            "tokenizer",
            "keyspace",
            "keyboard",
            "monkey",
            "author",
            "authority",
            "user",
            "passed",
            "bypass",
            "compass",
            "secretKeyRef",
            "token_url",
            "TokenExpiredError",
            "existingSecret",
            "signal",
            "passwordFile",
        ] {
            assert_eq!(worth(name, ""), Worth::Plain, "{name}");
        }
        for name in ["key", "auth", "REDISCLI_AUTH", "primary_key", "max_tokens"] {
            assert_eq!(worth(name, ""), Worth::Perhaps, "{name}");
        }
        assert_eq!(worth("key", "api"), Worth::Secret);
        assert_eq!(worth("error", "secret"), Worth::Plain);
        assert_eq!(worth("token", "Unexpected"), Worth::Plain);
    }
}
