//! The most that evaluating a rule can cost, estimated as the library of the API server (cel-go) estimates it.

use std::collections::BTreeMap;
use std::rc::Rc;

use cel::IdedExpr;
use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, LiteralValue, SelectExpr};

use super::check::{Types, qualified};
use super::types::{Decl, Type};

const STRING_FACTOR: f64 = 0.1;
const REGEX_FACTOR: f64 = 0.25;
const LIST_COST: u64 = 10;
const MAP_COST: u64 = 30;
/// The longest pattern of a named format.
const FORMAT_PATTERN: f64 = 128.0;
const LONGEST_FORMAT: u64 = 64;

/// How large something is, or how much it costs: the least and the most.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Range {
    least: u64,
    most: u64,
}

const ZERO: Range = Range::fixed(0);
const ONE: Range = Range::fixed(1);
const UNKNOWN: Range = Range { least: 0, most: u64::MAX };

impl Range {
    const fn fixed(value: u64) -> Range {
        Range { least: value, most: value }
    }

    fn plus(self, other: Range) -> Range {
        Range { least: self.least.saturating_add(other.least), most: self.most.saturating_add(other.most) }
    }

    fn times(self, other: Range) -> Range {
        Range { least: self.least.saturating_mul(other.least), most: self.most.saturating_mul(other.most) }
    }

    fn by(self, factor: f64) -> Range {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "as the server does; what is too large becomes the largest"
        )]
        let scaled = |value: u64| (value as f64 * factor).ceil() as u64;
        Range { least: scaled(self.least), most: scaled(self.most) }
    }

    fn or(self, other: Range) -> Range {
        Range { least: self.least.min(other.least), most: self.most.max(other.most) }
    }
}

/// What is known of the parts of a list or a map.
#[derive(Clone, Copy)]
struct Entry {
    is_list: bool,
    key: Range,
    value: Range,
}

impl Entry {
    fn or(one: Option<Entry>, other: Option<Entry>) -> Option<Entry> {
        let (one, other) = (one?, other?);
        Some(Entry { is_list: one.is_list, key: one.key.or(other.key), value: one.value.or(other.value) })
    }
}

/// Where a value is in the object: a variable, then fields, `@items`, `@keys` and `@values`; empty if it is made by the rule.
/// What is in a value that is made by the rule has a path without a variable, and the server takes it for the object itself.
type Path = Vec<String>;

#[derive(Clone)]
struct Local {
    name: String,
    path: Path,
    size: Option<Range>,
    entry: Option<Entry>,
}

/// The most an expression can cost.
pub(super) fn estimate(expression: &IdedExpr, types: &Types, decl: &Rc<Decl>) -> u64 {
    let mut coster = Coster {
        types,
        decl,
        paths: BTreeMap::new(),
        sizes: BTreeMap::new(),
        entries: BTreeMap::new(),
        locals: Vec::new(),
    };
    coster.cost(expression).most
}

struct Coster<'a> {
    types: &'a Types,
    decl: &'a Rc<Decl>,
    paths: BTreeMap<u64, Path>,
    sizes: BTreeMap<u64, Range>,
    entries: BTreeMap<u64, Entry>,
    locals: Vec<Local>,
}

/// A call that is priced: what it is called on, with what, and what these cost.
struct Priced<'a> {
    name: &'a str,
    target: Option<&'a IdedExpr>,
    arguments: &'a [IdedExpr],
    costs: &'a [Range],
}

impl Coster<'_> {
    fn type_of(&self, expression: &IdedExpr) -> Type {
        self.types.get(&expression.id).cloned().unwrap_or(Type::Dyn)
    }

    fn local(&self, name: &str) -> Option<&Local> {
        self.locals.iter().rev().find(|local| local.name == name)
    }

    fn path(&self, expression: &IdedExpr) -> Path {
        if let Expr::Ident(name) = &expression.expr
            && let Some(local) = self.local(name)
        {
            return local.path.clone();
        }
        self.paths.get(&expression.id).cloned().unwrap_or_default()
    }

    fn set_path(&mut self, expression: &IdedExpr, mut path: Path, step: &str) {
        path.push(step.to_owned());
        self.paths.insert(expression.id, path);
    }

    fn cost(&mut self, expression: &IdedExpr) -> Range {
        match &expression.expr {
            Expr::Literal(_) | Expr::Unspecified => ZERO,
            Expr::Ident(name) => {
                let path = self.local(name).map_or_else(|| vec![name.clone()], |local| local.path.clone());
                self.paths.insert(expression.id, path);
                ONE
            }
            Expr::Select(select) => self.select(expression, select),
            Expr::Call(call) => self.call(expression, call),
            Expr::List(list) => {
                let mut item = if list.elements.is_empty() { ZERO } else { Range { least: u64::MAX, most: 0 } };
                let mut sum = Range::fixed(LIST_COST);
                for element in &list.elements {
                    sum = sum.plus(self.cost(element));
                    item = item.or(self.size_or_unknown(element));
                }
                self.entries.insert(expression.id, Entry { is_list: true, key: ONE, value: item });
                sum
            }
            Expr::Map(map) => {
                let none = if map.entries.is_empty() { ZERO } else { Range { least: u64::MAX, most: 0 } };
                let (mut key, mut value) = (none, none);
                let mut sum = Range::fixed(MAP_COST);
                for entry in &map.entries {
                    let EntryExpr::MapEntry(entry) = &entry.expr else { continue };
                    sum = sum.plus(self.cost(&entry.key)).plus(self.cost(&entry.value));
                    key = key.or(self.size_or_unknown(&entry.key));
                    value = value.or(self.size_or_unknown(&entry.value));
                }
                self.entries.insert(expression.id, Entry { is_list: false, key, value });
                sum
            }
            Expr::Comprehension(made) => self.comprehension(expression, made),
            Expr::Struct(_) => UNKNOWN,
        }
    }

    fn select(&mut self, expression: &IdedExpr, select: &SelectExpr) -> Range {
        let operand = self.cost(&select.operand);
        if select.test {
            return operand.plus(ONE);
        }
        let has_fields = matches!(self.type_of(&select.operand), Type::Map(..) | Type::Object(_));
        self.set_path(expression, self.path(&select.operand), &select.field);
        if has_fields { operand.plus(ONE) } else { operand }
    }

    fn comprehension(&mut self, expression: &IdedExpr, made: &ComprehensionExpr) -> Range {
        let mut sum = self.cost(&made.iter_range).plus(self.cost(&made.accu_init));
        let before = self.locals.len();
        let accumulated = Local {
            name: made.accu_var.clone(),
            path: self.path(&made.accu_init),
            size: self.size(&made.accu_init),
            entry: self.entry(&made.accu_init),
        };
        self.locals.push(accumulated);
        self.push_variables(made);
        let step = self.cost(&made.loop_cond).plus(self.cost(&made.loop_step));
        self.locals.truncate(before + 1);
        sum = sum.plus(self.cost(&made.result));
        self.locals.truncate(before);
        let count = self.size_or_unknown(&made.iter_range);
        sum = sum.plus(count.times(step));
        match &made.accu_init.expr {
            Expr::Literal(_) => {
                if let Some(size) = self.size(&made.accu_init) {
                    self.sizes.insert(expression.id, size);
                }
            }
            Expr::List(_) | Expr::Map(_) => {
                self.sizes.insert(expression.id, count);
                if let Some(entry) = self.entry(&made.loop_step) {
                    self.entries.insert(expression.id, entry);
                }
            }
            _ => {}
        }
        sum
    }

    /// The variables that go through what is iterated over.
    fn push_variables(&mut self, made: &ComprehensionExpr) {
        let entry = self.entry(&made.iter_range);
        let is_list =
            entry.map_or_else(|| matches!(self.type_of(&made.iter_range), Type::List(_)), |entry| entry.is_list);
        let base = self.path(&made.iter_range);
        let step = |step: &str| {
            let mut path = base.clone();
            path.push(step.to_owned());
            path
        };
        let values = if is_list { "@items" } else { "@values" };
        let (first, path) = match (is_list, &made.iter_var2) {
            (true, None) => (entry.map(|entry| entry.value), step("@items")),
            (true, Some(_)) => (entry.map(|entry| entry.key), step("@indices")),
            (false, _) => (entry.map(|entry| entry.key), step("@keys")),
        };
        self.locals.push(Local { name: made.iter_var.clone(), path, size: first, entry: None });
        if let Some(second) = &made.iter_var2 {
            let size = entry.map(|entry| entry.value);
            self.locals.push(Local { name: second.clone(), path: step(values), size, entry: None });
        }
    }

    fn call(&mut self, expression: &IdedExpr, call: &CallExpr) -> Range {
        if let (Some(target), "optMap" | "optFlatMap", [_, body]) =
            (&call.target, call.func_name.as_str(), call.args.as_slice())
        {
            return self.cost(target).plus(self.cost(body)).plus(ONE);
        }
        let space = qualified(call);
        let name = space.as_deref().unwrap_or(&call.func_name);
        let target = if space.is_some() { None } else { call.target.as_deref() };
        let costs: Vec<Range> = call.args.iter().map(|argument| self.cost(argument)).collect();
        let on_target = target.map_or(ZERO, |target| self.cost(target));
        if let ("dyn", [argument]) = (name, call.args.as_slice()) {
            self.copy_sizes(expression, argument);
            return costs.iter().fold(ONE, |sum, cost| sum.plus(*cost));
        }
        let priced = Priced { name, target, arguments: &call.args, costs: &costs };
        let (cost, size) = self.price(expression, &priced);
        if let Some(size) = size.or_else(|| self.size(expression)) {
            self.sizes.insert(expression.id, size);
        }
        on_target.plus(cost)
    }

    /// What a call costs with its arguments, and how large its result is.
    fn price(&mut self, expression: &IdedExpr, call: &Priced<'_>) -> (Range, Option<Range>) {
        let arguments = call.costs.iter().fold(ZERO, |sum, cost| sum.plus(*cost));
        if let Some((cost, size)) = self.library(call) {
            return (cost.plus(arguments), size);
        }
        match (call.name, call.arguments, call.costs) {
            ("_&&_" | "_||_", _, [left, right]) => {
                (Range { least: left.least, most: left.most.saturating_add(right.most) }, None)
            }
            ("_?_:_", [_, yes, no], [condition, if_yes, if_no]) => {
                let size = self.size_or_unknown(yes).or(self.size_or_unknown(no));
                if let Some(entry) = Entry::or(self.entry(yes), self.entry(no)) {
                    self.entries.insert(expression.id, entry);
                }
                (condition.plus(if_yes.or(*if_no)), Some(size))
            }
            ("_[_]", [of, _], _) => {
                let step = if matches!(self.type_of(of), Type::List(_)) { "@items" } else { "@values" };
                self.set_path(expression, self.path(of), step);
                (arguments.plus(ONE), self.entry(of).map(|entry| entry.value))
            }
            ("_?._", [of, field], _) => {
                if let Expr::Literal(LiteralValue::String(field)) = &field.expr {
                    self.set_path(expression, self.path(of), field.inner());
                }
                (arguments.plus(ONE), None)
            }
            ("_+_", [left, right], _) => {
                let (cost, size) = self.concatenation(expression, left, right);
                (arguments.plus(cost), size)
            }
            ("_==_" | "_!=_", [left, right], _) => (arguments.plus(self.comparison(left, right)), None),
            ("_<_" | "_<=_" | "_>_" | "_>=_", [left, right], _) => {
                let compares_text = [left, right].iter().all(|side| is_text_or_dyn(&self.type_of(side)));
                let cost = if compares_text { self.comparison(left, right) } else { ONE };
                let any = [left, right].iter().any(|side| self.type_of(side) == Type::Dyn);
                (arguments.plus(if any { cost.or(ONE) } else { cost }), None)
            }
            ("@in", [_, of], _) => {
                let cost = match self.type_of(of) {
                    Type::Map(..) => ONE,
                    _ => self.size_or_unknown(of),
                };
                (arguments.plus(cost), None)
            }
            _ => (arguments.plus(ONE), None),
        }
    }

    fn concatenation(&mut self, expression: &IdedExpr, left: &IdedExpr, right: &IdedExpr) -> (Range, Option<Range>) {
        let types = [self.type_of(left), self.type_of(right)];
        let size = self.size_or_unknown(left).plus(self.size_or_unknown(right));
        let has = |wanted: fn(&Type) -> bool| types.iter().all(|of| wanted(of) || *of == Type::Dyn);
        if let Some(entry) = Entry::or(self.entry(left), self.entry(right)) {
            self.entries.insert(expression.id, entry);
        }
        let is_text = has(|of| matches!(of, Type::String | Type::Bytes));
        let is_list = has(|of| matches!(of, Type::List(_)));
        match (is_text, is_list) {
            (true, true) => (size.by(STRING_FACTOR).or(ONE), Some(size)),
            (true, false) => (size.by(STRING_FACTOR), Some(size)),
            (false, true) => (ONE, Some(size)),
            (false, false) => (ONE, None),
        }
    }

    fn comparison(&mut self, left: &IdedExpr, right: &IdedExpr) -> Range {
        let types = [self.type_of(left), self.type_of(right)];
        if types[0] == types[1] {
            match &types[0] {
                Type::Library("kubernetes.NamedFormat") => {
                    return Range { least: 1, most: LONGEST_FORMAT }.by(STRING_FACTOR);
                }
                Type::Library(_) => return ONE,
                _ => {}
            }
        }
        let most = self.size_or_unknown(left).most.min(self.size_or_unknown(right).most);
        Range { least: u64::from(most > 0), most }.by(STRING_FACTOR)
    }

    /// Functions that take as long as what they work on.
    fn library(&mut self, call: &Priced<'_>) -> Option<(Range, Option<Range>)> {
        let target = call.target.map(|target| self.size_or_unknown(target));
        let first = call.arguments.first().map(|argument| self.size_or_unknown(argument));
        Some(match call.name {
            "isSorted" | "sum" | "max" | "min" | "indexOf" | "lastIndexOf" => {
                let of = self.type_of(call.target?);
                let Some(element) = of.element() else {
                    return Some((target?.by(STRING_FACTOR), None));
                };
                let mut each = ONE;
                if matches!(element, Type::String | Type::Bytes) {
                    each = each.plus(self.element_size(call.target?).by(STRING_FACTOR));
                }
                (target?.times(each), None)
            }
            "distinct" | "sort" => (target?.times(target?).plus(ONE), target),
            "reverse" | "slice" | "flatten" => (target?.plus(ONE), target),
            "lists.range" => (first?, first),
            "url" | "jsonpatch.escapeKey" => (first?.by(STRING_FACTOR), first),
            "lowerAscii" | "upperAscii" | "substring" | "trim" => (target?.by(STRING_FACTOR), target),
            "replace" => (target?.by(2.0 * STRING_FACTOR), Some(self.replaced(target?, call)?)),
            "split" => {
                let most = match call.arguments.get(1).map(|limit| &limit.expr) {
                    Some(Expr::Literal(LiteralValue::Int(limit))) => u64::try_from(*limit.inner()).unwrap_or(u64::MAX),
                    _ => target?.most,
                };
                (target?.by(2.0 * STRING_FACTOR), Some(Range { least: 0, most }))
            }
            "join" => {
                let count = target?;
                let mut size = count.times(self.element_size(call.target?));
                if let Some(separator) = first {
                    let gaps = Range { least: count.least.saturating_sub(1), most: count.most.saturating_sub(1) };
                    size = size.plus(separator.times(gaps));
                }
                (size.by(STRING_FACTOR), Some(size))
            }
            "find" | "findAll" => {
                let cost = target?.plus(ONE).by(STRING_FACTOR).times(first?.by(REGEX_FACTOR));
                (cost, Some(Range { least: 0, most: target?.most }))
            }
            "matches" => {
                let (text, pattern) = match (target, call.arguments) {
                    (Some(text), _) => (text, first?),
                    (None, [text, pattern]) => (self.size_or_unknown(text), self.size_or_unknown(pattern)),
                    _ => return None,
                };
                (text.plus(ONE).by(STRING_FACTOR).times(pattern.by(REGEX_FACTOR)), None)
            }
            "contains" => (target?.by(STRING_FACTOR).times(first?.by(STRING_FACTOR)), None),
            "startsWith" | "endsWith" => (first?.by(STRING_FACTOR), None),
            "format" => (target?.by(STRING_FACTOR), None),
            "ip" if call.target.is_some() => (ONE, None),
            "cidr" | "isIP" | "isCIDR" | "ip" | "quantity" | "isQuantity" | "semver" | "isSemver" => {
                (first?.by(STRING_FACTOR), None)
            }
            "ip.isCanonical" => (first?.by(2.0 * STRING_FACTOR), None),
            "containsIP" | "containsCIDR" => {
                let address = Range { least: 4, most: 16 };
                let mut cost = address.plus(address).by(STRING_FACTOR);
                if call.name == "containsCIDR" {
                    cost = cost.plus(address.by(STRING_FACTOR)).plus(ONE);
                }
                if matches!(self.type_of(call.arguments.first()?), Type::String | Type::Dyn) {
                    cost = cost.plus(first?.by(STRING_FACTOR));
                }
                (cost, None)
            }
            "validate" => (first?.by(STRING_FACTOR).by(FORMAT_PATTERN * REGEX_FACTOR), None),
            "sets.contains" | "sets.intersects" | "sets.equivalent" => {
                let [one, other] = call.arguments else { return None };
                let pairs = self.size_or_unknown(one).times(self.size_or_unknown(other));
                let passes = if call.name == "sets.equivalent" { 2 } else { 1 };
                (pairs.times(Range::fixed(passes)).plus(ONE), None)
            }
            "bytes" if self.type_of(call.arguments.first()?) == Type::String => {
                let most = first?.most.saturating_mul(4);
                (first?.by(STRING_FACTOR), Some(Range { least: first?.least, most }))
            }
            "string" if self.type_of(call.arguments.first()?) == Type::Bytes => {
                (first?.by(STRING_FACTOR), Some(Range { least: first?.least / 4, most: first?.most }))
            }
            _ => return None,
        })
    }

    /// How long a text is in which something was replaced.
    fn replaced(&mut self, size: Range, call: &Priced<'_>) -> Option<Range> {
        let (what, by) = (self.size_or_unknown(call.arguments.first()?), self.size_or_unknown(call.arguments.get(1)?));
        let (mut count, mut kept) = (ZERO, ZERO);
        if what.least == 0 {
            count.most = size.most.saturating_add(1);
            kept.most = size.most;
        } else if by.most <= what.least {
            kept.most = size.most;
        } else {
            count.most = size.most.div_ceil(what.least);
        }
        if what.most == 0 {
            count.least = size.least.saturating_add(1);
            kept.least = size.least;
        } else if what.most <= by.least {
            kept.least = size.least;
        } else {
            count.least = size.least.div_ceil(what.most);
        }
        Some(count.times(by).plus(kept))
    }

    /// How large what a list holds can be, by the schema.
    fn element_size(&self, list: &IdedExpr) -> Range {
        let mut path = self.path(list);
        if path.is_empty() {
            return UNKNOWN;
        }
        path.push("@items".to_owned());
        self.declared(&path).unwrap_or(UNKNOWN)
    }

    fn declared(&self, path: &[String]) -> Option<Range> {
        let (_, steps) = path.split_first()?;
        let mut decl = self.decl;
        for step in steps {
            decl = decl.step(step)?;
        }
        Some(Range { least: 0, most: decl.most })
    }

    fn size_or_unknown(&mut self, expression: &IdedExpr) -> Range {
        self.size(expression).unwrap_or(UNKNOWN)
    }

    fn size(&mut self, expression: &IdedExpr) -> Option<Range> {
        if let Some(size) = self.sizes.get(&expression.id) {
            return Some(*size);
        }
        if let Some(size) = literal_size(&expression.expr) {
            return Some(size);
        }
        if let Some(size) = self.declared(&self.path(expression)) {
            self.sizes.insert(expression.id, size);
            return Some(size);
        }
        if self.type_of(expression).is_scalar() {
            return Some(ONE);
        }
        match &expression.expr {
            Expr::Ident(name) => self.local(name).and_then(|local| local.size),
            _ => None,
        }
    }

    fn entry(&self, expression: &IdedExpr) -> Option<Entry> {
        if let Some(entry) = self.entries.get(&expression.id) {
            return Some(*entry);
        }
        match &expression.expr {
            Expr::Ident(name) => self.local(name).and_then(|local| local.entry),
            _ => None,
        }
    }

    fn copy_sizes(&mut self, to: &IdedExpr, from: &IdedExpr) {
        if let Some(size) = self.size(from) {
            self.sizes.insert(to.id, size);
        }
        if let Some(entry) = self.entry(from) {
            self.entries.insert(to.id, entry);
        }
    }
}

fn is_text_or_dyn(of: &Type) -> bool {
    matches!(of, Type::String | Type::Bytes | Type::Dyn)
}

fn literal_size(expression: &Expr) -> Option<Range> {
    let size = match expression {
        Expr::Literal(LiteralValue::String(text)) => text.inner().chars().count(),
        Expr::Literal(LiteralValue::Bytes(bytes)) => bytes.inner().len(),
        Expr::Literal(_) => 1,
        Expr::List(list) => list.elements.len(),
        Expr::Map(map) => map.entries.len(),
        _ => return None,
    };
    Some(Range::fixed(u64::try_from(size).unwrap_or(u64::MAX)))
}
