//! The addresses of pods on one node.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

/// Hosts in the last byte of an address.
const HOSTS: u32 = 254;

/// Where the pods of a node get their addresses from.
#[derive(Clone, Debug)]
pub(crate) struct Addresses {
    network: [u8; 2],
    /// The third byte, where it is the node's own.
    subnet: Option<u8>,
    last: u32,
}

impl Addresses {
    /// Those of the one node of a cluster: 10.244.0.0/16.
    pub(crate) fn of_cluster() -> Addresses {
        Addresses { network: [10, 244], subnet: None, last: 1 }
    }

    /// Those of one node of several: a network of 254 addresses that follows from the node's name.
    pub(crate) fn of_node(name: &str) -> Addresses {
        let digest = Sha256::digest(name.as_bytes());
        Addresses { network: [10, digest[0]], subnet: Some(digest[1]), last: 0 }
    }

    /// The next address that is not taken; where all are, one that is.
    pub(crate) fn next(&mut self, taken: &BTreeSet<&str>) -> String {
        let mut address = String::new();
        for _ in 0..=taken.len() {
            self.last = self.last.wrapping_add(1);
            let [first, second] = self.network;
            let third = self.subnet.map_or(self.last / HOSTS % 256, u32::from);
            address = format!("{first}.{second}.{third}.{}", self.last % HOSTS + 1);
            if !taken.contains(address.as_str()) {
                break;
            }
        }
        address
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_given_once_until_it_is_free_again() {
        let mut addresses = Addresses::of_node("n1");
        let given: Vec<String> = (0..HOSTS).map(|_| addresses.next(&BTreeSet::new())).collect();
        let mut taken: BTreeSet<&str> = given.iter().map(String::as_str).collect();
        assert_eq!(taken.len(), 254);
        let free = given[17].as_str();
        taken.remove(free);
        assert_eq!(addresses.next(&taken), free);
    }

    #[test]
    fn nodes_of_other_names_have_other_addresses() {
        let first = |name: &str| Addresses::of_node(name).next(&BTreeSet::new());
        let names = ["n1", "n2", "n3", "dev-1", "dev-2", "real-1", "real-2"];
        let different: BTreeSet<String> = names.into_iter().map(first).collect();
        assert_eq!(different.len(), names.len());
    }
}
