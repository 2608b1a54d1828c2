//! Label and field selectors.

use serde_json::Value;

use super::Status;
use crate::registry::Registry;
use crate::resource::Resource;
use crate::stored::Stored;

/// Label and field requirements; all must hold.
#[derive(Clone, Debug, Default)]
pub struct Selector {
    labels: Vec<Requirement>,
    fields: Vec<FieldRequirement>,
}

#[derive(Clone, Debug)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Clone, Debug)]
enum Test {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    Missing,
    Greater(i64),
    Less(i64),
}

#[derive(Clone, Debug)]
struct FieldRequirement {
    path: Vec<String>,
    equal: bool,
    value: String,
}

impl Selector {
    /// Reads the two query parameters; empty ones select everything.
    ///
    /// # Errors
    /// 400 with the real server's wording.
    pub fn parse(resource: &Resource, registry: &Registry, labels: &str, fields: &str) -> Result<Selector, Status> {
        Ok(Selector {
            labels: parse_labels(labels).map_err(Status::bad_request)?,
            fields: parse_fields(resource, registry, fields)?,
        })
    }

    /// A `metav1.LabelSelector` out of an object; an empty one selects everything.
    pub fn of_object(selector: &Value) -> Selector {
        let mut labels = Vec::new();
        for (key, value) in selector["matchLabels"].as_object().into_iter().flatten() {
            labels.push(Requirement {
                key: key.clone(),
                test: Test::In(vec![value.as_str().unwrap_or_default().to_owned()]),
            });
        }
        for expression in selector["matchExpressions"].as_array().into_iter().flatten() {
            let values = expression["values"].as_array().into_iter().flatten();
            let values = values.filter_map(Value::as_str).map(str::to_owned).collect();
            let test = match expression["operator"].as_str() {
                Some("In") => Test::In(values),
                Some("NotIn") => Test::NotIn(values),
                Some("DoesNotExist") => Test::Missing,
                _ => Test::Exists,
            };
            let key = expression["key"].as_str().unwrap_or_default().to_owned();
            labels.push(Requirement { key, test });
        }
        Selector { labels, fields: Vec::new() }
    }

    /// Requires this name as well.
    pub fn require_name(&mut self, name: &str) {
        self.fields.push(FieldRequirement {
            path: vec!["metadata".into(), "name".into()],
            equal: true,
            value: name.to_owned(),
        });
    }

    /// Whether nothing is asked, so that everything matches.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    /// Whether an object meets every requirement.
    pub fn matches(&self, object: &Value) -> bool {
        self.matches_labels(&object["metadata"]["labels"]) && self.fields.iter().all(|field| field.holds(object))
    }

    /// The same, reading no more of the object than is asked for.
    pub(crate) fn matches_stored(&self, stored: &Stored) -> bool {
        if self.is_empty() {
            return true;
        }
        let metadata_alone = self.fields.iter().all(|field| field.path.first().is_some_and(|key| key == "metadata"));
        let read = if metadata_alone { stored.metadata() } else { stored.value() };
        self.matches(&read)
    }

    /// Whether a map of labels meets every label requirement.
    pub fn matches_labels(&self, labels: &Value) -> bool {
        self.labels.iter().all(|requirement| {
            let value = labels[&requirement.key].as_str();
            match &requirement.test {
                Test::In(values) => value.is_some_and(|value| values.iter().any(|known| known == value)),
                Test::NotIn(values) => value.is_none_or(|value| values.iter().all(|known| known != value)),
                Test::Exists => value.is_some(),
                Test::Missing => value.is_none(),
                Test::Greater(bound) => {
                    value.and_then(|value| value.parse().ok()).is_some_and(|value: i64| value > *bound)
                }
                Test::Less(bound) => {
                    value.and_then(|value| value.parse().ok()).is_some_and(|value: i64| value < *bound)
                }
            }
        })
    }
}

impl FieldRequirement {
    fn holds(&self, object: &Value) -> bool {
        let value = self.path.iter().fold(object, |value, key| &value[key]);
        let equal = match value {
            Value::String(text) => *text == self.value,
            Value::Null => self.value.is_empty() || (self.value == "false" && !self.equal),
            Value::Bool(flag) => self.value == if *flag { "true" } else { "false" },
            Value::Number(number) => self.value.parse::<i64>().is_ok_and(|value| number.as_i64() == Some(value)),
            _ => false,
        };
        equal == self.equal
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Sign(&'static str),
    End,
}

impl Token {
    fn shown(&self) -> &str {
        match self {
            Token::Word(word) => word,
            Token::Sign(sign) => sign,
            Token::End => "",
        }
    }
}

fn tokens(text: &str) -> Vec<Token> {
    const SIGNS: [&str; 9] = ["==", "!=", "=", "!", "(", ")", ",", ">", "<"];
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            found.push(Token::Sign(sign));
            rest = &rest[sign.len()..];
        } else {
            let end = rest.find(|c: char| c.is_whitespace() || "=!(),<>".contains(c)).unwrap_or(rest.len());
            found.push(Token::Word(rest[..end].to_owned()));
            rest = &rest[end..];
        }
        rest = rest.trim_start();
    }
    found.push(Token::End);
    found
}

struct Parser {
    tokens: std::vec::IntoIter<Token>,
}

impl Parser {
    fn next(&mut self) -> Token {
        self.tokens.next().unwrap_or(Token::End)
    }

    fn requirement(&mut self, first: Token) -> Result<(Requirement, Token), String> {
        if first == Token::Sign("!") {
            let key = self.word()?;
            let requirement = Requirement { key, test: Test::Missing };
            return Ok((requirement, self.next()));
        }
        let Token::Word(key) = first else {
            return Err(format!("found '{}', expected: !, identifier, or 'end of string'", first.shown()));
        };
        let test = match self.next() {
            end @ (Token::End | Token::Sign(",")) => {
                return Ok((Requirement { key, test: Test::Exists }, end));
            }
            Token::Sign("=" | "==") => {
                let (value, next) = self.value();
                if let (true, Token::Sign(sign @ ("=" | "==" | "!="))) = (value.is_empty(), &next) {
                    return Err(format!("found '{sign}', expected: identifier"));
                }
                return Ok((Requirement { key, test: Test::In(vec![value]) }, next));
            }
            Token::Sign("!=") => {
                let (value, next) = self.value();
                return Ok((Requirement { key, test: Test::NotIn(vec![value]) }, next));
            }
            Token::Sign(sign @ (">" | "<")) => {
                let word = self.word()?;
                let bound = word.parse().map_err(|_| {
                    format!("values[0][{key}]: Invalid value: {word:?}: for 'Gt', 'Lt' operators, the value must be an integer")
                })?;
                if sign == ">" { Test::Greater(bound) } else { Test::Less(bound) }
            }
            Token::Word(word) if word == "in" => Test::In(self.values()?),
            Token::Word(word) if word == "notin" => Test::NotIn(self.values()?),
            other => {
                return Err(format!("found '{}', expected: in, notin, =, ==, !=, gt, lt", other.shown()));
            }
        };
        Ok((Requirement { key, test }, self.next()))
    }

    fn word(&mut self) -> Result<String, String> {
        match self.next() {
            Token::Word(word) => Ok(word),
            other => Err(format!("found '{}', expected: identifier", other.shown())),
        }
    }

    /// A value, which may be empty, and the token after it.
    fn value(&mut self) -> (String, Token) {
        match self.next() {
            Token::Word(word) => (word, self.next()),
            other => (String::new(), other),
        }
    }

    fn values(&mut self) -> Result<Vec<String>, String> {
        let open = self.next();
        if open != Token::Sign("(") {
            return Err(format!("found '{}' expected: '('", open.shown()));
        }
        let mut values = Vec::new();
        loop {
            let (value, next) = self.value();
            values.push(value);
            match next {
                Token::Sign(",") => {}
                Token::Sign(")") => return Ok(values),
                other => return Err(format!("found '{}', expected: ',', or ')'", other.shown())),
            }
        }
    }
}

fn parse_labels(text: &str) -> Result<Vec<Requirement>, String> {
    let mut parser = Parser { tokens: tokens(text).into_iter() };
    let mut requirements = Vec::new();
    let mut token = parser.next();
    while token != Token::End {
        let requirement = parser.requirement(token);
        let (requirement, next) = requirement.map_err(|why| format!("unable to parse requirement: {why}"))?;
        requirements.push(requirement);
        token = match next {
            Token::Sign(",") => parser.next(),
            Token::End => Token::End,
            other => return Err(format!("found '{}', expected: ',' or 'end of string'", other.shown())),
        };
    }
    Ok(requirements)
}

fn parse_fields(resource: &Resource, registry: &Registry, text: &str) -> Result<Vec<FieldRequirement>, Status> {
    let mut requirements = Vec::new();
    for term in text.split(',').filter(|term| !term.is_empty()) {
        let split = |sign: &str| term.split_once(sign);
        let (field, value, equal) = if let Some((field, value)) = split("!=") {
            (field, value, false)
        } else if let Some((field, value)) = split("==").or_else(|| split("=")) {
            (field, value, true)
        } else {
            let message = format!("invalid selector: '{text}'; can't understand '{term}'");
            return Err(Status::bad_request(message));
        };
        check_field(resource, registry, field)?;
        requirements.push(FieldRequirement { path: storage_path(resource, field), equal, value: value.to_owned() });
    }
    Ok(requirements)
}

fn storage_path(resource: &Resource, field: &str) -> Vec<String> {
    let field = match (resource.kind.as_str(), field) {
        ("Event", "source") => "source.component",
        ("Job", "status.successful") => "status.succeeded",
        _ => field,
    };
    field.split('.').map(str::to_owned).collect()
}

fn check_field(resource: &Resource, registry: &Registry, field: &str) -> Result<(), Status> {
    if matches!(field, "metadata.name" | "metadata.namespace") {
        return Ok(());
    }
    let unsupported = || {
        let message = match resource.kind.as_str() {
            "Job" => format!("field label {field:?} not supported for Job"),
            _ => format!("field label not supported: {field}"),
        };
        Err(Status::bad_request(message))
    };
    if let Some(custom) = registry.custom(resource) {
        let mut selectable = custom.version["selectableFields"].as_array().into_iter().flatten();
        let path = format!(".{field}");
        return if selectable.any(|entry| entry["jsonPath"] == path.as_str()) { Ok(()) } else { unsupported() };
    }
    let known: &[&str] = match resource.kind.as_str() {
        "Pod" => &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.podIPs",
            "status.nominatedNodeName",
        ],
        "Event" => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
        "Node" => &["spec.unschedulable"],
        "Namespace" => &["status.phase"],
        "Secret" => &["type"],
        "ReplicaSet" => &["status.replicas"],
        "Service" => &["spec.clusterIP", "spec.type"],
        "Job" => &["status.successful"],
        _ => &[],
    };
    if known.contains(&field) {
        return Ok(());
    }
    if known.is_empty() {
        let message =
            format!("{field:?} is not a known field selector: only \"metadata.name\", \"metadata.namespace\"");
        return Err(Status::bad_request(message));
    }
    unsupported()
}
