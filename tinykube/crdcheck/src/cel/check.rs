//! The types of a rule's expressions, and what is wrong with them.

use std::collections::BTreeMap;
use std::rc::Rc;

use cel::IdedExpr;
use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, LiteralValue, SelectExpr};

use super::functions::{self, NAMESPACES, SIGNATURES};
use super::place;
use super::types::{Decl, Type};

/// Types by the number of an expression.
pub(super) type Types = BTreeMap<u64, Type>;

pub(super) struct Checked {
    pub(super) types: Types,
    pub(super) errors: Vec<String>,
    pub(super) uses_old_self: bool,
}

/// Finds the types of everything in a rule.
pub(super) fn check(source: &str, expression: &IdedExpr, decl: &Rc<Decl>, optional_old_self: bool) -> Checked {
    let own = decl.value_type();
    let old = if optional_old_self { Type::optional(own.clone()) } else { own.clone() };
    let variables = vec![("self".to_owned(), own), ("oldSelf".to_owned(), old)];
    let mut checker = Checker { source, variables, types: Types::new(), errors: Vec::new(), uses_old_self: false };
    checker.type_of(expression);
    checker.errors.sort();
    checker.errors.dedup();
    let shown = |(index, message): &(usize, String)| place::shown(source, place::position(source, *index), message);
    Checked {
        types: checker.types,
        errors: checker.errors.iter().map(shown).collect(),
        uses_old_self: checker.uses_old_self,
    }
}

struct Checker<'a> {
    source: &'a str,
    variables: Vec<(String, Type)>,
    types: Types,
    /// With the index of their place.
    errors: Vec<(usize, String)>,
    uses_old_self: bool,
}

impl Checker<'_> {
    fn type_of(&mut self, expression: &IdedExpr) -> Type {
        let found = match &expression.expr {
            Expr::Literal(literal) => literal_type(literal),
            Expr::Ident(name) => self.variable(name),
            Expr::Select(select) => self.select(select),
            Expr::Call(call) => self.call(call),
            Expr::List(list) => {
                let items: Vec<Type> = list.elements.iter().map(|item| self.type_of(item)).collect();
                Type::list(joined(&items))
            }
            Expr::Map(map) => {
                let (mut keys, mut values) = (Vec::new(), Vec::new());
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        keys.push(self.type_of(&entry.key));
                        values.push(self.type_of(&entry.value));
                    }
                }
                Type::Map(Box::new(joined(&keys)), Box::new(joined(&values)))
            }
            Expr::Comprehension(comprehension) => self.comprehension(comprehension),
            Expr::Struct(made) => {
                self.wrong(
                    &made.type_name,
                    0,
                    format!("undeclared reference to '{}' (in container '')", made.type_name),
                );
                Type::Dyn
            }
            Expr::Unspecified => Type::Dyn,
        };
        self.types.insert(expression.id, found.clone());
        found
    }

    /// Notes what is wrong at a word of the source, or some characters after its begin.
    fn wrong(&mut self, word: &str, after: usize, message: String) {
        let index = place::find(self.source, word, 0).unwrap_or(0) + after;
        self.errors.push((index, message));
    }

    fn variable(&mut self, name: &str) -> Type {
        if let Some((_, of)) = self.variables.iter().rev().find(|(known, _)| known == name) {
            self.uses_old_self |= name == "oldSelf";
            return of.clone();
        }
        let types =
            ["bool", "bytes", "double", "int", "list", "map", "null_type", "string", "type", "uint", "optional_type"];
        if types.contains(&name) {
            return Type::OfTypes;
        }
        self.wrong(name, 0, format!("undeclared reference to '{name}' (in container '')"));
        Type::Dyn
    }

    fn select(&mut self, select: &SelectExpr) -> Type {
        let of = self.type_of(&select.operand);
        let found = self.field(&of, &select.field);
        if select.test { Type::Bool } else { found }
    }

    fn field(&mut self, of: &Type, field: &str) -> Type {
        match of {
            Type::Dyn => Type::Dyn,
            Type::Map(_, value) => Type::clone(value),
            Type::Object(decl) => match decl.step(field) {
                Some(found) => found.value_type(),
                None => {
                    self.wrong_field(field, format!("undefined field '{field}'"));
                    Type::Dyn
                }
            },
            Type::Optional(inner) => Type::optional(self.field(inner, field)),
            other => {
                self.wrong_field(field, format!("type '{other}' does not support field selection"));
                Type::Dyn
            }
        }
    }

    fn wrong_field(&mut self, field: &str, message: String) {
        let dotted = [format!(".{field}"), format!(".?{field}")];
        let index = dotted.iter().filter_map(|word| place::find(self.source, word, 0)).min();
        self.errors.push((index.unwrap_or(0), message));
    }

    fn comprehension(&mut self, made: &ComprehensionExpr) -> Type {
        let range = self.type_of(&made.iter_range);
        let mut accumulated = self.type_of(&made.accu_init);
        let (key, value) = match &range {
            Type::List(of) => (Type::Int, Type::clone(of)),
            Type::Map(key, value) => (Type::clone(key), Type::clone(value)),
            Type::Dyn => (Type::Dyn, Type::Dyn),
            other => {
                let message = format!(
                    "expression of type '{other}' cannot be range of a comprehension (must be list, map, or dynamic)"
                );
                self.errors.push((0, message));
                (Type::Dyn, Type::Dyn)
            }
        };
        let before = self.variables.len();
        self.variables.push((made.accu_var.clone(), accumulated.clone()));
        match &made.iter_var2 {
            Some(second) => {
                self.variables.push((made.iter_var.clone(), key));
                self.variables.push((second.clone(), value));
            }
            // One variable goes through what a list holds, or the keys of a map.
            None if matches!(range, Type::List(_)) => self.variables.push((made.iter_var.clone(), value)),
            None => self.variables.push((made.iter_var.clone(), key)),
        }
        self.type_of(&made.loop_cond);
        let step = self.type_of(&made.loop_step);
        if matches!(step, Type::List(_)) {
            accumulated = step;
        }
        self.variables.truncate(before);
        self.variables.push((made.accu_var.clone(), accumulated));
        let result = self.type_of(&made.result);
        self.variables.truncate(before);
        result
    }

    fn call(&mut self, call: &CallExpr) -> Type {
        let name = call.func_name.as_str();
        if let (Some(target), "optMap" | "optFlatMap", [variable, body]) = (&call.target, name, call.args.as_slice())
            && let Expr::Ident(variable) = &variable.expr
        {
            return self.optional_map(target, variable, body, name == "optMap");
        }
        let qualified = qualified(call);
        let target = match &qualified {
            Some(_) => None,
            None => call.target.as_deref().map(|target| self.type_of(target)),
        };
        match (name, call.args.as_slice()) {
            ("_?._", [of, field]) => {
                let of = self.type_of(of);
                let Expr::Literal(LiteralValue::String(field)) = &field.expr else { return Type::Dyn };
                let found = self.field(&of, field.inner());
                return if matches!(found, Type::Optional(_)) { found } else { Type::optional(found) };
            }
            ("_?_:_", [condition, yes, no]) => {
                let arguments = [condition, yes, no].map(|argument| self.type_of(argument));
                let [condition, yes, no] = &arguments;
                return if functions::fits('b', condition) && yes.fits(no) {
                    joined(&[yes.clone(), no.clone()])
                } else {
                    self.no_overload(name, None, &arguments)
                };
            }
            _ => {}
        }
        let arguments: Vec<Type> = call.args.iter().map(|argument| self.type_of(argument)).collect();
        match name {
            "_[_]" | "_[?_]" => return self.index(name, &arguments),
            "_==_" | "_!=_" => {
                let fits = matches!(arguments.as_slice(), [one, other] if one.fits(other));
                return if fits { Type::Bool } else { self.no_overload(name, None, &arguments) };
            }
            "_<_" | "_<=_" | "_>_" | "_>=_" => {
                let ordered = matches!(arguments.as_slice(), [one, other] if are_ordered(one, other));
                return if ordered { Type::Bool } else { self.no_overload(name, None, &arguments) };
            }
            "matches" => self.check_pattern(call.args.last()),
            _ => {}
        }
        self.function(&qualified.unwrap_or_else(|| name.to_owned()), target.as_ref(), &arguments)
    }

    fn function(&mut self, name: &str, target: Option<&Type>, arguments: &[Type]) -> Type {
        let mut known = SIGNATURES.iter().filter(|(known, _, _)| *known == name).peekable();
        if known.peek().is_none() {
            let short = name.rsplit('.').next().unwrap_or(name);
            let message = format!("undeclared reference to '{short}' (in container '')");
            self.wrong(short, short.len(), message);
            return Type::Dyn;
        }
        let taken = known.find(|(_, shape, _)| takes(shape, target, arguments));
        match taken {
            // Which one it is shows when it is evaluated.
            Some(_) if name.starts_with('_') && arguments.contains(&Type::Dyn) => Type::Dyn,
            Some((_, _, result)) => functions::result(result, target, arguments),
            None => self.no_overload(name, target, arguments),
        }
    }

    fn optional_map(&mut self, target: &IdedExpr, variable: &str, body: &IdedExpr, wraps: bool) -> Type {
        let of = match self.type_of(target) {
            Type::Optional(of) => *of,
            _ => Type::Dyn,
        };
        self.variables.push((variable.to_owned(), of));
        let made = self.type_of(body);
        self.variables.pop();
        if wraps { Type::optional(made) } else { made }
    }

    fn index(&mut self, name: &str, arguments: &[Type]) -> Type {
        let [of, by] = arguments else { return Type::Dyn };
        let inner = if let Type::Optional(inner) = of { inner } else { of };
        let found = match (inner, by) {
            (Type::Dyn, _) => Type::Dyn,
            (Type::List(item), Type::Int | Type::Uint | Type::Double | Type::Dyn) => Type::clone(item),
            (Type::Map(key, value), by) if key.fits(by) => Type::clone(value),
            _ => return self.no_overload(name, None, arguments),
        };
        if name == "_[?_]" || matches!(of, Type::Optional(_)) { Type::optional(found) } else { found }
    }

    fn check_pattern(&mut self, pattern: Option<&IdedExpr>) {
        let Some(Expr::Literal(LiteralValue::String(pattern))) = pattern.map(|pattern| &pattern.expr) else { return };
        if regex::Regex::new(pattern.inner()).is_err() {
            let quoted = place::find(self.source, "matches(", 0).map_or(0, |index| index + "matches(".len());
            self.errors.push((quoted, "invalid matches argument".to_owned()));
        }
    }

    fn no_overload(&mut self, name: &str, target: Option<&Type>, arguments: &[Type]) -> Type {
        let shown: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        let target = target.map(|target| format!("{target}.")).unwrap_or_default();
        let operator = name.trim_matches(['_', '@']);
        let message = format!("found no matching overload for '{name}' applied to '{target}({})'", shown.join(", "));
        match name {
            "_[_]" | "_[?_]" => self.wrong("['", 0, message),
            "_?_:_" => self.wrong("?", 0, message),
            _ if name.starts_with(['_', '@', '!', '-']) => self.wrong(operator, 0, message),
            _ => self.wrong(operator, operator.len(), message),
        }
        Type::Dyn
    }
}

/// The name of a function with its namespace, such as `sets.contains`.
pub(super) fn qualified(call: &CallExpr) -> Option<String> {
    match call.target.as_deref().map(|target| &target.expr) {
        Some(Expr::Ident(space)) if NAMESPACES.contains(&space.as_str()) => {
            let name = format!("{space}.{}", call.func_name);
            // A named format is a function without arguments.
            if space == "format" && call.args.is_empty() { Some("format.named".to_owned()) } else { Some(name) }
        }
        _ => None,
    }
}

fn takes(shape: &str, target: Option<&Type>, arguments: &[Type]) -> bool {
    let (on, with) = match shape.split_once('.') {
        Some((on, with)) => (Some(on), with),
        None => (None, shape),
    };
    let fits = |letters: &str, types: &[Type]| {
        letters.chars().count() == types.len()
            && letters.chars().zip(types).all(|(letter, of)| functions::fits(letter, of))
    };
    match (on, target) {
        (Some(on), Some(target)) => fits(on, std::slice::from_ref(target)) && fits(with, arguments),
        (None, None) => fits(with, arguments),
        _ => false,
    }
}

fn literal_type(literal: &LiteralValue) -> Type {
    match literal {
        LiteralValue::Boolean(_) => Type::Bool,
        LiteralValue::Bytes(_) => Type::Bytes,
        LiteralValue::Double(_) => Type::Double,
        LiteralValue::Int(_) => Type::Int,
        LiteralValue::Null => Type::Null,
        LiteralValue::String(_) => Type::String,
        LiteralValue::UInt(_) => Type::Uint,
    }
}

/// The type all of these have.
fn joined(types: &[Type]) -> Type {
    match types.split_first() {
        Some((first, rest)) if rest.iter().all(|other| other == first) => first.clone(),
        _ => Type::Dyn,
    }
}

/// Numbers of all kinds have an order, and what else has one has it among its like.
fn are_ordered(one: &Type, other: &Type) -> bool {
    let is_number = |of: &Type| matches!(of, Type::Int | Type::Uint | Type::Double | Type::Dyn);
    let has_order = matches!(one, Type::String | Type::Bytes | Type::Bool | Type::Timestamp | Type::Duration);
    (is_number(one) && is_number(other)) || (has_order && one.fits(other)) || *one == Type::Dyn
}
