//! Forms that texts must have, and what is said of one that has not. Each function returns everything wrong.

use std::net::{IpAddr, Ipv4Addr};

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', \
    and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must \
    start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const NAME_PART: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an \
    alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is \
    '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and \
    must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for \
    validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const CONFIG_KEY: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  \
    or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";
const ADDRESS: &str = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
const NETWORK: &str = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";

fn one(why: impl Into<String>) -> Vec<String> {
    vec![why.into()]
}

fn too_long(text: &str, most: usize, what: &str) -> Vec<String> {
    if text.len() > most { one(format!("must be no more than {most} {what}")) } else { Vec::new() }
}

/// A DNS label.
pub(crate) fn label(text: &str) -> Vec<String> {
    let mut problems = too_long(text, 63, "characters");
    if !is_label(text) {
        problems.push(if is_subdomain(text) { "must not contain dots".to_owned() } else { LABEL.to_owned() });
    }
    problems
}

/// A DNS subdomain.
pub(crate) fn subdomain(text: &str) -> Vec<String> {
    let mut problems = too_long(text, 253, "characters");
    if !is_subdomain(text) {
        problems.push(SUBDOMAIN.to_owned());
    }
    problems
}

fn is_subdomain(text: &str) -> bool {
    text.split('.').all(is_label)
}

fn is_label(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !text.is_empty() && text.chars().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}

/// A name that may have a domain before it, as keys of labels are.
pub(crate) fn qualified_name(key: &str) -> Vec<String> {
    let mut problems = Vec::new();
    let parts: Vec<&str> = key.split('/').collect();
    let name = match parts[..] {
        [name] => name,
        [prefix, name] => {
            if prefix.is_empty() {
                problems.push("prefix part must be non-empty".to_owned());
            } else {
                problems.extend(subdomain(prefix).into_iter().map(|why| format!("prefix part {why}")));
            }
            name
        }
        _ => {
            return one(format!(
                "a valid label key {NAME_PART} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
            ));
        }
    };
    if name.is_empty() {
        problems.push("name part must be non-empty".to_owned());
    } else {
        problems.extend(too_long(name, 63, "bytes").into_iter().map(|why| format!("name part {why}")));
    }
    if !is_name_part(name) {
        problems.push(format!("name part {NAME_PART}"));
    }
    problems
}

/// A value of a label.
pub(crate) fn label_value(text: &str) -> Vec<String> {
    let mut problems = too_long(text, 63, "bytes");
    if !text.is_empty() && !is_name_part(text) {
        problems.push(VALUE.to_owned());
    }
    problems
}

fn is_name_part(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    text.chars().all(inner) && edge(text.chars().next()) && edge(text.chars().last())
}

/// The beginning of a generated name: whatever a valid name can begin with.
pub(crate) fn prefixed(prefix: &str, problems: fn(&str) -> Vec<String>) -> Vec<String> {
    let whole = if prefix.ends_with('-') && prefix.len() > 1 {
        format!("{}a", &prefix[..prefix.len() - 1])
    } else {
        prefix.to_owned()
    };
    problems(&whole)
}

/// Whether a finalizer is neither one of Kubernetes' own nor has a domain.
pub(crate) fn unqualified_finalizer(finalizer: &str) -> bool {
    let standard = matches!(finalizer, "kubernetes" | "orphan" | "foregroundDeletion");
    !standard && !finalizer.contains('/')
}

/// A key of a `ConfigMap` or a Secret.
pub(super) fn config_key(key: &str) -> Vec<String> {
    let mut problems = too_long(key, 253, "characters");
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if key.is_empty() || !key.chars().all(known) {
        problems.push(CONFIG_KEY.to_owned());
    } else if key == "." || key == ".." || key.starts_with("..") {
        problems.push(format!(
            "must not {}",
            if key == "." {
                "be '.'"
            } else if key == ".." {
                "be '..'"
            } else {
                "start with '..'"
            }
        ));
    }
    problems
}

/// A name of a port.
pub(super) fn port_name(name: &str) -> Vec<String> {
    let mut problems = too_long(name, 15, "characters");
    let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !name.chars().all(known) {
        problems.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)".to_owned());
    }
    if !name.chars().any(|c| c.is_ascii_lowercase()) {
        problems.push("must contain at least one letter (a-z)".to_owned());
    }
    if name.contains("--") {
        problems.push("must not contain consecutive hyphens".to_owned());
    }
    if name.starts_with('-') || name.ends_with('-') {
        problems.push("must not begin or end with a hyphen".to_owned());
    }
    problems
}

/// An IP address.
pub(super) fn address(text: &str) -> Vec<String> {
    if text.parse::<IpAddr>().is_ok() { Vec::new() } else { one(ADDRESS) }
}

/// A network with the length of its prefix.
pub(super) fn network(text: &str) -> Vec<String> {
    if parse_network(text).is_some() { Vec::new() } else { one(NETWORK) }
}

/// Address and length of the prefix.
pub(super) fn parse_network(text: &str) -> Option<(IpAddr, u32)> {
    let (address, length) = text.split_once('/')?;
    let (address, length) = (address.parse::<IpAddr>().ok()?, length.parse::<u32>().ok()?);
    let most = if address.is_ipv4() { 32 } else { 128 };
    (length <= most).then_some((address, length))
}

/// Whether a network lies in another one and is smaller.
pub(super) fn is_part_of(part: (IpAddr, u32), whole: (IpAddr, u32)) -> bool {
    part.1 > whole.1 && shares_prefix(part.0, whole.0, whole.1)
}

/// Whether an address is in the network that services get theirs from.
pub(crate) fn is_in_service_network(address: &str) -> bool {
    let parsed = address.parse::<IpAddr>();
    parsed.is_ok_and(|address| shares_prefix(address, IpAddr::V4(Ipv4Addr::new(10, 96, 0, 0)), 16))
}

fn shares_prefix(one: IpAddr, other: IpAddr, length: u32) -> bool {
    let bits = |address: IpAddr| match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()) << 96, true),
        IpAddr::V6(address) => (address.to_bits(), false),
    };
    let ((one, four), (other, other_four)) = (bits(one), bits(other));
    four == other_four && (length == 0 || (one ^ other) >> (128 - length) == 0)
}

/// The number before a percent sign.
pub(super) fn percent(text: &str) -> Option<u64> {
    let digits = text.strip_suffix('%')?;
    if digits.is_empty() || !digits.chars().all(|c| c.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_judged_part_by_part() {
        assert!(label("a-1").is_empty());
        assert_eq!(label("a.b"), ["must not contain dots"]);
        assert_eq!(label("x."), [LABEL]);
        assert!(subdomain("a.b-c").is_empty());
        assert_eq!(subdomain("A"), [SUBDOMAIN]);
        assert!(qualified_name("a.test/Name_1").is_empty());
        assert_eq!(qualified_name(""), ["name part must be non-empty".to_owned(), format!("name part {NAME_PART}")]);
        assert_eq!(qualified_name("/a"), ["prefix part must be non-empty"]);
        assert_eq!(qualified_name("a/b/c").len(), 1);
        assert_eq!(port_name("-bad-"), ["must not begin or end with a hyphen"]);
        assert!(prefixed("gen-", subdomain).is_empty());
        assert_eq!(prefixed("Gen_", subdomain).len(), 1);
    }

    #[test]
    fn networks_lie_in_larger_ones_of_their_family() {
        let network = |text| parse_network(text).unwrap();
        assert!(is_part_of(network("10.1.0.0/16"), network("10.0.0.0/8")));
        assert!(!is_part_of(network("11.0.0.0/8"), network("10.0.0.0/8")));
        assert!(!is_part_of(network("10.0.0.0/8"), network("10.0.0.0/8")));
        assert!(!is_part_of(network("::/96"), network("0.0.0.0/0")));
        assert!(parse_network("10.0.0.0/33").is_none());
        assert!(is_in_service_network("10.96.100.9"));
        assert!(!is_in_service_network("10.200.0.1"));
    }
}
