//! What a configuration of admission webhooks must say.

use serde_json::{Value, json};
use tinykube::Cluster;

use crate::strict::send;
use crate::webhooks::{HOOKS, JSON, configuration, hook, rule};

#[tokio::test]
async fn a_configuration_that_the_real_server_refuses_is_refused() {
    let cluster = Cluster::builder().without_controllers().start().unwrap();
    let ruled = |field: &str, value: Value| {
        let mut rule = rule("CREATE", "", "pods");
        rule["rules"][0][field] = value;
        rule
    };
    let to = |field: &str, value: Value| {
        let mut service = json!({"namespace": "policy", "name": "gate"});
        service[field] = value;
        json!({"clientConfig": {"service": service}})
    };
    for (changes, expected) in [
        (
            json!({"name": "gate"}),
            "webhooks[0].name: Invalid value: \"gate\": should be a domain with at least three segments separated by dots",
        ),
        (json!({"name": null}), "webhooks[0].name: Required value"),
        (
            json!({"sideEffects": null}),
            "webhooks[0].sideEffects: Required value: must specify one of None, NoneOnDryRun",
        ),
        (
            json!({"sideEffects": "Some"}),
            "webhooks[0].sideEffects: Unsupported value: \"Some\": supported values: \"None\", \"NoneOnDryRun\"",
        ),
        (
            json!({"admissionReviewVersions": null}),
            "webhooks[0].admissionReviewVersions: Required value: must specify one of v1, v1beta1",
        ),
        (
            json!({"admissionReviewVersions": ["v9"]}),
            "webhooks[0].admissionReviewVersions: Invalid value: [\"v9\"]: must include at least one of v1, v1beta1",
        ),
        (
            json!({"clientConfig": {}}),
            "webhooks[0].clientConfig: Required value: exactly one of url or service is required",
        ),
        (
            json!({"clientConfig": {"url": "http://a.example"}}),
            "webhooks[0].clientConfig.url: Invalid value: \"http\": 'https' is the only allowed URL scheme; desired format: https://host[/path]",
        ),
        (
            json!({"failurePolicy": "Perhaps"}),
            "webhooks[0].failurePolicy: Unsupported value: \"Perhaps\": supported values: \"Fail\", \"Ignore\"",
        ),
        (
            json!({"timeoutSeconds": 31}),
            "webhooks[0].timeoutSeconds: Invalid value: 31: the timeout value must be between 1 and 30 seconds",
        ),
        (to("name", Value::Null), "webhooks[0].clientConfig.service.name: Required value"),
        (
            to("port", json!(0)),
            "webhooks[0].clientConfig.service.port: Invalid value: 0: port is not valid: must be between 1 and 65535, inclusive",
        ),
        (
            to("path", json!("check")),
            "webhooks[0].clientConfig.service.path: Invalid value: \"check\": must start with a '/'",
        ),
        (
            to("path", json!("/a//b")),
            "webhooks[0].clientConfig.service.path: Invalid value: \"/a//b\": segment[1] may not be empty",
        ),
        (ruled("operations", json!([])), "webhooks[0].rules[0].operations: Required value"),
        (
            ruled("operations", json!(["*", "CREATE"])),
            "webhooks[0].rules[0].operations: Invalid value: [\"*\",\"CREATE\"]: if '*' is present, must not specify other operations",
        ),
        (
            ruled("operations", json!(["MAKE"])),
            "webhooks[0].rules[0].operations[0]: Unsupported value: \"MAKE\": supported values: \"*\", \"CONNECT\", \"CREATE\", \"DELETE\", \"UPDATE\"",
        ),
        (ruled("apiVersions", json!([""])), "webhooks[0].rules[0].apiVersions[0]: Required value"),
        (
            ruled("resources", json!(["*", "pods"])),
            "webhooks[0].rules[0].resources: Invalid value: [\"*\",\"pods\"]: if '*' is present, must not specify other resources without subresources",
        ),
        (
            ruled("resources", json!(["pods/*", "pods/status"])),
            "webhooks[0].rules[0].resources[1]: Invalid value: \"pods/status\": if 'pods/*' is present, must not specify pods/status",
        ),
        (
            ruled("scope", json!("Here")),
            "webhooks[0].rules[0].scope: Unsupported value: \"Here\": supported values: \"*\", \"Cluster\", \"Namespaced\"",
        ),
    ] {
        let (status, answer, _) = send(&cluster, "POST", HOOKS, JSON, &configuration(&changes).to_string()).await;
        let message = answer["message"].as_str().unwrap_or_default();
        let expected =
            format!("ValidatingWebhookConfiguration.admissionregistration.k8s.io \"gate\" is invalid: {expected}");
        assert_eq!((status, message), (422, expected.as_str()));
    }
    let twice = json!({"metadata": {"name": "gate"}, "webhooks": [hook(&json!({})), hook(&json!({}))]});
    let (status, answer, _) = send(&cluster, "POST", HOOKS, JSON, &twice.to_string()).await;
    assert_eq!((status, &answer["details"]["causes"][0]["field"]), (422, &json!("webhooks[1].name")));
    let conditions = configuration(&json!({"matchConditions": [{"name": "a", "expression": "true"}]}));
    assert_eq!(send(&cluster, "POST", HOOKS, JSON, &conditions.to_string()).await.0, 501);
}
