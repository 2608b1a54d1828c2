//! How far a notice may reach: addresses where no receiver of alerts is.
//!
//! An address comes from whoever may write a HealedService, and kubeheal stands where not everybody stands. Nobody is told at
//! addresses of the link and of the metadata services of clouds, which answer with the credentials of the machine. Nor is anybody on
//! the controller's own machine or at the API server, unless the cluster's ceilings name that host. Names are judged by what they
//! lead to, at each connection.

use std::{
    fmt,
    future::Future,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    vec,
};

use hyper_util::client::legacy::connect::dns::Name;
use tower::Service;

/// Metadata addresses that are none of the link's: of Azure, Oracle, Alibaba …
const METADATA: [Ipv4Addr; 3] =
    [Ipv4Addr::new(168, 63, 129, 16), Ipv4Addr::new(192, 0, 0, 192), Ipv4Addr::new(100, 100, 100, 200)];
/// … and of EC2, GCE, Oracle and Scaleway.
const METADATA_V6: [Ipv6Addr; 4] = [
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe),
    Ipv6Addr::new(0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42),
];

/// Hosts that only the cluster's ceilings can name.
#[derive(Debug, Clone, Default)]
pub struct OwnHosts(Arc<[String]>);

impl FromIterator<String> for OwnHosts {
    fn from_iter<I: IntoIterator<Item = String>>(hosts: I) -> Self {
        Self(hosts.into_iter().collect())
    }
}

/// How near an address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nearness {
    /// Nobody may be told there, whoever names it.
    Forbidden,
    /// On this machine.
    Own,
    /// Elsewhere.
    Elsewhere,
}

fn nearness(address: IpAddr) -> Nearness {
    match address {
        IpAddr::V4(v4) => nearness_v4(v4),
        IpAddr::V6(v6) if v6.is_loopback() => Nearness::Own,
        IpAddr::V6(v6) if is_forbidden_v6(v6) => Nearness::Forbidden,
        IpAddr::V6(v6) => v4_within(v6).map_or(Nearness::Elsewhere, nearness_v4),
    }
}

fn is_forbidden_v6(address: Ipv6Addr) -> bool {
    // Site-local addresses are given up, and still routed by some.
    let is_site_local = address.segments()[0] & 0xffc0 == 0xfec0;
    address.is_unspecified()
        || address.is_unicast_link_local()
        || is_site_local
        || address.is_multicast()
        || METADATA_V6.contains(&address)
}

fn nearness_v4(address: Ipv4Addr) -> Nearness {
    // "This network": the whole of 0.0.0.0/8 leads to this machine, or nowhere.
    let is_this = address.octets()[0] == 0;
    let is_of_link = address.is_link_local() || address.is_multicast() || address.is_broadcast();
    if is_this || is_of_link || METADATA.contains(&address) {
        Nearness::Forbidden
    } else if address.is_loopback() {
        Nearness::Own
    } else {
        Nearness::Elsewhere
    }
}

/// The IPv4 address that an IPv6 one stands for: mapped, compatible, translated (`::ffff:0:0:0/96`), behind a translator
/// (`64:ff9b::/96`, `64:ff9b:1::/48`), by 6to4 (`2002::/16`), ISATAP or Teredo (`2001::/32`).
fn v4_within(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let of = |high: u16, low: u16| Some(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)));
    match address.segments() {
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0 | 1, _, _, _, high, low]
        | [0x2002, high, low, ..]
        | [_, _, _, _, 0 | 0x200, 0x5efe, high, low] => of(high, low),
        [0x2001, 0, _, _, _, _, high, low] => of(!high, !low),
        _ => None,
    }
}

/// Resolves names as the system does, and leaves out addresses where no receiver may be.
#[derive(Debug, Clone)]
pub(super) struct Resolver {
    own: OwnHosts,
    /// The cluster's ceilings name the host: it may be an own one.
    named: bool,
}

/// Why an address is not connected to.
#[derive(Debug)]
pub(super) struct Forbidden;

impl fmt::Display for Forbidden {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("its address is one where no receiver of alerts may be")
    }
}

impl std::error::Error for Forbidden {}

impl Resolver {
    /// Of hosts that the cluster's ceilings name, or of any others.
    pub(super) fn new(own: OwnHosts, named: bool) -> Self {
        Self { own, named }
    }

    /// The addresses of a host, if a receiver may be there. Blocks.
    fn resolve(&self, host: &str) -> io::Result<Vec<SocketAddr>> {
        let mut found: Vec<SocketAddr> = (host, 0).to_socket_addrs()?.collect();
        let own: Vec<IpAddr> = if self.named { Vec::new() } else { self.own.addresses() };
        found.retain(|address| match nearness(address.ip()) {
            Nearness::Forbidden => false,
            Nearness::Own => self.named,
            Nearness::Elsewhere => !own.contains(&address.ip().to_canonical()),
        });
        if found.is_empty() { Err(io::Error::other(Forbidden)) } else { Ok(found) }
    }

    /// Whether a receiver may be at a host that is an address itself: no name is looked up.
    pub(super) fn allows_literal(&self, host: &str) -> bool {
        let host = host.trim_matches(['[', ']']);
        host.parse::<IpAddr>().is_err() || self.resolve(host).is_ok()
    }
}

impl OwnHosts {
    fn addresses(&self) -> Vec<IpAddr> {
        let found = self.0.iter().filter_map(|host| (host.trim_matches(['[', ']']), 0).to_socket_addrs().ok());
        found.flatten().map(|address| address.ip().to_canonical()).collect()
    }
}

impl Service<Name> for Resolver {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let resolver = self.clone();
        Box::pin(async move {
            let look_up = move || resolver.resolve(name.as_str());
            let found = tokio::task::spawn_blocking(look_up).await.map_err(io::Error::other)??;
            Ok(found.into_iter())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may(host: &str, named: bool) -> bool {
        let own = ["10.96.0.1".to_owned(), "[fd00::1]".to_owned()].into_iter().collect();
        Resolver::new(own, named).resolve(host.trim_matches(['[', ']'])).is_ok()
    }

    /// In every spelling that the system understands.
    #[test]
    fn nobody_is_told_at_the_link_and_at_metadata_services_even_if_they_are_named() {
        for host in [
            "169.254.169.254",
            "169.254.1.1",
            "2852039166",
            "0xa9fea9fe",
            "0251.0376.0251.0376",
            "169.254.43518",
            "[fe80::1]",
            "[fec0::1]",
            "[::ffff:169.254.169.254]",
            "[::169.254.169.254]",
            "[::ffff:0:a9fe:a9fe]",
            "[64:ff9b::a9fe:a9fe]",
            "[64:ff9b:1::a9fe:a9fe]",
            "[2002:a9fe:a9fe::1]",
            "[2001:db8::5efe:a9fe:a9fe]",
            "[2001:0:4136:e378:8000:63bf:5601:5601]",
            "[fd00:ec2::254]",
            "[fd20:ce::254]",
            "168.63.129.16",
            "[64:ff9b::a83f:8110]",
            "100.100.100.200",
            "224.0.0.1",
            "[ff02::1]",
            "255.255.255.255",
            "0.0.0.0",
            "0",
            "0.1.2.3",
            "[::]",
            "[::ffff:0.0.0.0]",
        ] {
            assert!(!may(host, false) && !may(host, true), "{host}");
        }
    }

    #[test]
    fn this_machine_and_the_api_server_are_receivers_only_where_the_cluster_names_them() {
        for host in [
            "127.0.0.1",
            "127.8.9.10",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0177.0.0.1",
            "localhost",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "[64:ff9b::7f00:1]",
            "[2002:7f00:1::]",
            "10.96.0.1",
            "[::ffff:10.96.0.1]",
            "[fd00::1]",
        ] {
            assert!(!may(host, false) && may(host, true), "{host}");
        }
    }

    #[test]
    fn others_are_receivers() {
        for host in ["10.96.0.10", "192.168.1.1", "[fd00::2]", "[2606:4700::1111]", "[2002:0a00:1::]"] {
            assert!(may(host, false), "{host}");
        }
    }
}
