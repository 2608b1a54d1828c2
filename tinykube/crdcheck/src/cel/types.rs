//! Types of values in rules, as a schema declares them, with the most they can hold.

use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use serde_json::Value;

/// The largest request; nothing can be larger than what comes in one.
pub(crate) const MOST_BYTES: u64 = 3 * 1024 * 1024;

/// The type of an expression.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Type {
    Dyn,
    Null,
    Bool,
    Int,
    Uint,
    Double,
    String,
    Bytes,
    Timestamp,
    Duration,
    List(Box<Type>),
    Map(Box<Type>, Box<Type>),
    Object(Rc<Decl>),
    Optional(Box<Type>),
    /// The type of a type.
    OfTypes,
    /// A type of a library, by name.
    Library(&'static str),
}

impl Type {
    pub(crate) fn list(of: Type) -> Type {
        Type::List(Box::new(of))
    }

    pub(crate) fn optional(of: Type) -> Type {
        Type::Optional(Box::new(of))
    }

    /// Whether values always have the same size.
    pub(crate) fn is_scalar(&self) -> bool {
        match self {
            Type::Bool | Type::Double | Type::Duration | Type::Int | Type::Timestamp | Type::Uint => true,
            Type::Optional(of) => of.is_scalar(),
            _ => false,
        }
    }

    /// What a list holds.
    pub(crate) fn element(&self) -> Option<&Type> {
        if let Type::List(of) = self { Some(of) } else { None }
    }

    /// Whether a value of one type may stand where the other is wanted.
    pub(crate) fn fits(&self, other: &Type) -> bool {
        match (self, other) {
            (Type::Dyn, _) | (_, Type::Dyn) => true,
            (Type::List(one), Type::List(two)) | (Type::Optional(one), Type::Optional(two)) => one.fits(two),
            (Type::Map(key, value), Type::Map(other_key, other_value)) => {
                key.fits(other_key) && value.fits(other_value)
            }
            // What is no number, text or flag can be null.
            (Type::Null, Type::Object(_) | Type::Timestamp | Type::Duration | Type::Library(_) | Type::Optional(_))
            | (Type::Object(_) | Type::Timestamp | Type::Duration | Type::Library(_) | Type::Optional(_), Type::Null) => {
                true
            }
            (Type::Object(one), Type::Object(two)) => Rc::ptr_eq(one, two) || one == two,
            (one, two) => one == two,
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Type::Dyn => "dyn",
            Type::Null => "null",
            Type::Bool => "bool",
            Type::Int => "int",
            Type::Uint => "uint",
            Type::Double => "double",
            Type::String => "string",
            Type::Bytes => "bytes",
            Type::Timestamp => "timestamp",
            Type::Duration => "duration",
            Type::OfTypes => "type",
            Type::Library(name) => name,
            Type::List(of) => return write!(formatter, "list({of})"),
            Type::Map(key, value) => return write!(formatter, "map({key}, {value})"),
            Type::Optional(of) => return write!(formatter, "optional_type({of})"),
            Type::Object(decl) => return write!(formatter, "{}", decl.name),
        };
        formatter.write_str(name)
    }
}

/// What a schema says of a value.
#[derive(Debug, PartialEq)]
pub(crate) struct Decl {
    /// Objects have a name; a real server numbers them anew each time.
    name: String,
    kind: Kind,
    /// The most characters, items or members.
    pub(crate) most: u64,
    /// The fewest bytes of its JSON.
    pub(crate) least_bytes: u64,
}

#[derive(Debug, PartialEq)]
enum Kind {
    Simple(Type),
    List(Rc<Decl>),
    Map { key: Rc<Decl>, value: Rc<Decl> },
    Object(BTreeMap<String, Rc<Decl>>),
}

impl Decl {
    fn simple(of: Type, least_bytes: u64, most: u64) -> Rc<Decl> {
        Rc::new(Decl { name: String::new(), kind: Kind::Simple(of), most, least_bytes })
    }

    /// The type of values of this schema; `None` for what rules cannot see. The root of a resource has a name and a kind
    /// although its schema does not say so.
    pub(crate) fn of(schema: &Value, is_root: bool) -> Option<Rc<Decl>> {
        Decl::named(schema, is_root, "selfType1")
    }

    fn named(schema: &Value, is_root: bool, name: &str) -> Option<Rc<Decl>> {
        if schema["x-kubernetes-int-or-string"] == true {
            let most = schema["maxLength"].as_u64().map_or(MOST_BYTES - 2, |most| most * 4);
            return Some(Decl::simple(Type::Dyn, 1, most));
        }
        match schema["type"].as_str()? {
            "array" => {
                let items = schema.get("items")?;
                let item = Decl::named(items, is_embedded(items), &format!("{name}.@idx"))?;
                let most = schema["maxItems"].as_u64().unwrap_or((MOST_BYTES - 2) / (item.least_bytes + 1));
                Some(Rc::new(Decl { name: String::new(), kind: Kind::List(item), most, least_bytes: 2 }))
            }
            "object" if schema["additionalProperties"].is_object() => {
                let values = &schema["additionalProperties"];
                let value = Decl::named(values, is_embedded(values), &format!("{name}.@elem"))?;
                let most = schema["maxProperties"].as_u64().unwrap_or((MOST_BYTES - 2) / (value.least_bytes + 6));
                let kind = Kind::Map { key: Decl::simple(Type::String, 2, 0), value };
                Some(Rc::new(Decl { name: String::new(), kind, most, least_bytes: 2 }))
            }
            "object" => Some(Decl::object(schema, is_root, name)),
            "string" => Some(Decl::text(schema)),
            "boolean" => Some(Decl::simple(Type::Bool, 4, 0)),
            "number" => Some(Decl::simple(Type::Double, 1, 0)),
            "integer" => Some(Decl::simple(Type::Int, 1, 0)),
            _ => None,
        }
    }

    fn object(schema: &Value, is_root: bool, name: &str) -> Rc<Decl> {
        let required = |key: &str| {
            let required = schema["required"].as_array();
            required.into_iter().flatten().any(|name| name == key)
        };
        let mut properties = schema["properties"].as_object().cloned().unwrap_or_default();
        if is_root {
            let text = serde_json::json!({"type": "string"});
            properties.insert("kind".to_owned(), text.clone());
            properties.insert("apiVersion".to_owned(), text.clone());
            let metadata = serde_json::json!({"type": "object", "properties": {"name": text, "generateName": text}});
            properties.insert("metadata".to_owned(), metadata);
        }
        let mut fields = BTreeMap::new();
        let mut least_bytes = 2;
        for (key, property) in &properties {
            let escaped = escape(key);
            let inner = format!("{name}.{}", escaped.as_deref().unwrap_or_default());
            let Some(field) = Decl::named(property, is_embedded(property), &inner) else { continue };
            if required(key) && property.get("default").is_none() {
                least_bytes += u64::try_from(key.len()).unwrap_or(u64::MAX) + field.least_bytes + 4;
            }
            if let Some(escaped) = escaped {
                fields.insert(escaped, field);
            }
        }
        Rc::new(Decl { name: name.to_owned(), kind: Kind::Object(fields), most: 0, least_bytes })
    }

    fn text(schema: &Value) -> Rc<Decl> {
        let longest = schema["maxLength"].as_u64();
        match schema["format"].as_str().unwrap_or_default() {
            "byte" => Decl::simple(Type::Bytes, 2, longest.unwrap_or(MOST_BYTES - 2)),
            "duration" => Decl::simple(Type::Duration, 3, 32),
            "date" => Decl::simple(Type::Timestamp, 12, 12),
            "date-time" => Decl::simple(Type::Timestamp, 21, 32),
            _ => {
                let values = schema["enum"].as_array().map(Vec::as_slice).unwrap_or_default();
                let longest_value = values.iter().filter_map(Value::as_str).map(str::len).max();
                let most = match (longest, longest_value) {
                    // A character may be four bytes.
                    (Some(longest), _) => longest.saturating_mul(4),
                    (None, Some(longest)) => u64::try_from(longest).unwrap_or(u64::MAX),
                    (None, None) => MOST_BYTES - 2,
                };
                Decl::simple(Type::String, 2, most)
            }
        }
    }

    pub(crate) fn value_type(self: &Rc<Decl>) -> Type {
        match &self.kind {
            Kind::Simple(of) => of.clone(),
            Kind::List(item) => Type::list(item.value_type()),
            Kind::Map { key, value } => Type::Map(Box::new(key.value_type()), Box::new(value.value_type())),
            Kind::Object(_) => Type::Object(Rc::clone(self)),
        }
    }

    /// What a step of a path leads to: a field, `@items`, `@values` or `@keys`.
    pub(crate) fn step(&self, step: &str) -> Option<&Rc<Decl>> {
        match (&self.kind, step) {
            (Kind::List(item), "@items" | "@values") => Some(item),
            (Kind::Map { value, .. }, "@items" | "@values") => Some(value),
            (Kind::Map { key, .. }, "@keys") => Some(key),
            (Kind::Object(fields), field) => fields.get(field),
            _ => None,
        }
    }
}

fn is_embedded(schema: &Value) -> bool {
    schema["x-kubernetes-embedded-resource"] == true
}

/// The name of a property in rules; `None` if rules cannot name it.
pub(crate) fn escape(name: &str) -> Option<String> {
    const RESERVED: [&str; 21] = [
        "true",
        "false",
        "null",
        "in",
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "void",
        "while",
    ];
    if RESERVED.contains(&name) {
        return Some(format!("__{name}__"));
    }
    let first = name.chars().next()?;
    if first.is_ascii_digit() || !name.chars().all(|c| c.is_ascii_alphanumeric() || "_-./".contains(c)) {
        return None;
    }
    let escaped = name.replace("__", "__underscores__");
    Some(escaped.replace('-', "__dash__").replace('.', "__dot__").replace('/', "__slash__"))
}
