//! Hosts at which the cluster's ceilings allow receivers.

use std::sync::Arc;

/// The lists of all ceilings that hold for a service, each with the policy that it stands in: a receiver's host must be in every
/// one of them. Without any, all hosts are allowed and none is named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReceiverHosts(Arc<[(String, Vec<String>)]>);

impl FromIterator<(String, Vec<String>)> for ReceiverHosts {
    fn from_iter<I: IntoIterator<Item = (String, Vec<String>)>>(lists: I) -> Self {
        Self(lists.into_iter().collect())
    }
}

impl ReceiverHosts {
    /// The first policy whose list does not have the host.
    pub fn refused_by(&self, host: &str) -> Option<&str> {
        let lists = self.0.iter();
        lists.filter(|(_, list)| !list.iter().any(|entry| is_of(host, entry))).map(|(policy, _)| policy.as_str()).next()
    }

    /// Whether the cluster names the host.
    pub fn names(&self, host: &str) -> bool {
        !self.0.is_empty() && self.refused_by(host).is_none()
    }
}

/// Whether a host is the one of an entry, or below it: `*.example.com` is for `a.b.example.com`, and not for `example.com`.
fn is_of(host: &str, entry: &str) -> bool {
    let plain = |host: &str| host.trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase();
    let (host, entry) = (plain(host), plain(entry));
    match entry.strip_prefix('*') {
        Some(suffix) => suffix.starts_with('.') && host.len() > suffix.len() && host.ends_with(suffix),
        None => host == entry,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_must_be_in_each_list() {
        let list = |entries: &[&str]| entries.iter().map(|entry| (*entry).to_owned()).collect::<Vec<_>>();
        let wide = ("wide".to_owned(), list(&["*.example.com", "am.monitoring", "127.0.0.1", "::1"]));
        let tight = ("tight".to_owned(), list(&["hooks.example.com", "127.0.0.1", "[::1]"]));
        let table = [
            (vec![], "anything", None, false),
            (vec![wide.clone()], "a.b.Example.com.", None, true),
            (vec![wide.clone()], "example.com", Some("wide"), false),
            (vec![wide.clone()], "badexample.com", Some("wide"), false),
            (vec![wide.clone()], "am.monitoring.evil.com", Some("wide"), false),
            (vec![wide.clone(), tight.clone()], "hooks.example.com", None, true),
            (vec![wide.clone(), tight.clone()], "am.monitoring", Some("tight"), false),
            (vec![wide.clone(), tight.clone()], "[::1]", None, true),
            (vec![wide, tight], "127.0.0.1", None, true),
        ];
        for (lists, host, refused_by, named) in table {
            let hosts: ReceiverHosts = lists.into_iter().collect();
            assert_eq!((hosts.refused_by(host), hosts.names(host)), (refused_by, named), "{host}");
        }
    }
}
