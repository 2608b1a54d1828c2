//! Connections to the port: few, short and small, whoever opens them.
//!
//! The port is asked by a kubelet and a Prometheus, and can be reached by whatever runs in the cluster. What others open must
//! neither fill the memory nor keep those two out.

use std::{collections::BTreeMap, io, net::IpAddr, sync::Arc, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use parking_lot::Mutex;
use tokio::{
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Connections at once. One more ends the oldest of whoever holds most of them.
const MOST: usize = 128;
/// A request's head is there within so long, also the first one of a connection and the next one.
const HEAD_WITHIN: Duration = Duration::from_secs(5);
/// A connection is not kept for longer; an answer under way may take as long once more.
const LONGEST: Duration = Duration::from_secs(30);
/// Bytes of a request's head, and of what is read ahead.
const BUFFER: usize = 16 * 1024;
/// After an `accept` that failed, as for want of file descriptors.
const PAUSE: Duration = Duration::from_secs(1);

/// Accepts connections on `listener` until `stop`, and then waits until those that are open have their answers.
pub(super) async fn accept(listener: TcpListener, router: Router, stop: CancellationToken) {
    let (open, tasks) = (Arc::new(Open::default()), TaskTracker::new());
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok((stream, peer)) => {
                let place = Place::take(&open, peer.ip());
                tasks.spawn(serve(stream, router.clone(), place, stop.clone()));
            }
            Err(error) if is_of_the_client(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept connections on the port; trying again");
                sleep(PAUSE).await;
            }
        }
    }
    tasks.close();
    tasks.wait().await;
}

/// It went away before it was accepted.
fn is_of_the_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}

async fn serve(stream: TcpStream, router: Router, place: Place, stop: CancellationToken) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        _ended = &mut connection => return,
        () = place.left.cancelled() => return,
        () = stop.cancelled() => {}
        () = sleep(LONGEST) => {}
    }
    connection.as_mut().graceful_shutdown();
    // Whoever takes longer to read an answer gets no more of it.
    let _ended = place.left.run_until_cancelled(timeout(LONGEST, connection)).await;
}

/// The connections that are open, oldest first.
#[derive(Debug, Default)]
struct Open(Mutex<Vec<(IpAddr, CancellationToken)>>);

/// A connection's place among those that are open; given back when it ends.
struct Place {
    open: Arc<Open>,
    left: CancellationToken,
}

impl Place {
    /// Takes a place for a peer. Where there is none, whoever holds most of them loses the oldest.
    fn take(open: &Arc<Open>, peer: IpAddr) -> Self {
        let left = CancellationToken::new();
        let mut places = open.0.lock();
        if places.len() >= MOST {
            let oldest = oldest_of_most(places.iter().map(|(peer, _)| *peer));
            let (_, token) = places.remove(oldest);
            token.cancel();
        }
        places.push((peer, left.clone()));
        Self { open: open.clone(), left }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Cancelled: it is no longer among them.
        if !self.left.is_cancelled() {
            self.left.cancel();
            self.open.0.lock().retain(|(_, token)| !token.is_cancelled());
        }
    }
}

/// Which connection is the oldest of the peer that has most of them; of peers with as many, the one that came first.
fn oldest_of_most(peers: impl Iterator<Item = IpAddr> + Clone) -> usize {
    let mut counts: BTreeMap<IpAddr, usize> = BTreeMap::new();
    peers.clone().for_each(|peer| *counts.entry(peer).or_default() += 1);
    let most = counts.values().max().copied().unwrap_or_default();
    peers.into_iter().position(|peer| counts.get(&peer) == Some(&most)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::oldest_of_most;

    #[test]
    fn whoever_holds_most_connections_loses_the_oldest_of_his() {
        let table: [(&[u8], usize); 4] = [(&[1, 2, 2, 3], 1), (&[9, 1, 2, 1, 1], 1), (&[4, 5, 6], 0), (&[7], 0)];
        for (peers, expected) in table {
            let peers = peers.iter().map(|last| [10, 0, 0, *last].into());
            assert_eq!(oldest_of_most(peers.clone()), expected, "{:?}", peers.collect::<Vec<_>>());
        }
    }
}
