//! The messages of Kubernetes that are read as Protocol Buffers: the number, name and kind of their fields.

/// What a field of a message holds.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Text,
    Texts,
    Number,
    Flag,
    /// A number of which 0 means nothing.
    Count,
    /// A flag of which false means nothing.
    Switch,
    /// A number or a text.
    Either,
    /// What clients have no say in.
    Ignored,
    /// Text to text.
    Map,
    /// Text to bytes, shown as base64.
    Data,
    Message(&'static [Field]),
    Messages(&'static [Field]),
}

/// A field: its number, its name in JSON and what it holds.
pub(super) type Field = (u64, &'static str, Kind);

const METADATA: &[Field] = &[
    (1, "name", Kind::Text),
    (2, "generateName", Kind::Text),
    (3, "namespace", Kind::Text),
    (4, "selfLink", Kind::Text),
    (5, "uid", Kind::Text),
    (6, "resourceVersion", Kind::Text),
    (7, "generation", Kind::Ignored),
    (8, "creationTimestamp", Kind::Ignored),
    (11, "labels", Kind::Map),
    (12, "annotations", Kind::Map),
    (14, "finalizers", Kind::Texts),
];
const WHO: &[Field] = &[(1, "metadata", Kind::Message(METADATA)), (2, "status", Kind::Ignored)];
const ACCOUNT: &[Field] = &[(1, "metadata", Kind::Message(METADATA)), (4, "automountServiceAccountToken", Kind::Flag)];
const STATUS: Field = (3, "status", Kind::Ignored);
const OBJECT: &[Field] = &[(1, "metadata", Kind::Message(METADATA)), (2, "spec", Kind::Message(&[])), STATUS];
const CONFIG_MAP: &[Field] =
    &[(1, "metadata", Kind::Message(METADATA)), (2, "data", Kind::Map), (4, "immutable", Kind::Flag)];
const SECRET: &[Field] = &[(1, "metadata", Kind::Message(METADATA)), (2, "data", Kind::Data), (3, "type", Kind::Text)];
const ATTRIBUTES: &[Field] = &[
    (1, "namespace", Kind::Text),
    (2, "verb", Kind::Text),
    (3, "group", Kind::Text),
    (4, "version", Kind::Text),
    (5, "resource", Kind::Text),
    (6, "subresource", Kind::Text),
    (7, "name", Kind::Text),
];
const PATH: &[Field] = &[(1, "path", Kind::Text), (2, "verb", Kind::Text)];
const ACCESS: &[Field] =
    &[(1, "resourceAttributes", Kind::Message(ATTRIBUTES)), (2, "nonResourceAttributes", Kind::Message(PATH))];
const REVIEW: &[Field] = &[(1, "metadata", Kind::Message(METADATA)), (2, "spec", Kind::Message(ACCESS)), STATUS];
const ACCESS_OF: &[Field] = &[
    (1, "resourceAttributes", Kind::Message(ATTRIBUTES)),
    (2, "nonResourceAttributes", Kind::Message(PATH)),
    (3, "user", Kind::Text),
    (4, "groups", Kind::Texts),
    (6, "uid", Kind::Text),
];
const REVIEW_OF: &[Field] = &[(1, "metadata", Kind::Message(METADATA)), (2, "spec", Kind::Message(ACCESS_OF)), STATUS];
const RULES: &[Field] =
    &[(1, "metadata", Kind::Message(METADATA)), (2, "spec", Kind::Message(&[(1, "namespace", Kind::Text)])), STATUS];
const PRECONDITIONS: &[Field] = &[(1, "uid", Kind::Text), (2, "resourceVersion", Kind::Text)];
const DELETION: &[Field] = &[
    (1, "gracePeriodSeconds", Kind::Number),
    (2, "preconditions", Kind::Message(PRECONDITIONS)),
    (3, "orphanDependents", Kind::Flag),
    (4, "propagationPolicy", Kind::Text),
    (5, "dryRun", Kind::Texts),
];
const EVICTION: &[Field] = &[(1, "metadata", Kind::Message(METADATA)), (2, "deleteOptions", Kind::Message(DELETION))];
const EXPRESSION: &[Field] = &[(1, "key", Kind::Text), (2, "operator", Kind::Text), (3, "values", Kind::Texts)];
const SELECTOR: &[Field] = &[(1, "matchLabels", Kind::Map), (2, "matchExpressions", Kind::Messages(EXPRESSION))];
const PORT: &[Field] = &[
    (1, "name", Kind::Text),
    (2, "hostPort", Kind::Count),
    (3, "containerPort", Kind::Count),
    (4, "protocol", Kind::Text),
    (5, "hostIP", Kind::Text),
];
const VARIABLE: &[Field] = &[(1, "name", Kind::Text), (2, "value", Kind::Text)];
const CONTAINER: &[Field] = &[
    (1, "name", Kind::Text),
    (2, "image", Kind::Text),
    (3, "command", Kind::Texts),
    (4, "args", Kind::Texts),
    (5, "workingDir", Kind::Text),
    (6, "ports", Kind::Messages(PORT)),
    (7, "env", Kind::Messages(VARIABLE)),
    (8, "resources", Kind::Message(&[])),
    (13, "terminationMessagePath", Kind::Text),
    (14, "imagePullPolicy", Kind::Text),
    (16, "stdin", Kind::Switch),
    (17, "stdinOnce", Kind::Switch),
    (18, "tty", Kind::Switch),
    (20, "terminationMessagePolicy", Kind::Text),
];
const POD: &[Field] = &[
    (2, "containers", Kind::Messages(CONTAINER)),
    (3, "restartPolicy", Kind::Text),
    (4, "terminationGracePeriodSeconds", Kind::Number),
    (5, "activeDeadlineSeconds", Kind::Number),
    (6, "dnsPolicy", Kind::Text),
    (7, "nodeSelector", Kind::Map),
    (8, "serviceAccountName", Kind::Text),
    (9, "serviceAccount", Kind::Text),
    (10, "nodeName", Kind::Text),
    (11, "hostNetwork", Kind::Switch),
    (12, "hostPID", Kind::Switch),
    (13, "hostIPC", Kind::Switch),
    (16, "hostname", Kind::Text),
    (17, "subdomain", Kind::Text),
    (19, "schedulerName", Kind::Text),
    (20, "initContainers", Kind::Messages(CONTAINER)),
    (24, "priorityClassName", Kind::Text),
];
const TEMPLATE: &[Field] = &[(1, "metadata", Kind::Message(METADATA)), (2, "spec", Kind::Message(POD))];
const ROLLING: &[Field] = &[(1, "maxUnavailable", Kind::Either), (2, "maxSurge", Kind::Either)];
const STRATEGY: &[Field] = &[(1, "type", Kind::Text), (2, "rollingUpdate", Kind::Message(ROLLING))];
const DEPLOYMENT_SPEC: &[Field] = &[
    (1, "replicas", Kind::Number),
    (2, "selector", Kind::Message(SELECTOR)),
    (3, "template", Kind::Message(TEMPLATE)),
    (4, "strategy", Kind::Message(STRATEGY)),
    (5, "minReadySeconds", Kind::Count),
    (6, "revisionHistoryLimit", Kind::Number),
    (7, "paused", Kind::Switch),
    (9, "progressDeadlineSeconds", Kind::Number),
];
const DEPLOYMENT: &[Field] =
    &[(1, "metadata", Kind::Message(METADATA)), (2, "spec", Kind::Message(DEPLOYMENT_SPEC)), STATUS];
const SERVICE_PORT: &[Field] = &[
    (1, "name", Kind::Text),
    (2, "protocol", Kind::Text),
    (3, "port", Kind::Count),
    (4, "targetPort", Kind::Either),
    (5, "nodePort", Kind::Count),
];
const SERVICE_SPEC: &[Field] = &[
    (1, "ports", Kind::Messages(SERVICE_PORT)),
    (2, "selector", Kind::Map),
    (3, "clusterIP", Kind::Text),
    (4, "type", Kind::Text),
    (7, "sessionAffinity", Kind::Text),
    (8, "loadBalancerIP", Kind::Text),
    (10, "externalName", Kind::Text),
    (11, "externalTrafficPolicy", Kind::Text),
    (12, "healthCheckNodePort", Kind::Count),
    (13, "publishNotReadyAddresses", Kind::Switch),
];
const SERVICE: &[Field] = &[(1, "metadata", Kind::Message(METADATA)), (2, "spec", Kind::Message(SERVICE_SPEC)), STATUS];
const BUDGET_SPEC: &[Field] = &[
    (1, "minAvailable", Kind::Either),
    (2, "selector", Kind::Message(SELECTOR)),
    (3, "maxUnavailable", Kind::Either),
    (4, "unhealthyPodEvictionPolicy", Kind::Text),
];
const BUDGET: &[Field] = &[(1, "metadata", Kind::Message(METADATA)), (2, "spec", Kind::Message(BUDGET_SPEC)), STATUS];
const RULE: &[Field] = &[
    (1, "verbs", Kind::Texts),
    (2, "apiGroups", Kind::Texts),
    (3, "resources", Kind::Texts),
    (4, "resourceNames", Kind::Texts),
    (5, "nonResourceURLs", Kind::Texts),
];
const ROLE: &[Field] = &[(1, "metadata", Kind::Message(METADATA)), (2, "rules", Kind::Messages(RULE))];
const SUBJECT: &[Field] =
    &[(1, "kind", Kind::Text), (2, "apiGroup", Kind::Text), (3, "name", Kind::Text), (4, "namespace", Kind::Text)];
const ROLE_REF: &[Field] = &[(1, "apiGroup", Kind::Text), (2, "kind", Kind::Text), (3, "name", Kind::Text)];
const BINDING: &[Field] = &[
    (1, "metadata", Kind::Message(METADATA)),
    (2, "subjects", Kind::Messages(SUBJECT)),
    (3, "roleRef", Kind::Message(ROLE_REF)),
];
/// What every object begins with.
pub(super) const TYPE: &[Field] = &[(1, "apiVersion", Kind::Text), (2, "kind", Kind::Text)];

/// The fields of a kind that is read.
pub(super) fn fields_of(kind: &str) -> Option<&'static [Field]> {
    Some(match kind {
        "Namespace" => OBJECT,
        "ServiceAccount" => ACCOUNT,
        "SelfSubjectReview" => WHO,
        "ConfigMap" => CONFIG_MAP,
        "Secret" => SECRET,
        "Deployment" => DEPLOYMENT,
        "Service" => SERVICE,
        "PodDisruptionBudget" => BUDGET,
        "Role" | "ClusterRole" => ROLE,
        "RoleBinding" | "ClusterRoleBinding" => BINDING,
        "SelfSubjectAccessReview" => REVIEW,
        "SubjectAccessReview" | "LocalSubjectAccessReview" => REVIEW_OF,
        "SelfSubjectRulesReview" => RULES,
        "DeleteOptions" => DELETION,
        "Eviction" => EVICTION,
        _ => return None,
    })
}
