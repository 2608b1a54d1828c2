//! Rules: what they may say, and what they may cost at most. The estimate is that of the Go library which servers use; where a
//! function is not known here, it is refused rather than taken to cost nothing.

mod check;
mod cost;
mod functions;
mod place;
mod types;

use std::rc::Rc;

use serde_json::Value;

use self::check::Checked;
use self::types::Type;
pub(crate) use self::types::{Decl, MOST_BYTES};

/// A rule that may be evaluated, or a message of one.
pub(crate) struct Compiled {
    /// The most it can cost on one object.
    pub(crate) cost: u64,
    pub(crate) uses_old_self: bool,
}

/// What a rule's expression must be of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    Rule,
    Message,
}

/// Compiles an expression of a rule for values of this type.
///
/// # Errors
/// What the server says of it.
pub(crate) fn compile(source: &str, decl: &Rc<Decl>, rule: &Value, wanted: Wanted) -> Result<Compiled, String> {
    let prefix = if wanted == Wanted::Rule { "" } else { "messageExpression " };
    let parsed = cel::parser::Parser::new().enable_optional_syntax(true).parse(source);
    let expression = parsed.map_err(|errors| {
        let shown = errors.errors.iter().map(|error| place::shown(source, error.pos, &error.msg));
        format!("{prefix}compilation failed: {}", shown.collect::<Vec<_>>().join("\n"))
    })?;
    let optional = rule["optionalOldSelf"] == true;
    let Checked { types, errors, uses_old_self } = check::check(source, &expression, decl, optional);
    if !errors.is_empty() {
        return Err(format!("{prefix}compilation failed: {}", errors.join("\n")));
    }
    match (wanted, types.get(&expression.id)) {
        (Wanted::Rule, Some(Type::Bool)) | (Wanted::Message, Some(Type::String)) => {}
        (Wanted::Rule, _) => return Err("cel expression must evaluate to a bool".to_owned()),
        (Wanted::Message, _) => return Err("messageExpression must evaluate to a string".to_owned()),
    }
    Ok(Compiled { cost: cost::estimate(&expression, &types, decl), uses_old_self })
}
