//! Plays transcripts of a real API server and compares every answer.

use std::time::Duration;

use bytes::Bytes;
use golden::known;
use golden::play::{Server, play};
use golden::report::Report;
use http_body_util::Full;
use tinykube::Cluster;
use tinykube::auth::Auth;
use tinykube::clock::Clock;
use tinykube::http::{Body, Service};
use tower::ServiceExt;

const USERS: &str = "admin,admin,admin,\"system:masters\"\nlimited,limited,lim,\"\"\n";

/// The server in this process.
struct Within(Service);

impl Server for Within {
    type Body = Body;

    async fn send(&self, user: &str, request: http::Request<Bytes>) -> Result<http::Response<Body>, String> {
        // A request takes its time; what the one before it has set off is done by then.
        tokio::time::sleep(Duration::from_millis(20)).await;
        let (mut parts, body) = request.into_parts();
        // What has no name has a token already.
        if user != "anonymous" {
            parts.headers.insert("authorization", format!("Bearer {user}").parse().unwrap());
        }
        let request = http::Request::from_parts(parts, Full::new(body));
        Ok(self.0.clone().oneshot(request).await.unwrap())
    }

    fn admin_token(&self) -> Option<String> {
        Some("admin".to_owned())
    }

    fn limited_token(&self) -> Option<String> {
        Some("limited".to_owned())
    }
}

#[tokio::test(start_paused = true)]
async fn answers_like_a_real_server() {
    let clock = Clock::starting_at("2026-11-23T00:00:00Z".parse().unwrap());
    let cluster = Cluster::builder().clock(clock).seed(1).start().unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    let server = Within(cluster.service_for(Auth::tokens(USERS).unwrap()));
    let known = known::tinykube();
    let report = Report::new(&play(&server, &known).await, &known);
    println!("{report}");
    assert!(report.surprises().is_empty(), "{report}");
    assert!(report.aged().is_empty(), "{report}");
}
