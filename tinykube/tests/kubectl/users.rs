//! Who kubectl is, by the token it sends.

use crate::kubectl::Kubectl;

#[tokio::test]
async fn a_token_says_who_asks() {
    let kubectl = Kubectl::start("users").await;
    kubectl.says("auth can-i delete nodes", &["yes"]).await;
    let refused = kubectl.run("auth can-i delete nodes --token guest-token", "").await;
    assert!(refused.code == 1 && refused.out.starts_with("no"), "{refused:#?}");
    kubectl.fails("get pods --token guest-token", "User \"guest\" cannot list resource \"pods\"").await;
    kubectl.ok("create role reader --verb=get,list --resource=pods").await;
    kubectl.ok("create rolebinding readers --role=reader --group=guests").await;
    kubectl.says("auth can-i list pods --token guest-token", &["yes"]).await;
    kubectl.ok("get pods --token guest-token").await;
    kubectl.fails("get pods --token wrong", "You must be logged in to the server").await;
    kubectl.fails("get pods --user nobody", "User \"system:anonymous\" cannot list resource \"pods\"").await;
}
