//! What kubectl asks about the server itself.

use crate::kubectl::Kubectl;

#[tokio::test]
async fn kinds_and_fields_are_explained() {
    let kubectl = Kubectl::start("server").await;
    kubectl.says("version", &["tinykube"]).await;
    kubectl.says("api-resources", &["deployments", "apps/v1", "leases", "pods"]).await;
    kubectl.says("api-versions", &["apps/v1", "policy/v1"]).await;
    kubectl
        .says("explain deployment.spec.replicas", &["GROUP:", "apps", "FIELD: replicas", "Number of desired pods"])
        .await;
    kubectl.says("explain pod.spec --recursive", &["containers", "livenessProbe"]).await;
    kubectl.says("auth can-i delete pods", &["yes"]).await;
    let whoami = kubectl.run("auth whoami", "").await;
    // kubectl 1.27 asks for a version of the review that servers of today do not have.
    let too_old = whoami.err.contains("enable APISelfSubjectReview feature gate");
    assert!(whoami.out.contains("kubernetes-admin") || too_old, "{whoami:#?}");
    kubectl.says("get --raw /readyz", &["ok"]).await;
    kubectl.says("get all -A", &[]).await;
    kubectl.fails("get unheard", "the server doesn't have a resource type").await;
    let refused =
        kubectl.run("create -f -", "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec: {cointainers: []}\n").await;
    assert!(refused.code == 1 && refused.err.contains("unknown field \"spec.cointainers\""), "{refused:#?}");
}
