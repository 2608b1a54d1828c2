//! In which form a client gets what it asks for: how a watch begins, views of objects, and the text itself.

use std::time::Duration;

use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tinykube::Cluster;
use tinykube::api::Options;
use tinykube::auth::Auth;
use tokio::time::timeout;
use tower::ServiceExt;

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

struct World(Cluster);

impl World {
    fn start() -> World {
        let cluster = Cluster::builder().without_controllers().start().unwrap();
        let maps = cluster.api().resource("", "configmaps").unwrap();
        let object = json!({"data": {"b": "1", "a": "2"}, "metadata": {"name": "a"}});
        cluster.api().create(&maps, "default", object, &Options::default()).unwrap();
        World(cluster)
    }

    async fn get(&self, path: &str, accept: &str) -> http::Response<tinykube::http::Body> {
        let service = self.0.service_for(Auth::tokens("root,admin,,system:masters\n").unwrap());
        let request =
            http::Request::builder().uri(path).header("accept", accept).header("authorization", "Bearer root");
        service.oneshot(request.body(Full::<bytes::Bytes>::default()).unwrap()).await.unwrap()
    }

    async fn text(&self, path: &str, accept: &str) -> String {
        let body = self.get(path, accept).await.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(body.to_vec()).unwrap()
    }

    /// The types of the events with which a watch begins; a bookmark that ends them is marked.
    async fn begins(&self, query: &str) -> (u16, Vec<String>) {
        let answer = self.get(&format!("{MAPS}?watch=1{query}"), "application/json").await;
        let (status, mut body, mut begin) = (answer.status().as_u16(), answer.into_body(), Vec::new());
        while let Ok(Some(Ok(frame))) = timeout(Duration::from_secs(1), body.frame()).await {
            let event: Value = serde_json::from_slice(frame.data_ref().unwrap()).unwrap();
            let ends = event["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"] == "true";
            begin.push(format!("{}{}", event["type"].as_str().unwrap_or_default(), if ends { " END" } else { "" }));
        }
        (status, begin)
    }
}

#[tokio::test(start_paused = true)]
async fn a_watch_begins_with_what_is_there_unless_it_says_from_where_to_go_on() {
    const MATCH: &str = "&resourceVersionMatch=NotOlderThan";
    let world = World::start();
    let now = world.0.api().store().rv();
    for (query, expected) in [
        (String::new(), (200, &["ADDED"][..])),
        ("&resourceVersion=0".to_owned(), (200, &["ADDED"])),
        ("&allowWatchBookmarks=true".to_owned(), (200, &["ADDED", "BOOKMARK END"])),
        ("&resourceVersion=0&allowWatchBookmarks=true".to_owned(), (200, &["ADDED", "BOOKMARK END"])),
        (format!("&resourceVersion={now}&allowWatchBookmarks=true"), (200, &[])),
        (format!("&sendInitialEvents=true{MATCH}"), (200, &["ADDED"])),
        (
            format!("&resourceVersion={now}&sendInitialEvents=true&allowWatchBookmarks=true{MATCH}"),
            (200, &["ADDED", "BOOKMARK END"]),
        ),
        (format!("&sendInitialEvents=false&allowWatchBookmarks=true{MATCH}"), (200, &[])),
        (format!("&resourceVersion=0&sendInitialEvents=false{MATCH}"), (200, &[])),
        ("&sendInitialEvents=true".to_owned(), (422, &[""])),
        ("&sendInitialEvents=false".to_owned(), (422, &[""])),
    ] {
        let expected = (expected.0, expected.1.iter().map(|&kind| kind.to_owned()).collect());
        assert_eq!(world.begins(&query).await, expected, "{query}");
    }
}

#[tokio::test]
async fn tables_and_metadata_are_of_the_version_that_is_asked_for() {
    let world = World::start();
    for (kind, format) in [("Table", "json"), ("PartialObjectMetadata", "json"), ("PartialObjectMetadata", "yaml")] {
        for version in ["v1", "v1beta1"] {
            let accept = format!("application/{format};as={kind};g=meta.k8s.io;v={version}");
            let shown = world.text(&format!("{MAPS}/a"), &accept).await;
            assert!(shown.contains(kind) && shown.contains(&format!("meta.k8s.io/{version}")), "{accept}: {shown}");
            assert!(!shown.contains("\"data\":") && !shown.contains("\ndata:"), "{accept}: {shown}");
        }
    }
}

#[tokio::test]
async fn members_stand_in_the_same_order_in_one_object_in_a_list_and_in_a_dry_run() {
    let world = World::start();
    let order = |text: &str| -> Vec<usize> {
        ["\"metadata\"", "\"name\"", "\"uid\"", "\"creationTimestamp\"", "\"data\"", "\"a\":\"2\"", "\"b\":\"1\""]
            .map(|part| text.find(part).unwrap_or_else(|| panic!("{part} in {text}")))
            .into()
    };
    let maps = world.0.api().resource("", "configmaps").unwrap();
    let object = json!({"data": {"b": "1", "a": "2"}, "metadata": {"name": "b"}});
    let dry = Options { dry_run: true, ..Options::default() };
    let dry = world.0.api().create(&maps, "default", object, &dry).unwrap().to_string();
    let list = world.text(MAPS, "application/json").await;
    for text in
        [world.text(&format!("{MAPS}/a"), "application/json").await, list.split_once("items").unwrap().1.into(), dry]
    {
        assert!(order(&text).is_sorted(), "{text}");
    }
}
