//! Tokens in secrets of service accounts.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tinykube::Cluster;
use tinykube::api::DeleteOptions;
use tinykube::auth::Auth;
use tower::ServiceExt;

use crate::World;

fn account(world: &World, name: &str) {
    world.create("", "serviceaccounts", json!({"metadata": {"name": name}}));
}

fn secret(world: &World, name: &str, account: &str) {
    let annotations = json!({"kubernetes.io/service-account.name": account});
    let metadata = json!({"name": name, "annotations": annotations});
    world.create("", "secrets", json!({"metadata": metadata, "type": "kubernetes.io/service-account-token"}));
}

fn token(world: &World, secret: &str) -> String {
    let found = world.get("", "secrets", secret).unwrap();
    let token = STANDARD.decode(found["data"]["token"].as_str().unwrap_or_default()).unwrap();
    String::from_utf8(token).unwrap()
}

/// Whom the server takes the holder of a token for; empty if it knows nobody of it.
async fn holder(world: &World, token: &str) -> String {
    let path = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
    let request = http::Request::builder().method("POST").uri(path).header("authorization", format!("Bearer {token}"));
    let service = world.cluster.service_for(Auth::tokens("root,root,,system:masters\n").unwrap());
    let response = service.oneshot(request.body(Full::from("{}".to_owned())).unwrap()).await.unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let review: Value = serde_json::from_slice(&body).unwrap();
    review["status"]["userInfo"]["username"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_secret_of_an_account_is_filled_with_a_token_that_is_good_for_years() {
    let world = World::of(Cluster::builder().without_node());
    account(&world, "ann");
    secret(&world, "of-ann", "ann");
    world.create("", "secrets", json!({"metadata": {"name": "other"}, "type": "Opaque"}));
    world.pass(1).await;
    let filled = world.get("", "secrets", "of-ann").unwrap();
    let uid = world.get("", "serviceaccounts", "ann").unwrap()["metadata"]["uid"].clone();
    assert_eq!(filled["metadata"]["annotations"]["kubernetes.io/service-account.uid"], uid);
    assert_eq!(filled["data"]["namespace"], STANDARD.encode("test"));
    let certificates = world.get("", "configmaps", "kube-root-ca.crt").unwrap()["data"]["ca.crt"].clone();
    assert_eq!(
        filled["data"]["ca.crt"],
        STANDARD.encode(certificates.as_str().unwrap()),
        "the same as every namespace has"
    );
    assert!(world.get("", "secrets", "other").unwrap().get("data").is_none());
    world.pass(3 * 365 * 86_400).await;
    assert_eq!(holder(&world, &token(&world, "of-ann")).await, "system:serviceaccount:test:ann");
    assert_eq!(
        world.get("", "secrets", "of-ann").unwrap()["metadata"]["resourceVersion"],
        filled["metadata"]["resourceVersion"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_token_is_good_for_nothing_when_its_secret_or_its_account_is_gone_or_another_one() {
    for (case, spoil) in [
        ("secret deleted", (|world| world.delete("", "secrets", "of-ann", &DeleteOptions::default())) as fn(&World)),
        ("account deleted", |world| world.delete("", "serviceaccounts", "ann", &DeleteOptions::default())),
        ("account made anew", |world| {
            world.delete("", "serviceaccounts", "ann", &DeleteOptions::default());
            account(world, "ann");
        }),
        ("token taken out", |world| {
            world.change("", "secrets", "of-ann", |secret| secret["data"]["token"] = STANDARD.encode("x").into());
        }),
    ] {
        let world = World::new();
        account(&world, "ann");
        secret(&world, "of-ann", "ann");
        world.pass(1).await;
        let known = token(&world, "of-ann");
        assert_eq!(holder(&world, &known).await, "system:serviceaccount:test:ann", "{case}");
        spoil(&world);
        assert_eq!(holder(&world, &known).await, "", "{case}");
        world.pass(1).await;
        assert_eq!(holder(&world, &known).await, "", "{case}, a second later");
        // A secret goes with its account.
        assert_eq!(world.get("", "secrets", "of-ann").is_some(), case == "token taken out", "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_secret_of_an_account_that_is_not_there_goes() {
    let world = World::new();
    secret(&world, "of-nobody", "nobody");
    world.pass(1).await;
    assert!(world.get("", "secrets", "of-nobody").is_none());
}
