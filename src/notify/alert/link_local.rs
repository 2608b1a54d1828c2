//! Addresses where clouds answer with the credentials of the machine, most of them of the link: no receiver of alerts is
//! there.

use std::{
    future::Future,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs},
    pin::Pin,
    task::{Context, Poll},
    vec,
};

use hyper_util::client::legacy::connect::dns::Name;
use tower::Service;

/// Metadata addresses that are none of the link's: of Azure, Oracle, Alibaba …
const METADATA: [Ipv4Addr; 3] =
    [Ipv4Addr::new(168, 63, 129, 16), Ipv4Addr::new(192, 0, 0, 192), Ipv4Addr::new(100, 100, 100, 200)];
/// … and of EC2.
const METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);

/// Whether nobody may be told there.
pub(super) fn is_forbidden(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_forbidden_v4(v4),
        IpAddr::V6(v6) => {
            let within = v4_within(v6).is_some_and(is_forbidden_v4);
            within || v6.is_unicast_link_local() || v6.is_multicast() || v6 == METADATA_V6
        }
    }
}

fn is_forbidden_v4(address: Ipv4Addr) -> bool {
    let known = address.is_link_local() || address.is_multicast() || address.is_broadcast();
    known || address.is_unspecified() || METADATA.contains(&address)
}

/// The IPv4 address that an IPv6 one stands for: mapped, or behind a translator (`64:ff9b::/96`).
fn v4_within(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [0x64, 0xff9b, 0, 0, 0, 0, high, low] = address.segments() else { return address.to_ipv4_mapped() };
    Some(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)))
}

/// Whether the host of an address is itself such an address.
pub(super) fn is_forbidden_host(host: &str) -> bool {
    host.trim_matches(['[', ']']).parse().is_ok_and(is_forbidden)
}

/// Resolves names as the system does, without forbidden addresses.
#[derive(Debug, Clone, Copy)]
pub(super) struct Resolver;

impl Service<Name> for Resolver {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        Box::pin(async move {
            let look_up = move || (name.as_str(), 0).to_socket_addrs().map(Iterator::collect::<Vec<_>>);
            let mut found = tokio::task::spawn_blocking(look_up).await.map_err(io::Error::other)??;
            found.retain(|address| !is_forbidden(address.ip()));
            if found.is_empty() {
                return Err(io::Error::other("the name leads to addresses where no receiver of alerts may be"));
            }
            Ok(found.into_iter())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_services_are_no_receivers() {
        for host in [
            "169.254.169.254",
            "[fe80::1]",
            "[::ffff:169.254.169.254]",
            "[64:ff9b::a9fe:a9fe]",
            "[fd00:ec2::254]",
            "168.63.129.16",
            "100.100.100.200",
            "224.0.0.1",
        ] {
            assert!(is_forbidden_host(host), "{host}");
        }
        for host in ["127.0.0.1", "10.96.0.10", "[::1]", "[fd00::1]", "alertmanager.monitoring", "192.168.1.1"] {
            assert!(!is_forbidden_host(host), "{host}");
        }
    }
}
