//! Who may do what: roles, bindings, impersonation and reviews.

use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tinykube::Cluster;
use tinykube::api::Options;
use tinykube::auth::{Auth, User};
use tinykube::http::Service;
use tower::ServiceExt;

const USERS: &str = "root,admin,,system:masters\nann,ann,,developers\nbob,bob,,\n";
const RBAC: &str = "rbac.authorization.k8s.io";

struct World {
    service: Service,
    cluster: Cluster,
}

impl World {
    fn start() -> World {
        let cluster = Cluster::builder().without_controllers().start().unwrap();
        World { service: cluster.service_for(Auth::tokens(USERS).unwrap()), cluster }
    }

    fn put(&self, plural: &str, object: Value) {
        let api = self.cluster.api();
        let resource = api.resource(RBAC, plural).unwrap();
        let namespace = if resource.namespaced { "default" } else { "" };
        api.create(&resource, namespace, object, &Options::default()).unwrap();
    }

    fn bind(&self, plural: &str, role: (&str, &str), subject: &Value) {
        let role_ref = json!({"apiGroup": RBAC, "kind": role.0, "name": role.1});
        self.put(plural, json!({"metadata": {"name": "bound"}, "roleRef": role_ref, "subjects": [subject]}));
    }

    async fn ask(&self, token: &str, request: (&str, &str), headers: &[(&str, &str)], body: Value) -> (u16, Value) {
        let mut built = http::Request::builder().method(request.0).uri(request.1);
        if !token.is_empty() {
            built = built.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            built = built.header(*name, *value);
        }
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let built = built.header("content-type", "application/json").body(Full::from(body)).unwrap();
        let response = self.service.clone().oneshot(built).await.unwrap();
        let code = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (code, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    /// Binds a default role to a user in the default namespace.
    fn bind_as(&self, role: &str, user: &str) {
        let role_ref = json!({"apiGroup": RBAC, "kind": "ClusterRole", "name": role});
        let subjects = json!([{"kind": "User", "name": user}]);
        self.put("rolebindings", json!({"metadata": {"name": user}, "roleRef": role_ref, "subjects": subjects}));
    }

    /// Whether a user may, by a review.
    async fn may(&self, user: &str, verb: &str, group: &str, resource: &str) -> bool {
        let what = json!({"namespace": "default", "verb": verb, "group": group, "resource": resource});
        let review = json!({"spec": {"user": user, "resourceAttributes": what}});
        let path = ("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews");
        self.ask("root", path, &[], review).await.1["status"]["allowed"] == true
    }

    async fn code(&self, token: &str, method: &str, path: &str) -> u16 {
        self.ask(token, (method, path), &[], Value::Null).await.0
    }
}

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

#[tokio::test]
async fn a_role_bound_in_a_namespace_allows_its_verbs_there_and_nothing_else() {
    let world = World::start();
    world.put(
        "roles",
        json!({"metadata": {"name": "reader"}, "rules": [
            {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"], "resourceNames": []},
            {"apiGroups": ["apps"], "resources": ["*/scale"], "verbs": ["*"]},
            {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list"], "resourceNames": ["mine"]},
        ]}),
    );
    world.bind("rolebindings", ("Role", "reader"), &json!({"kind": "Group", "name": "developers"}));
    for (method, path, code) in [
        ("GET", MAPS, 200),
        ("DELETE", "/api/v1/namespaces/default/configmaps/x", 403),
        ("GET", "/api/v1/namespaces/kube-system/configmaps", 403),
        ("GET", "/api/v1/configmaps", 403),
        ("GET", "/apis/apps/v1/namespaces/default/deployments/web/scale", 404),
        ("GET", "/apis/apps/v1/namespaces/default/deployments/web", 403),
        ("GET", "/api/v1/namespaces/default/secrets/mine", 404),
        ("GET", "/api/v1/namespaces/default/secrets/other", 403),
        ("GET", "/api/v1/namespaces/default/secrets", 403),
        ("GET", "/api/v1/namespaces/default/secrets?fieldSelector=metadata.name%3Dmine", 200),
        ("GET", "/api", 200),
        ("GET", "/metrics", 403),
    ] {
        assert_eq!(world.code("ann", method, path).await, code, "{method} {path}");
    }
    assert_eq!(world.code("bob", "GET", MAPS).await, 403);
    assert_eq!(world.code("root", "GET", MAPS).await, 200);
    assert_eq!(world.code("", "GET", "/readyz").await, 200);
    assert_eq!(world.code("", "GET", "/api").await, 403);
    assert_eq!(world.code("nobody", "GET", MAPS).await, 401);
}

#[tokio::test]
async fn a_cluster_role_bound_to_a_service_account_holds_everywhere_and_for_who_speaks_for_it() {
    let world = World::start();
    world.put(
        "clusterroles",
        json!({"metadata": {"name": "all-maps"}, "rules": [
            {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["*"]},
            {"nonResourceURLs": ["/metrics", "/debug/*"], "verbs": ["get"]},
        ]}),
    );
    let robot = json!({"kind": "ServiceAccount", "name": "robot", "namespace": "default"});
    world.bind("clusterrolebindings", ("ClusterRole", "all-maps"), &robot);
    let as_robot = [("impersonate-user", "system:serviceaccount:default:robot")];
    let list = ("GET", "/api/v1/configmaps");
    assert_eq!(world.ask("root", list, &as_robot, Value::Null).await.0, 200);
    assert_eq!(world.ask("root", ("GET", "/metrics"), &as_robot, Value::Null).await.0, 501);
    assert_eq!(world.ask("root", ("GET", "/api/v1/pods"), &as_robot, Value::Null).await.0, 403);
    let (code, refused) = world.ask("bob", list, &as_robot, Value::Null).await;
    let why = "configmaps is forbidden: User \"bob\" cannot impersonate-on:serviceaccount:list resource \
               \"configmaps\" in API group \"\" at the cluster scope";
    assert_eq!((code, refused["message"].as_str().unwrap()), (403, why));
}

#[tokio::test]
async fn reviews_say_who_may_and_by_which_binding() {
    let world = World::start();
    world.put(
        "roles",
        json!({"metadata": {"name": "reader"}, "rules": [
            {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]},
        ]}),
    );
    world.bind("rolebindings", ("Role", "reader"), &json!({"kind": "User", "name": "ann"}));
    let review = |verb: &str| json!({"spec": {"resourceAttributes": {"namespace": "default", "verb": verb, "resource": "configmaps"}}});
    let path = ("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews");
    let (_, yes) = world.ask("ann", path, &[], review("get")).await;
    let reason = "RBAC: allowed by RoleBinding \"bound/default\" of Role \"reader\" to User \"ann\"";
    assert_eq!(yes["status"], json!({"allowed": true, "reason": reason}));
    let (_, no) = world.ask("ann", path, &[], review("delete")).await;
    assert_eq!(no["status"], json!({"allowed": false}));
    let of_others = ("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews");
    let mut asked = review("get");
    asked["spec"]["user"] = "ann".into();
    assert_eq!(world.ask("ann", of_others, &[], asked.clone()).await.0, 403);
    assert_eq!(world.ask("root", of_others, &[], asked).await.1["status"]["allowed"], true);
    let rules = ("POST", "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews");
    let (_, rules) = world.ask("ann", rules, &[], json!({"spec": {"namespace": "default"}})).await;
    let rules = rules["status"]["resourceRules"].as_array().unwrap();
    assert!(rules.iter().any(|rule| rule["resources"] == json!(["configmaps"])), "{rules:?}");
    assert!(rules.iter().any(|rule| rule["resources"] == json!(["selfsubjectreviews"])), "everybody: {rules:?}");
    world.bind("clusterrolebindings", ("ClusterRole", "gone"), &json!({"kind": "User", "name": "bob"}));
    let (_, refused) = world.ask("bob", ("GET", MAPS), &[], Value::Null).await;
    let message = refused["message"].as_str().unwrap();
    assert!(message.ends_with("RBAC: clusterrole.rbac.authorization.k8s.io \"gone\" not found"), "{message}");
}

#[test]
fn a_token_file_holds_users_and_a_line_without_one_is_named() {
    let file = "# token,user,uid,groups\n\n a , ann , 7 ,\"devs,ops\"\nb,\"Doe, Jane\",\nc,carl,9\n";
    let auth = Auth::tokens(file).unwrap();
    let user = |token: &str| auth.user(Some(&format!("Bearer {token}")));
    let groups = |groups: &[&str]| groups.iter().map(|&group| group.to_owned()).collect::<Vec<_>>();
    let ann = User::of("ann", "7", groups(&["devs", "ops", "system:authenticated"]));
    assert_eq!(user("a"), Some(ann));
    assert_eq!(user("b").unwrap().name, "Doe, Jane");
    assert_eq!(user("c").unwrap().uid, "9");
    assert_eq!(user("d"), None);
    for (bad, number) in [("a,ann,1\nlonely\n", 2), ("# one\n\na,ann\n", 3), (",ann,1", 1)] {
        assert_eq!(Auth::tokens(bad).unwrap_err().number, number, "{bad}");
    }
}

#[tokio::test]
async fn a_token_of_a_service_account_is_good_until_what_it_is_bound_to_is_gone() {
    let world = World::start();
    let whoami = ("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews");
    let accounts = "/api/v1/namespaces/default/serviceaccounts";
    let account = json!({"metadata": {"name": "robot"}});
    assert_eq!(world.ask("root", ("POST", accounts), &[], account).await.0, 201);
    let path = format!("{accounts}/robot/token");
    let (code, issued) = world.ask("root", ("POST", &path), &[], json!({})).await;
    assert_eq!((code, &issued["spec"]["expirationSeconds"]), (201, &json!(3600)), "{issued}");
    let token = issued["status"]["token"].as_str().unwrap();
    let (code, who) = world.ask(token, whoami, &[], json!({})).await;
    assert_eq!((code, &who["status"]["userInfo"]["username"]), (201, &json!("system:serviceaccount:default:robot")));
    assert_eq!(world.code(token, "GET", MAPS).await, 403, "it may do what its roles allow, and has none");
    let (_, other) = world.ask("root", ("POST", &path), &[], json!({"spec": {"audiences": ["elsewhere"]}})).await;
    assert_eq!(world.code(other["status"]["token"].as_str().unwrap(), "GET", MAPS).await, 401);
    let forged = format!("{}AAAA", &token[..token.len() - 4]);
    assert_eq!(world.code(&forged, "GET", MAPS).await, 401);
    let review = |token: &str| json!({"spec": {"token": token}});
    let reviews = ("POST", "/apis/authentication.k8s.io/v1/tokenreviews");
    assert_eq!(world.ask("root", reviews, &[], review(token)).await.1["status"]["authenticated"], true);
    assert!(world.ask("root", reviews, &[], review(&forged)).await.1["status"]["error"].is_string());
    assert_eq!(world.ask("ann", ("POST", &path), &[], json!({})).await.0, 403, "not everybody gets one");
    assert_eq!(world.code("root", "DELETE", &format!("{accounts}/robot")).await, 200);
    assert_eq!(world.code(token, "GET", MAPS).await, 401);
}

#[tokio::test]
async fn nobody_grants_what_they_do_not_have() {
    let world = World::start();
    world.put(
        "roles",
        json!({"metadata": {"name": "clerk"}, "rules": [
            {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]},
            {"apiGroups": [RBAC], "resources": ["roles", "rolebindings"], "verbs": ["create", "patch"]},
        ]}),
    );
    world.bind("rolebindings", ("Role", "clerk"), &json!({"kind": "User", "name": "ann"}));
    let roles = ("POST", "/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles");
    let role = |name: &str, verb: &str| json!({"metadata": {"name": name}, "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": [verb]}]});
    assert_eq!(world.ask("ann", roles, &[], role("same", "get")).await.0, 201);
    let (code, refused) = world.ask("ann", roles, &[], role("more", "delete")).await;
    let message = refused["message"].as_str().unwrap();
    assert!(
        code == 403 && message.ends_with("{APIGroups:[\"\"], Resources:[\"configmaps\"], Verbs:[\"delete\"]}"),
        "{message}"
    );
    assert_eq!(world.ask("root", roles, &[], role("more", "delete")).await.0, 201);
    let bindings = ("POST", "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings");
    let binding = |kind: &str, name: &str| json!({"metadata": {"name": "up"}, "roleRef": {"kind": kind, "name": name}});
    assert_eq!(world.ask("ann", bindings, &[], binding("ClusterRole", "admin")).await.0, 403);
    assert_eq!(world.ask("ann", bindings, &[], binding("Role", "same")).await.0, 201);
    let patch = json!([{"op": "add", "path": "/rules/0/verbs/-", "value": "delete"}]);
    let same = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles/same";
    let response = world.ask("ann", ("PATCH", same), &[("content-type", "application/json-patch+json")], patch).await;
    assert_ne!(response.0, 200, "{}", response.1);
}

#[tokio::test]
async fn the_default_roles_are_there_and_take_in_what_is_labelled_for_them() {
    let world = World::start();
    for (role, allowed) in [("view", ["get", "list"]), ("edit", ["get", "delete"]), ("admin", ["get", "create"])] {
        let user = format!("of-{role}");
        world.bind_as(role, &user);
        for verb in allowed {
            assert!(world.may(&user, verb, "", "configmaps").await, "{role} {verb}");
        }
        assert!(!world.may(&user, "get", "shapes.test", "things").await, "{role} knows nothing of things");
    }
    assert!(!world.may("of-view", "delete", "", "configmaps").await);
    assert!(!world.may("of-view", "get", "", "secrets").await);
    let mut more = json!({"metadata": {"name": "things"}, "rules": [
        {"apiGroups": ["shapes.test"], "resources": ["things"], "verbs": ["get"]},
    ]});
    more["metadata"]["labels"] = json!({"rbac.authorization.k8s.io/aggregate-to-view": "true"});
    world.put("clusterroles", more);
    for role in ["view", "edit", "admin"] {
        assert!(world.may(&format!("of-{role}"), "get", "shapes.test", "things").await, "{role} takes in view");
    }
}

#[tokio::test]
async fn parts_of_the_control_plane_have_accounts_that_may_do_their_work_and_no_more() {
    const OF: &str = "system:serviceaccount:kube-system:";
    let world = World::start();
    for (user, verb, group, resource, allowed) in [
        ("system:kube-scheduler", "get", "", "pods", true),
        ("system:kube-scheduler", "update", "", "pods", false),
        ("system:kube-scheduler", "list", "policy", "poddisruptionbudgets", true),
        ("system:kube-controller-manager", "create", "", "serviceaccounts", true),
        ("system:kube-controller-manager", "create", "", "pods", false),
        (&format!("{OF}replicaset-controller"), "create", "", "pods", true),
        (&format!("{OF}replicaset-controller"), "update", "apps", "deployments", false),
        (&format!("{OF}deployment-controller"), "update", "apps", "replicasets", true),
        (&format!("{OF}deployment-controller"), "delete", "", "pods", false),
        ("system:serviceaccount:default:deployment-controller", "update", "apps", "replicasets", false),
        // A kubelet's rights are not bound to a role: they depend on what runs on its node.
        ("system:node:n1", "get", "", "nodes", false),
    ] {
        assert_eq!(world.may(user, verb, group, resource).await, allowed, "{user} {verb} {resource}");
    }
    let account = "/api/v1/namespaces/kube-system/serviceaccounts/deployment-controller";
    assert_eq!(world.code("root", "GET", account).await, 200);
    // Who is granted nothing is left out, not listed as nobody.
    let binding = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/system:node";
    let (code, found) = world.ask("root", ("GET", binding), &[], Value::Null).await;
    assert!(code == 200 && found.get("subjects").is_none(), "{found}");
}
