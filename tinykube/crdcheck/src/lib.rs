//! What a Kubernetes API server says of a `CustomResourceDefinition` before it takes it.
//!
//! The words and their order are those of Kubernetes 1.36. Rules are compiled and their cost is estimated as there, because a
//! rule that is fine by itself may cost too much on the largest object that the schema allows.

mod cel;
mod definition;
mod field_path;
mod formats;
mod names;
mod problem;
mod schema;
mod structural;

use serde_json::Value;

pub use self::problem::Problem;

/// What is wrong with the defaults of a schema at a path.
pub type Defaults<'a> = dyn Fn(&Value, &str) -> Vec<Problem> + 'a;

/// Everything wrong with a definition, in the order in which the server says it, but for what is wrong with the metadata of any
/// object. Its defaults are judged by `defaults`, which sees structural schemas only.
pub fn problems(definition: &Value, defaults: &Defaults<'_>) -> Vec<Problem> {
    definition::problems(definition, defaults)
}

/// Formats in a definition's schemas that the server does not know: it warns of each, and does not check them.
pub fn unknown_formats(definition: &Value) -> Vec<String> {
    formats::unknown(definition)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The messages about a rule, or about a message expression, over two numbers, a text and a list of texts.
    fn messages(rule: &str, message: &str) -> Vec<String> {
        let mut validation = json!({"rule": rule});
        if !message.is_empty() {
            validation["messageExpression"] = message.into();
        }
        let spec = json!({
            "type": "object",
            "required": ["a", "b"],
            "properties": {
                "a": {"type": "integer"}, "b": {"type": "integer"}, "s": {"type": "string", "maxLength": 20},
                "l": {"type": "array", "maxItems": 3, "items": {"type": "string", "enum": ["one", "two"]}},
                "all": {"type": "array", "items": {"type": "string"}},
            },
            "x-kubernetes-validations": [validation],
        });
        let definition = json!({
            "metadata": {"name": "things.shapes.test"},
            "spec": {
                "group": "shapes.test", "scope": "Namespaced", "names": {"plural": "things", "kind": "Thing"},
                "versions": [{
                    "name": "v1", "served": true, "storage": true,
                    "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}},
                }],
            },
        });
        problems(&definition, &|_, _| Vec::new()).into_iter().map(|problem| problem.message).collect()
    }

    #[test]
    fn messages_whose_length_has_no_bound_are_refused_and_others_are_not() {
        let accepted = [
            "'%d and %d'.format([self.a, self.b])",
            "string(self.a)",
            "self.s.replace('a', 'b')",
            "'not ' + self.s",
            "'always the same'",
        ];
        for message in accepted {
            assert_eq!(messages("self.a > 0", message), Vec::<String>::new(), "{message}");
        }
        let refused =
            ["'not ' + string(self.a)", "'not ' + self.all.join(',')", "'not ' + string(self.a).substring(1)"];
        for message in refused {
            let messages = messages("self.a > 0", message);
            let budget = "Forbidden: estimated messageExpression cost exceeds budget by factor of more than 100x";
            assert!(messages[0].starts_with(budget), "{message}: {messages:?}");
            assert_eq!(messages.len(), 3, "what it adds to the sum, and the sum: {messages:?}");
        }
    }

    #[test]
    fn a_rule_may_go_through_what_has_bounds() {
        assert_eq!(messages("self.l.all(one, self.l.exists(other, other == one))", ""), Vec::<String>::new());
        let messages = messages("self.all.all(one, self.all.exists(other, other == one))", "");
        assert!(
            messages[0].starts_with("Forbidden: estimated rule cost exceeds budget by factor of more than 100x"),
            "{messages:?}"
        );
    }

    #[test]
    fn a_rule_that_does_not_compile_is_shown_with_its_place() {
        let cases = [
            ("self.nope == 1", "<input>:1:5: undefined field 'nope'"),
            ("self.a == 'x'", "<input>:1:8: found no matching overload for '_==_' applied to '(int, string)'"),
            ("self.a", "cel expression must evaluate to a bool"),
            ("nobody(self.a)", "<input>:1:7: undeclared reference to 'nobody' (in container '')"),
            ("self.a >", "Syntax error: mismatched input '<EOF>' expecting"),
        ];
        for (rule, expected) in cases {
            let messages = messages(rule, "");
            assert!(messages.len() == 1 && messages[0].contains(expected), "{rule}: {messages:?}");
        }
    }
}
