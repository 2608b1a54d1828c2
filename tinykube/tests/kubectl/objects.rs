//! Reading, writing and deleting objects.

use crate::kubectl::{Kubectl, deployment};

const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {colour: blue}\n";

#[tokio::test]
async fn objects_are_applied_compared_and_patched() {
    let kubectl = Kubectl::start("apply").await;
    assert!(kubectl.ok_with("apply -f -", MAP).await.contains("configmap/settings created"));
    assert!(kubectl.ok_with("apply -f -", MAP).await.contains("configmap/settings unchanged"));
    let green = MAP.replace("blue", "green");
    let diff = kubectl.run("diff -f -", &green).await;
    assert!(
        diff.code == 1 && diff.out.contains("-  colour: blue") && diff.out.contains("+  colour: green"),
        "{diff:#?}"
    );
    assert!(kubectl.ok_with("apply --server-side --force-conflicts -f -", &green).await.contains("serverside-applied"));
    let conflict = kubectl.run("apply --server-side --field-manager other -f -", &MAP.replace("blue", "red")).await;
    assert!(conflict.code == 1 && conflict.err.contains(".data.colour"), "{conflict:#?}");
    kubectl.says("patch cm settings --type merge -p {\"data\":{\"size\":\"9\"}}", &["patched"]).await;
    kubectl.says("get cm settings -o jsonpath={.data}", &["\"size\":\"9\"", "green"]).await;
    kubectl.says("label cm settings tier=one", &["labeled"]).await;
    kubectl.says("annotate cm settings note=x", &["configmap/settings annotate"]).await;
    kubectl.says("get cm -l tier=one -o name", &["configmap/settings"]).await;
    kubectl.ok("create namespace there").await;
    kubectl.ok("create configmap made --from-literal=a=b -n there").await;
    kubectl.ok("create secret generic hidden --from-literal=a=b").await;
    kubectl.ok("create serviceaccount robot").await;
    kubectl.says("get cm -A", &["there", "made", "kube-root-ca.crt"]).await;
    kubectl.says("delete ns there", &["deleted"]).await;
    kubectl.fails("get ns there", "NotFound").await;
}

#[tokio::test]
async fn a_list_is_checked_and_applied() {
    let kubectl = Kubectl::start("list").await;
    let list = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: one}\n\
                - apiVersion: policy/v1\n  kind: PodDisruptionBudget\n  metadata: {name: two}\n  \
                spec: {minAvailable: 50%, selector: {matchLabels: {app: web}}}\n";
    let said = kubectl.ok_with("apply -f -", list).await;
    assert!(
        said.contains("configmap/one created") && said.contains("poddisruptionbudget.policy/two created"),
        "{said}"
    );
    assert!(kubectl.ok_with("apply -f -", list).await.contains("configmap/one unchanged"));
    let wrong = kubectl.run("apply -f -", &list.replace("minAvailable", "leastAvailable")).await;
    assert!(wrong.code == 1 && wrong.err.contains("leastAvailable"), "{wrong:#?}");
}

#[tokio::test]
async fn workloads_are_created_without_a_file() {
    let kubectl = Kubectl::start("create").await;
    kubectl.says("create deployment quick --image=docker.io/local/box:1 --replicas=2", &["created"]).await;
    kubectl.ok("rollout status deployment/quick --timeout=20s").await;
    kubectl.says("expose deployment quick --port=80", &["service/quick exposed"]).await;
    kubectl.says("run lone --image=docker.io/local/box:1", &["pod/lone created"]).await;
    kubectl.says("create role reader --verb=get --resource=pods", &["created"]).await;
    kubectl.says("create rolebinding readers --role=reader --user=me", &["created"]).await;
    kubectl.says("create poddisruptionbudget all --selector=app=quick --min-available=1", &["created"]).await;
}

#[tokio::test]
async fn deletion_cascades_as_asked() {
    let kubectl = Kubectl::start("delete").await;
    for mode in ["background", "foreground"] {
        kubectl.ok_with("apply -f -", &deployment(1, "docker.io/local/box:1")).await;
        kubectl.ok("wait --for=condition=Available deploy/web --timeout=20s").await;
        kubectl.ok(&format!("delete deploy web --cascade={mode} --timeout=20s")).await;
        kubectl.ok("wait --for=delete pod -l app=web --timeout=20s").await;
        assert_eq!(kubectl.ok("get rs,pods -l app=web -o name").await, "");
    }
    kubectl.ok_with("apply -f -", &deployment(1, "docker.io/local/box:1")).await;
    kubectl.ok("wait --for=condition=Available deploy/web --timeout=20s").await;
    kubectl.ok("delete deploy web --cascade=orphan").await;
    kubectl.says("get rs,pods -l app=web -o name", &["replicaset", "pod/web"]).await;
}
