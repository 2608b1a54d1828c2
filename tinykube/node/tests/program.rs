//! The program as people run it: what it says to bad input, and that it ends when it is told to.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use tinykube::Cluster;
use tinykube::auth::Auth;

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tinykube-node"));
    command.args(arguments).env_remove("KUBECONFIG").env_remove("RUST_LOG");
    command
}

fn kubeconfig(folder: &Path, name: &str, server: &str) -> PathBuf {
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n\
         clusters: [{{name: c, cluster: {{server: {server:?}}}}}]\nusers: [{{name: u, user: {{}}}}]\n"
    );
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn bad_input_is_answered_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let nobody = kubeconfig(folder.path(), "nobody", &format!("http://{closed}"));
    let no_address = kubeconfig(folder.path(), "no-address", "ht!tp");
    let garbage = folder.path().join("garbage");
    std::fs::write(&garbage, "not: [yaml").unwrap();
    let text = |path: &PathBuf| path.to_str().unwrap().to_owned();
    let cases = [
        ("/does/not/exist".to_owned(), vec!["n1"], 2, "No such file"),
        (text(&garbage), vec!["n1"], 2, "check --kubeconfig"),
        (text(&no_address), vec!["n1"], 2, "is no address"),
        (text(&nobody), vec!["N_1"], 2, "lower case"),
        (text(&nobody), vec!["n1", "n1"], 2, "same --name"),
        (text(&nobody), vec!["n1"], 1, "Connection refused"),
    ];
    for (path, names, code, said) in cases {
        let mut arguments = vec!["--kubeconfig", path.as_str()];
        arguments.extend(names.iter().flat_map(|name| ["--name", name]));
        let Output { status, stderr, .. } = program(&arguments).output().unwrap();
        let stderr = String::from_utf8(stderr).unwrap();
        assert_eq!(status.code(), Some(code), "{arguments:?}: {stderr}");
        assert!(stderr.contains(said) && stderr.lines().count() == 1, "{arguments:?}: {stderr}");
    }
}

#[tokio::test]
async fn it_registers_its_nodes_and_ends_when_it_is_told_to() {
    let cluster = Cluster::builder().without_node().start().unwrap();
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    let serving = cluster.clone();
    tokio::spawn(async move { serving.serve_http(listener, Auth::open()).await });
    let folder = tempfile::tempdir().unwrap();
    let path = kubeconfig(folder.path(), "served", &server);
    let arguments = ["--kubeconfig", path.to_str().unwrap(), "--name", "n1", "--name", "n2"];
    let mut running = program(&arguments).stderr(Stdio::null()).spawn().unwrap();
    let api = cluster.api();
    let nodes = api.resource("", "nodes").unwrap();
    let ready = |name: &str| {
        let node = api.get(&nodes, "", name);
        node.is_ok_and(|node| node["status"]["conditions"].to_string().contains("KubeletReady"))
    };
    for _ in 0..200 {
        if ready("n1") && ready("n2") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(ready("n1") && ready("n2"));
    let told = Command::new("kill").arg(running.id().to_string()).status().unwrap();
    assert!(told.success());
    let ended = tokio::task::spawn_blocking(move || running.wait()).await.unwrap().unwrap();
    assert_eq!(ended.code(), Some(0));
    assert!(ready("n1"), "the Node stays");
}
