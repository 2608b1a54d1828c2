//! Serves a cluster on 127.0.0.1 and prints a kubeconfig for it: `cargo run -p tinykube --example serve -- 6443 > config`,
//! then `kubectl --kubeconfig config get nodes`.

use tinykube::Cluster;
use tinykube::auth::Auth;
use tinykube::tls::Certificate;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port: u16 = std::env::args().nth(1).unwrap_or_else(|| "6443".into()).parse()?;
    let cluster = Cluster::builder().start()?;
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    let certificate = Certificate::generate()?;
    print!("{}", certificate.kubeconfig("tinykube", listener.local_addr()?, None));
    cluster.serve(listener, Auth::open(), &certificate).await;
    Ok(())
}
