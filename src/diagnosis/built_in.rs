//! The built-in rules: twelve root causes, and how runtimes and clients word them.
//!
//! Special before general: a line that names the database and says "connection refused" is about the database. Each line
//! that taught a pattern something stands in the table of `tests/it/diagnosis.rs`, and so do lines that must not match.

use std::sync::LazyLock;

use regex::{Regex, RegexBuilder};

use super::Rule;

/// Largest compiled size of a rule that somebody wrote, in bytes: it must not cost more than it says.
const MAX_COMPILED: usize = 256 * 1024;
/// Ours say more.
const MAX_COMPILED_HERE: usize = 1024 * 1024;

/// A rule as it is written down.
struct Written {
    name: &'static str,
    advice: &'static str,
    /// Any of these.
    patterns: &'static [&'static str],
    /// And this in the same line; empty if the patterns are enough.
    also: &'static str,
    /// And this not.
    unless: &'static str,
}

const LOOK_AT_THE_DATABASE: &str = "look at the database: a restart here does not bring it back";
const LOOK_AT_THE_BROKER: &str = "look at the broker: a restart here does not bring it back";

/// How a thing is said to be out of reach.
const OUT_OF_REACH: &str = r"refused|unreachable|not reachable|no route to host|timed[ -]?out|\be(?:connrefused|timedout|connreset|hostunreach)\b|time-?out(?:error|exception)|time-?out (?:expired|exceeded|error|after|while|waiting)|connect(?:ion)? (?:reset|lost|closed unexpectedly|error|exception|failed|failure|attempt failed|terminated)|(?:could ?n[o']t|can ?not|can't|unable to|fail(?:ed|ure|ing)? (?:to|in)|error|failed) (?:re-?)?(?:connect|reach|open|establish|acquire|obtain|dial|ping|communicat)|connect\w*:? (?:to \S+ )?failed|is (?:not available|down)|not (?:yet )?accepting|(?:server|connection) (?:has )?(?:closed|gone away)|not connected|no (?:reachable|suitable|available) |not be available|max retries";

/// Words for a database.
const DATABASE: &str = r"postgres|\bpgx?\b|psycopg|pgbouncer|\bpq:|libpq|psqlexception|npgsql|mysql|mariadb|\bmongo|redis|\bdb\b|database|jdbc|hikari|sqlalchemy|sqlstate|sql ?server|sqlclient|oracle|\bora-1\d{4}|cassandra|clickhouse|cockroach|elasticsearch|opensearch|ecto\b|dbconnection|\betcd|activerecord|sequelize|prisma|:(?:5432|3306|27017|6379|1433|1521|9042|26257|9200|2379)\b|port (?:5432|3306|27017|6379|1433|1521)\b";

/// Words for a broker.
const BROKER: &str = r"kafka|rabbit|\bamqp|\bnats\b|\bmqtt|\bbrokers?\b|bootstrap[ .]servers?|\bbunny\b|\bpika\b|kombu|pulsar|activemq|zookeeper|:(?:9092|9093|5672|5671|4222|1883|8883|6650|61616|2181)\b";

/// Words for where settings come from.
const SETTING: &str = r"\b(?:env(?:ironment)?(?: var(?:iable)?s?)?|variables?|config(?:uration)?(?: (?:value|key|option|file|property))?|settings?|(?:command[- ]line )?(?:option|argument|parameter|flag)s?)\b";

const RULES: [Written; 14] = [
    Written {
        name: "OutOfMemory",
        advice: "raise the memory limit or find the leak",
        patterns: &[
            r"^OOMKilled$",
            r"\boutofmemory(?:error|exception)",
            r"(?:^|[:\])>=-] *|fatal |error |is |was |ran |went |due to |process )out of memory\b",
            r"\bout of memory(?:[.:!;)]|$| error| exception| while| when| trying)",
            r"heap out of memory|heap limit|cannot allocate memory|\benomem\b|std::bad_alloc|\bbad_alloc\b",
            r"allowed memory size of \d+ bytes exhausted|^\s*memoryerror\b|\bmemoryerror:|nomemoryerror",
            r"memory allocation of \d+ bytes failed|insufficient memory for the java|cannot enlarge memory",
        ],
        also: "",
        unless: "",
    },
    Written {
        name: "DiskFull",
        advice: "free space or grow the volume",
        patterns: &[
            r"no space left on device|disk quota exceeded|\bedquot\b|not enough (?:free )?(?:disk )?space",
            r"\b(?:disk|volume|filesystem|file system) (?:is )?full\b|flood[- ]stage disk watermark|could not extend file",
        ],
        also: "",
        unless: r"inotify|file watchers|fsnotify",
    },
    Written {
        name: "PortInUse",
        advice: "two processes want one port: check hostNetwork, hostPort and sidecars",
        patterns: &[
            r"address already in use|\beaddrinuse\b|address in use\b|only one usage of each socket address",
            r"port \d+ (?:is |was )?already (?:in use|allocated|being used)|port is already (?:allocated|in use)",
            r"bind\(\) to \S+ failed \((?:48|98)",
        ],
        also: "",
        unless: "",
    },
    Written {
        name: "ImageMissing",
        advice: "check the image's name, tag and pull Secret",
        patterns: &[
            r"manifest unknown|manifest for \S+ not found|pull access denied|repository (?:does not exist|name not known)",
            r"no match(?:ing manifest)? for (?:platform|linux)|(?:failed to (?:pull|resolve)|error pulling).*: not found",
            r"^(?:ErrImagePull|ImagePullBackOff|InvalidImageName|ErrImageNeverPull|ImageInspectError)$",
            r"name unknown: |couldn't parse image (?:reference|name)|invalid reference format",
        ],
        also: "",
        unless: "",
    },
    Written {
        name: "BadCredentials",
        advice: "check the Secret that holds the credentials",
        patterns: &[
            r"(?:password|sasl|ldap|peer|ident|scram)?\s*\bauthentication (?:failed|failure|error|unsuccessful|exception)",
            r"authenticationexception|autherror|authentication ?failed|saslauthenticat\w*exception|access_refused",
            r"access denied for user|login failed for user|\blogon denied|ora-010(?:17|05)|\bnoauth\b|\bwrongpass\b",
            r"invalid (?:user ?name|password|username-password|credentials?|api[ _-]?key|client[ _]secret|access[ _]key)",
            r"invalid (?:access |bearer |auth |api |refresh |jwt )token|token (?:has |is )?(?:expired|revoked|invalid)\b",
            r"(?:bad|wrong|incorrect) (?:user ?name or password|password|credentials|username)",
            r"\b401\b.{0,20}unauthorized|unauthorized.{0,20}\b401\b|(?:status(?: ?code)?|http(?:/[\d.]+)?)[ :=]{1,3}401\b",
            r"unauthorized: |authentication required|no basic auth credentials|no pg_hba\.conf entry",
            r"invalidaccesskeyid|signaturedoesnotmatch|expiredtoken|invalidclienttokenid|unrecognizedclient|accessdeniedexception.*token",
        ],
        also: "",
        unless: r"java\.nio",
    },
    Written {
        name: "CertificateInvalid",
        advice: "check certificates, their dates, and that both sides speak TLS",
        patterns: &[
            r"\bx509: |certificate (?:has expired|verify failed|verification failed|signed by unknown|is not (?:yet )?(?:valid|trusted)|required|revoked|unknown|expired)",
            r"(?:unknown|bad|expired|invalid|untrusted) (?:peer )?certificate|self[- ]signed certificate|certificate_verify_failed",
            r"\bcert_(?:has_expired|untrusted|not_yet_valid|signature_failure)|unable_to_(?:verify_leaf_signature|get_issuer_cert)|depth_zero_self_signed|err_(?:tls|ssl)_",
            r"sslhandshakeexception|sslexception|pkix path|sslerror|ssl_error|ssl routines|\bssl: |sslv3 alert|openssl::ssl",
            r"\b(?:tls|ssl)[ _-]?handshake.{0,20}(?:fail|error|eof|reset)|handshake[ _]failure|remote error: tls",
            r"tls: (?:failed|bad|first record|unknown|unsupported|internal|protocol|no |oversized|received|unexpected|expired|private key|either|handshake failure)",
            r"server gave http response to https|wrong version number|ssl is not (?:enabled|supported)|does not support ssl",
            r"invalidcertificate|unknownissuer|notvalidforname|remotecertificate|the ssl connection could not",
        ],
        also: "",
        unless: "",
    },
    Written {
        name: "NameNotResolved",
        advice: "check the host name and the cluster's DNS",
        patterns: &[
            r"no such host|name or service not known|could(?:n't| not) resolve (?:host|address|name)|could not translate host name",
            r"temporary failure in name resolution|\benotfound\b|\beai_again\b|getaddrinfo (?:failed|error|e[a-z]+)|unknownhostexception",
            r"nodename nor servname|name does not resolve|failed to lookup address|\bservfail\b|\bnxdomain\b|unknown mysql server host",
            r"\bhost not found|server misbehaving|\bdns (?:error|lookup failed|resolution failed)|no address associated with hostname|nameresolutionerror|failed to resolve '",
        ],
        also: "",
        unless: "",
    },
    Written {
        name: "DatabaseUnreachable",
        advice: LOOK_AT_THE_DATABASE,
        patterns: &[OUT_OF_REACH],
        also: DATABASE,
        unless: BROKER,
    },
    Written {
        name: "DatabaseUnreachable",
        advice: LOOK_AT_THE_DATABASE,
        patterns: &[
            r"communications link failure|connection is not available, request timed out|mongo(?:network|serverselection|timeout)error|serverselectiontimeout",
            r"the database system is (?:starting up|shutting down|in recovery)|connectionnotestablished|network-related or instance-specific|ora-125\d\d",
            r"can't reach database|can't connect to (?:local )?(?:mysql|mariadb)|server closed the connection unexpectedly|mysql server has gone away",
        ],
        also: "",
        unless: "",
    },
    Written {
        name: "BrokerUnreachable",
        advice: LOOK_AT_THE_BROKER,
        patterns: &[OUT_OF_REACH],
        also: BROKER,
        unless: "",
    },
    Written {
        name: "BrokerUnreachable",
        advice: LOOK_AT_THE_BROKER,
        patterns: &[
            r"nobrokersavailable|run out of available brokers|broker transport failure|broker may not be available|all broker connections are down",
            r"amqpconnectionerror|amqpconnectexception|kafkajs(?:connection|numberofretries)\w*|no servers available for connection|brokernotavailable",
        ],
        also: "",
        unless: "",
    },
    Written {
        name: "MissingConfiguration",
        advice: "set what is missing: a restart does not",
        patterns: &[
            r"(?:missing|undefined|unset|not set|no value for|must (?:set|provide|specify)|cannot find)(?: \S+){0,3} (?:SETTING)",
            r"(?:SETTING).{0,60}(?:(?:is|are|was|were|be) (?:missing|required|undefined|unset|empty|not (?:set|found|defined|provided|present|specified))|must be (?:set|provided|specified|defined)|not (?:set|found|defined|provided|present|specified)|does not exist)",
            r"(?-i:\b[A-Z][A-Z0-9]*_[A-Z0-9_]+['\x22`]?:? (?:(?:env(?:ironment)? (?:var(?:iable)? )?)?(?:is |was )?(?:not (?:set|defined|found|provided)|missing|required|undefined|unset)|must be (?:set|defined|provided)))",
            r"(?-i:KeyError: '[A-Z][A-Z0-9_]+')|(?-i:key not found: \x22[A-Z][A-Z0-9_]+\x22)|(?-i:required key [A-Z0-9_]+ missing)",
            r"^CreateContainerConfigError$|^exit code 78$",
            r"could not resolve placeholder|no such file or directory.*\.(?:ya?ml|json|toml|conf|ini|env|properties|cfg)\b|\.(?:ya?ml|json|toml|conf|ini|env|properties|cfg)\W{1,4}(?:no such file|(?:was |could )?not (?:be )?found|does not exist)",
            r"\b(?:secret|configmap) \S+ not found|couldn't find key \S+ in (?:secret|configmap)|err` value: notpresent|is not specified\.? *you must specify|connectionstring property has not been initialized",
        ],
        also: "",
        unless: r"using (?:the )?default|falling back|\bignor|optional|skipp",
    },
    Written {
        name: "PermissionDenied",
        advice: "check securityContext, file modes, fsGroup and roles",
        patterns: &[
            r"permission denied|operation not permitted|read-only file ?system|\be(?:acces|perm|rofs)\b|permissionerror",
            r"accessdenied\b|accessdeniedexception|unauthorizedaccessexception|access to the path .* is denied|insufficient privileges",
            r"\b403\b.{0,20}forbidden|is forbidden: |must be run as root|^exit code 126$",
        ],
        also: "",
        unless: "",
    },
    Written {
        name: "DependencyTimeout",
        advice: "look at what it connects to",
        patterns: &[
            r"context deadline exceeded|deadline ?exceeded|i/o timeout|timed[ -]?out\b|timeout(?:error|exception)\b|(?:connect|read)timeout\b",
            r"time-?out (?:expired|exceeded|error|occurred|was reached|of \d+ ?ms exceeded|awaiting|waiting)|handshake timeout",
            r"connection refused|\be(?:connrefused|timedout|sockettimedout|hostunreach|connreset)\b|actively refused|no route to host|network is unreachable",
            r"max retries exceeded|upstream connect error|connection reset by peer|socket hang up|\b50[34]\b.{0,20}(?:gateway time-?out|service unavailable)",
        ],
        also: "",
        unless: "",
    },
];

static COMPILED: LazyLock<Vec<Rule>> = LazyLock::new(|| RULES.iter().filter_map(written).collect());

/// The rules in their order.
pub(super) fn rules() -> &'static [Rule] {
    &COMPILED
}

fn written(rule: &Written) -> Option<Rule> {
    let pattern = rule.patterns.join("|").replace("SETTING", SETTING);
    let compiled = |pattern: &str| within(pattern, MAX_COMPILED_HERE).ok();
    let given = |pattern: &str| Some(pattern.to_owned()).filter(|pattern| !pattern.is_empty());
    Some(Rule {
        name: rule.name.to_owned(),
        advice: rule.advice.to_owned(),
        pattern: compiled(&pattern)?,
        also: given(rule.also).and_then(|also| compiled(&also)),
        unless: given(rule.unless).and_then(|unless| compiled(&unless)),
    })
}

/// Without regard to case, and within bounds.
pub(super) fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    within(pattern, MAX_COMPILED)
}

fn within(pattern: &str, bytes: usize) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern).case_insensitive(true).size_limit(bytes).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_compiles_whole() {
        for rule in &RULES {
            let compiled = written(rule).unwrap_or_else(|| panic!("{}", rule.name));
            assert_eq!(
                (compiled.also.is_none(), compiled.unless.is_none()),
                (rule.also.is_empty(), rule.unless.is_empty())
            );
        }
    }
}
