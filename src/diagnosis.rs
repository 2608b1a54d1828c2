//! Diagnosis: rules that name a root cause from what a container said when it ended.
//!
//! Informs people. It must not decide anything: a diagnosis never widens what is acted on.

use std::sync::LazyLock;

use regex::{Regex, RegexBuilder};

use crate::{api::DiagnosisRule, healing::snapshot::Diagnosis};

/// Largest compiled size of one rule, in bytes: a rule must not cost more than it says.
const MAX_COMPILED: usize = 256 * 1024;

/// Name, pattern, advice. The first match wins, so the specific come before the general.
const BUILT_IN: [(&str, &str, &str); 12] = [
    (
        "BadCredentials",
        r"password authentication failed|access denied for user|authentication failed|invalid (password|credentials|api key)|\b401 unauthorized",
        "check the Secret that holds the credentials",
    ),
    (
        "CertificateInvalid",
        r"x509:|certificate (has expired|verify failed|signed by unknown)|tls handshake|ssl error",
        "check certificates and their dates",
    ),
    (
        "NameNotResolved",
        r"no such host|name or service not known|could not resolve host|temporary failure in name resolution|enotfound|eai_again",
        "check the host name and the cluster's DNS",
    ),
    (
        "DatabaseUnreachable",
        r"(postgres|postgresql|mysql|mariadb|mongo|mongodb|database|sqlstate|redis).{0,80}(connect|refused|unreachable|timed? ?out|failed)|(connect|connection).{0,40}(postgres|postgresql|mysql|mariadb|mongo|mongodb|database|redis)|\becto\b.{0,40}refused",
        "look at the database: a restart here does not bring it back",
    ),
    (
        "BrokerUnreachable",
        r"(kafka|rabbitmq|amqp|nats|mqtt|broker).{0,80}(connect|refused|unreachable|timed? ?out|failed|not available)|(connect|connection).{0,40}(kafka|rabbitmq|amqp|nats|broker)",
        "look at the broker: a restart here does not bring it back",
    ),
    (
        "OutOfMemory",
        r"out of memory|outofmemoryerror|cannot allocate memory|heap out of memory|std::bad_alloc",
        "raise the memory limit or find the leak",
    ),
    ("DiskFull", r"no space left on device|disk quota exceeded|enospc", "free space or grow the volume"),
    (
        "PortInUse",
        r"address already in use|eaddrinuse|bind: .{0,60}in use",
        "two processes want one port: check hostNetwork, hostPort and sidecars",
    ),
    (
        "MissingConfiguration",
        r"(missing|required|undefined|not set).{0,40}(env|environment|variable|config|configuration|setting)|(env|environment|variable|config|configuration).{0,60}(is missing|missing|is required|not set|not found|undefined)|no such file or directory.{0,40}\.(ya?ml|json|toml|conf|ini|env)",
        "set what is missing: a restart does not",
    ),
    (
        "PermissionDenied",
        r"permission denied|operation not permitted|read-only file system|eacces",
        "check securityContext, file modes and fsGroup",
    ),
    (
        "ImageMissing",
        r"manifest unknown|pull access denied|repository does not exist",
        "check the image's name, tag and pull Secret",
    ),
    (
        "DependencyTimeout",
        r"(i/o|read|connection|request|upstream|deadline).{0,20}(timed? ?out|exceeded)|connection refused|econnrefused|etimedout|context deadline exceeded",
        "look at what it connects to",
    ),
];

static BUILT_IN_RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    BUILT_IN
        .iter()
        .filter_map(|(name, pattern, advice)| {
            Some(Rule { regex: compile(pattern).ok()?, diagnosis: named(name, advice) })
        })
        .collect()
});

#[derive(Debug, Clone)]
struct Rule {
    regex: Regex,
    diagnosis: Diagnosis,
}

/// A person's rules, then the built-in ones.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    own: Vec<Rule>,
}

impl Rules {
    /// Compiles a person's rules. A rule that cannot be compiled within bounds is left out.
    pub fn compile(rules: &[DiagnosisRule]) -> Self {
        let rule = |rule: &DiagnosisRule| {
            let diagnosis = named(&rule.name, rule.advice.as_deref().unwrap_or_default());
            Some(Rule { regex: compile(&rule.pattern).ok()?, diagnosis })
        };
        Self { own: rules.iter().filter_map(rule).collect() }
    }

    /// The first rule that matches.
    pub fn diagnose(&self, message: &str) -> Option<Diagnosis> {
        if message.is_empty() {
            return None;
        }
        let found = self.own.iter().chain(BUILT_IN_RULES.iter()).find(|rule| rule.regex.is_match(message));
        found.map(|rule| rule.diagnosis.clone())
    }
}

/// Compiles a pattern the way it is used.
///
/// # Errors
///
/// When it is no regular expression, or compiles to more than it should cost.
pub fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern).case_insensitive(true).size_limit(MAX_COMPILED).build()
}

fn named(name: &str, advice: &str) -> Diagnosis {
    Diagnosis { name: name.to_owned(), advice: advice.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_rule_compiles() {
        assert_eq!(BUILT_IN_RULES.len(), BUILT_IN.len());
    }

    #[test]
    fn messages_seen_in_the_wild_are_named() {
        let table = [
            ("ERROR - Failed to connect to PostgreSQL after all retry attempts", Some("DatabaseUnreachable")),
            ("pq: password authentication failed for user \"app\"", Some("BadCredentials")),
            ("dial tcp: lookup db.shop on 10.96.0.10:53: no such host", Some("NameNotResolved")),
            ("amqp: connection refused by rabbitmq:5672", Some("BrokerUnreachable")),
            ("listen tcp :8080: bind: address already in use", Some("PortInUse")),
            ("write /data/log: no space left on device", Some("DiskFull")),
            ("KeyError: environment variable API_URL is not set", Some("MissingConfiguration")),
            ("java.lang.OutOfMemoryError: Java heap space", Some("OutOfMemory")),
            ("open /etc/app.key: permission denied", Some("PermissionDenied")),
            ("x509: certificate has expired or is not yet valid", Some("CertificateInvalid")),
            ("Get http://payments: context deadline exceeded", Some("DependencyTimeout")),
            ("segmentation fault", None),
            ("", None),
        ];
        for (message, expected) in table {
            let name = Rules::default().diagnose(message).map(|found| found.name);
            assert_eq!(name.as_deref(), expected, "{message}");
        }
    }

    #[test]
    fn a_persons_rule_comes_first() {
        let rule = DiagnosisRule {
            name: "LicenceExpired".into(),
            pattern: "licen[cs]e (has )?expired".into(),
            advice: Some("renew it".into()),
        };
        let found = Rules::compile(&[rule]).diagnose("the License has expired; permission denied");
        assert_eq!(found.map(|found| found.name).as_deref(), Some("LicenceExpired"));
    }
}
