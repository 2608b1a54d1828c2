//! The same server over a socket.

use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tinykube::Cluster;
use tinykube::auth::Auth;

async fn send(address: std::net::SocketAddr, request: http::Request<Full<bytes::Bytes>>) -> (u16, Value) {
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let response = sender.send_request(request).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

fn request(method: &str, path: &str, body: &str) -> http::Request<Full<bytes::Bytes>> {
    let request = http::Request::builder().method(method).uri(path).header("host", "tinykube");
    request.header("authorization", "Bearer secret").body(Full::from(body.to_owned())).unwrap()
}

#[tokio::test]
async fn a_socket_serves_what_the_process_has() {
    let cluster = Cluster::builder().without_controllers().start().unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = cluster.clone();
    tokio::spawn(
        async move { serving.serve_http(listener, Auth::tokens("secret,me,1,\"system:masters\"").unwrap()).await },
    );
    let path = "/api/v1/namespaces/default/configmaps";
    let (status, made) = send(address, request("POST", path, &json!({"metadata": {"name": "a"}}).to_string())).await;
    assert_eq!((status, &made["metadata"]["name"]), (201, &json!("a")));
    let anonymous = http::Request::builder().uri(path).header("host", "tinykube").body(Full::default()).unwrap();
    assert_eq!(send(address, anonymous).await.0, 403);
    let (status, body) = send(address, request("POST", path, &"x".repeat(4 * 1024 * 1024))).await;
    assert_eq!((status, &body["reason"]), (413, &json!("RequestEntityTooLarge")));
    let (status, body) = send(address, request("GET", "/api/v1/namespaces/default/pods/p/exec", "")).await;
    assert_eq!((status, &body["reason"]), (501, &json!("NotImplemented")));
    let (status, body) = send(address, request("GET", "/api/v1/namespaces/default/pods/p/log", "")).await;
    assert_eq!((status, &body["reason"]), (404, &json!("NotFound")));
    let (status, body) = send(address, request("GET", "/version", "")).await;
    assert_eq!(status, 200);
    assert!(body["gitVersion"].as_str().unwrap().contains("tinykube"));
}
