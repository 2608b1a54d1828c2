//! Serves a cluster on 127.0.0.1 for kubectl: `cargo run -p tinykube --example serve -- 6443`.

use tinykube::Cluster;
use tinykube::auth::Auth;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port: u16 = std::env::args().nth(1).unwrap_or_else(|| "6443".into()).parse()?;
    let cluster = Cluster::builder().start()?;
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    println!("kubectl --server http://{}", listener.local_addr()?);
    cluster.serve(listener, Auth::open()).await?;
    Ok(())
}
