//! A strict reader of one value of the file.
//!
//! A [`Node`] knows its path and says exactly what it expected and what it
//! found. Nothing is converted silently: text is not a number, 32.0 is not a
//! whole number, `yes` is not `true`. Where a [`Scope`] gives an assignment,
//! `$name` stands for the hyperparameter's value, and inside a repetition `{i}`
//! for its number.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use serde_yaml::{Mapping, Value};

use super::compare::flow;
use super::conditions::{Inactive, inactive_because, text_of_when};
use super::error::Fault;
use super::names::{all_of, alternatives, instead_of, is_identifier, nearest};
use super::path::Segment;
use super::repeat::{INDEX, numbered};
use super::template::yaml;
use crate::space::{self, HyperParameters, Space};

/// Longest text of one value, in bytes.
const MAX_TEXT_BYTES: usize = 4096;

/// Whether `$name` may stand here.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scope<'a> {
    /// No, for this reason.
    Literal(&'static str),
    /// Yes, and these are the values.
    Assignment(Values<'a>),
}

/// What `$name` stands for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Values<'a> {
    pub(super) space: &'a Space,
    pub(super) assignment: &'a HyperParameters,
    /// What `{i}` stands for, inside a repetition.
    pub(super) repetition: Option<u32>,
}

/// One value and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Node<'a> {
    value: &'a Value,
    path: Vec<Segment>,
    scope: Scope<'a>,
}

/// A value, and the hyperparameter it is the value of.
struct Resolved<'a> {
    value: Cow<'a, Value>,
    name: Option<Cow<'a, str>>,
}

impl<'a> Node<'a> {
    pub(super) fn new(value: &'a Value, path: Vec<Segment>, scope: Scope<'a>) -> Self {
        Self { value, path, scope }
    }

    /// The value as it was written.
    pub(super) fn value(&self) -> &'a Value {
        self.value
    }

    pub(super) fn path(&self) -> &[Segment] {
        &self.path
    }

    /// The values of `$name`, where it may stand.
    pub(super) fn values(&self) -> Option<Values<'a>> {
        match self.scope {
            Scope::Literal(_) => None,
            Scope::Assignment(values) => Some(values),
        }
    }

    /// The same value, where no `$name` may stand.
    pub(super) fn literal(mut self, reason: &'static str) -> Self {
        self.scope = Scope::Literal(reason);
        self
    }

    /// The same value, in a repetition.
    pub(super) fn repeated(mut self, number: u32) -> Self {
        if let Scope::Assignment(values) = &mut self.scope {
            values.repetition = Some(number);
        }
        self
    }

    pub(super) fn fault(&self, message: impl Into<String>) -> Fault {
        Fault::new(&self.path, message)
    }

    /// The value under `key`, wherever the key is known to exist.
    pub(super) fn child(&self, key: &str, value: &'a Value) -> Self {
        let mut path = self.path.clone();
        path.push(Segment::key(key));
        Self { value, path, scope: self.scope }
    }

    /// Another value in the same place.
    pub(super) fn with_value(&self, value: &'a Value) -> Self {
        Self { value, path: self.path.clone(), scope: self.scope }
    }

    /// The items of a list.
    pub(super) fn items(&self) -> Result<Vec<Self>, Fault> {
        let Value::Sequence(items) = self.value else {
            return Err(self.expected("a list", self.value));
        };
        let item = |(index, value)| {
            let mut path = self.path.clone();
            path.push(Segment::Index(index));
            Self { value, path, scope: self.scope }
        };
        Ok(items.iter().enumerate().map(item).collect())
    }

    /// Keys, as text, and values of a mapping.
    pub(super) fn entries(&self) -> Result<Vec<(&'a str, Self)>, Fault> {
        let Value::Mapping(mapping) = self.value else {
            return Err(self.expected("a mapping (`key: value` lines)", self.value));
        };
        let entry = |(key, value): (&'a Value, &'a Value)| match key {
            Value::String(key) => Ok((key.as_str(), self.child(key, value))),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Sequence(_)
            | Value::Mapping(_)
            | Value::Tagged(_) => {
                Err(self.fault(format!("keys must be text, but one is {}", describe(key))))
            }
        };
        mapping.iter().map(entry).collect()
    }

    /// A mapping with no keys but `known`. Keys among `later` are understood but
    /// not built yet.
    ///
    /// - `what`: what has the keys, for messages: "`search`"
    pub(super) fn fields(
        &self,
        what: &str,
        known: &[&str],
        later: &[&str],
    ) -> Result<Fields<'a>, Fault> {
        for (key, node) in self.entries()? {
            if known.contains(&key) {
                continue;
            }
            if later.contains(&key) {
                let fault = node.fault(format!("`{key}` of {what} is not built yet"));
                let hint = format!("leave it out; {what} has {}", all_of(known));
                return Err(fault.hint(hint).self_contained());
            }
            let hint = match key.split_once(':') {
                Some((before, after)) if known.contains(&before) => {
                    format!("put a space after the colon: `{before}: {after}`")
                }
                _ => match synonym(key).filter(|name| known.contains(name)) {
                    Some(name) => format!("did you mean `{name}`?"),
                    None => instead_of(key, known),
                },
            };
            let fault = node.fault(format!("unknown key `{}` in {what}", shorten(key)));
            return Err(fault.hint(hint).self_contained());
        }
        let Value::Mapping(mapping) = self.value else {
            return Err(self.expected("a mapping (`key: value` lines)", self.value));
        };
        Ok(Fields { node: self.clone(), what: what.to_owned(), mapping })
    }

    /// A whole number.
    pub(super) fn whole(&self, range: RangeInclusive<u64>) -> Result<u64, Fault> {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        let resolved = self.resolve()?;
        match resolved.value.as_u64() {
            Some(number) if range.contains(&number) => Ok(number),
            _ => Err(self.not_whole(&expected, &resolved)),
        }
    }

    /// A whole number that fits 32 bits.
    pub(super) fn whole_u32(&self, range: RangeInclusive<u32>) -> Result<u32, Fault> {
        let number = self.whole(u64::from(*range.start())..=u64::from(*range.end()))?;
        Ok(u32::try_from(number).expect("the range ends within 32 bits"))
    }

    /// A whole number that may be negative, exact as a float too.
    pub(super) fn integer(&self) -> Result<i64, Fault> {
        const EXACT: i64 = 1 << 53;
        let resolved = self.resolve()?;
        match resolved.value.as_i64() {
            Some(number) if (-EXACT..=EXACT).contains(&number) => Ok(number),
            Some(_) => Err(self.not_whole("a whole number within 2^53 of zero", &resolved)),
            None => Err(self.not_whole("a whole number", &resolved)),
        }
    }

    /// A finite number that `accepts` takes; `expected` says which those are.
    pub(super) fn real(&self, expected: &str, accepts: impl Fn(f64) -> bool) -> Result<f64, Fault> {
        let resolved = self.resolve()?;
        let number = match &*resolved.value {
            Value::Number(number) => number.as_f64(),
            _ => None,
        };
        match number {
            Some(number) if number.is_finite() && accepts(number) => Ok(number),
            _ => Err(self.found(expected, &resolved)),
        }
    }

    /// `true` or `false`.
    pub(super) fn boolean(&self) -> Result<bool, Fault> {
        let resolved = self.resolve()?;
        resolved.value.as_bool().ok_or_else(|| self.found("`true` or `false`", &resolved))
    }

    /// Text.
    pub(super) fn text(&self) -> Result<Cow<'a, str>, Fault> {
        let resolved = self.resolve()?;
        match &resolved.value {
            Cow::Borrowed(Value::String(text)) => {
                self.bounded(text)?;
                Ok(Cow::Borrowed(text))
            }
            Cow::Owned(Value::String(text)) => Ok(Cow::Owned(text.clone())),
            other => {
                let fault = self.found("text", &resolved);
                Err(match &**other {
                    Value::Bool(_) | Value::Number(_) if resolved.name.is_none() => {
                        fault.hint(format!("write it in quotation marks: \"{}\"", flow(other)))
                    }
                    _ => fault,
                })
            }
        }
    }

    /// One of several words; those in `later` are understood but not built yet.
    ///
    /// - `what`: what the words are, for messages: "activation"
    pub(super) fn word<T: Copy>(
        &self,
        what: &str,
        words: &[(&str, T)],
        later: &[&str],
    ) -> Result<T, Fault> {
        let text = self.text()?;
        if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == text) {
            return Ok(*meaning);
        }
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        Err(self.unknown(what, &text, &known, later))
    }

    /// The fault that `name` is not among `known`.
    pub(super) fn unknown(&self, what: &str, name: &str, known: &[&str], later: &[&str]) -> Fault {
        let name = shorten(name);
        let fault = if later.contains(&&*name) {
            let hint = format!("use {}", alternatives(known));
            self.fault(format!("{what} `{name}` is not built yet")).hint(hint)
        } else {
            self.fault(format!("unknown {what} `{name}`")).hint(instead_of(&name, known))
        };
        fault.self_contained()
    }

    /// A value of a hyperparameter: text, number or boolean.
    pub(super) fn scalar(&self) -> Result<space::Value, Fault> {
        match self.value {
            Value::Bool(value) => Ok(space::Value::Bool(*value)),
            Value::String(_) => Ok(space::Value::Text(self.text()?.into_owned())),
            Value::Number(number) if number.is_f64() => {
                self.real("a finite number", |_| true).map(space::Value::Float)
            }
            Value::Number(_) => self.integer().map(space::Value::Int),
            Value::Null | Value::Sequence(_) | Value::Mapping(_) | Value::Tagged(_) => {
                Err(self.expected("text, a number, `true` or `false`", self.value))
            }
        }
    }

    /// The value that stands here, with `$name` and `{i}` replaced.
    fn resolve(&self) -> Result<Resolved<'a>, Fault> {
        let Value::String(text) = self.value else {
            return Ok(Resolved { value: Cow::Borrowed(self.value), name: None });
        };
        let repetition = self.values().and_then(|values| values.repetition);
        let text = numbered(text, repetition);
        let name = match &text {
            Cow::Borrowed(text) => text.strip_prefix('$').map(Cow::Borrowed),
            Cow::Owned(text) => text.strip_prefix('$').map(|name| Cow::Owned(name.to_owned())),
        };
        let Some(name) = name else {
            let value = match text {
                Cow::Borrowed(_) => Cow::Borrowed(self.value),
                Cow::Owned(text) => Cow::Owned(Value::String(text)),
            };
            return Ok(Resolved { value, name: None });
        };
        let Values { space, assignment, .. } = match self.scope {
            Scope::Literal(reason) => return Err(self.fault(reason)),
            Scope::Assignment(values) => values,
        };
        let Some(value) = assignment.get(&name) else {
            return Err(match inactive_because(space, &name, assignment) {
                Some(because) => self.inactive(&name, &because),
                None => self.not_in_space(&name, space),
            });
        };
        Ok(Resolved { value: Cow::Owned(yaml(value)), name: Some(name) })
    }

    /// The fault that a hyperparameter has no value in this assignment.
    fn inactive(&self, name: &str, because: &Inactive<'_>) -> Fault {
        let Inactive { condition, value } = because;
        let fault = self.fault(format!(
            "`${name}` has no value where `{}` is `{}`",
            condition.parent,
            flow(&yaml(value))
        ));
        let fault = fault.self_contained();
        if self.path.first() == Some(&Segment::key("model")) {
            return fault.hint(format!(
                "give the layer `when: {}`, or `{name}` a value there, too",
                text_of_when(condition)
            ));
        }
        fault.hint(format!("give `{name}` a value there, too"))
    }

    /// The fault that `$name` names nothing.
    pub(super) fn not_in_space(&self, name: &str, space: &Space) -> Fault {
        if name.contains(INDEX) {
            let fault = self.fault(format!("`{INDEX}` stands for a number only inside `repeat`"));
            return fault.hint("write the number, or put the layer under `repeat`");
        }
        if !is_identifier(name) {
            let fault = self.fault(format!("`${}` is not a name", shorten(name)));
            return fault.hint("write `$` and the name of a hyperparameter, nothing else");
        }
        let fault = self.fault(format!("`{name}` is not in the search space")).self_contained();
        let known = space.hyperparameters.iter().map(|known| known.name.as_str());
        match nearest(name, known) {
            Some(near) => fault.hint(format!("did you mean `{near}`?")),
            None => fault.hint(format!("declare it in `space`: `{name}: {{choice: [...]}}`")),
        }
    }

    fn expected(&self, expected: &str, value: &Value) -> Fault {
        self.fault(format!("expected {expected}, found {}", describe(value)))
    }

    fn found(&self, expected: &str, resolved: &Resolved<'_>) -> Fault {
        let value = &*resolved.value;
        let found = describe(value);
        if let Some(name) = &resolved.name {
            let fault = self.fault(format!("expected {expected}, but `${name}` can be {found}"));
            return fault.hint(format!("change `space.{name}`, or do not use it here"));
        }
        let fault = self.fault(format!("expected {expected}, found {found}"));
        match value {
            Value::String(text) => match what_was_meant(expected, text) {
                Some(hint) => fault.hint(hint),
                None => fault,
            },
            _ => fault,
        }
    }

    /// Like `found`, and tells apart 32.5 from 32.0.
    fn not_whole(&self, expected: &str, resolved: &Resolved<'_>) -> Fault {
        let fault = self.found(expected, resolved);
        match resolved.value.as_f64() {
            Some(number) if resolved.value.is_f64() && number.fract() == 0.0 => {
                match &resolved.name {
                    Some(name) => fault.hint(format!("make `space.{name}` an `int`")),
                    None => fault.hint(format!("write `{number}`")),
                }
            }
            _ => fault,
        }
    }

    fn bounded(&self, text: &str) -> Result<(), Fault> {
        if text.len() > MAX_TEXT_BYTES {
            return Err(self.fault(format!("the text is longer than {MAX_TEXT_BYTES} bytes")));
        }
        Ok(())
    }
}

/// A mapping whose keys have been checked.
#[derive(Debug, Clone)]
pub(super) struct Fields<'a> {
    node: Node<'a>,
    what: String,
    mapping: &'a Mapping,
}

impl<'a> Fields<'a> {
    pub(super) fn node(&self) -> &Node<'a> {
        &self.node
    }

    pub(super) fn optional(&self, key: &str) -> Option<Node<'a>> {
        self.mapping.get(key).map(|value| self.node.child(key, value))
    }

    pub(super) fn required(&self, key: &str) -> Result<Node<'a>, Fault> {
        self.optional(key).ok_or_else(|| self.missing(key))
    }

    pub(super) fn missing(&self, key: &str) -> Fault {
        missing(&self.node, key, &self.what)
    }
}

pub(super) fn missing(node: &Node<'_>, key: &str, what: &str) -> Fault {
    node.fault(format!("`{key}` is missing in {what}")).self_contained()
}

/// The name in `$name`.
pub(super) fn reference(value: &Value) -> Option<&str> {
    value.as_str()?.strip_prefix('$')
}

/// Names of other libraries for keys and layers that have another name here.
pub(super) fn synonym(name: &str) -> Option<&'static str> {
    Some(match name.to_lowercase().as_str() {
        "kernel_size" => "kernel",
        "pool_size" => "pool",
        "dilation_rate" => "dilation",
        "stride" => "strides",
        "bias" => "use_bias",
        "lr" => "learning_rate",
        "batch" => "batch_size",
        "restore_best_weights" => "restore_best",
        "batch_normalization" | "batchnormalization" | "batchnorm2d" => "batch_norm",
        "max_pooling2d" | "maxpooling2d" | "maxpool2d" | "max_pool" => "max_pool2d",
        "linear" => "dense",
        "integer" => "int",
        "bool" => "boolean",
        "values" | "categorical" => "choice",
        _ => return None,
    })
}

/// A value as an error shows it.
pub(super) fn describe(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(value) => format!("`{value}`"),
        Value::Number(_) => format!("the number {}", flow(value)),
        Value::String(text) => format!("the text `{}`", shorten(text)),
        Value::Sequence(_) => "a list".to_owned(),
        Value::Mapping(_) => "a mapping".to_owned(),
        Value::Tagged(_) => "a tagged value".to_owned(),
    }
}

/// Text on one line, cut where it would fill the screen.
pub(super) fn shorten(text: &str) -> String {
    const SHOWN: usize = 60;
    let mut letters = text.chars();
    let mut short: String = letters.by_ref().take(SHOWN).collect();
    if letters.next().is_some() {
        short.push_str("...");
    }
    short.escape_debug().to_string().replace("\\'", "'").replace("\\\"", "\"")
}

/// What a text in the place of a number or a boolean was probably meant to be.
fn what_was_meant(expected: &str, text: &str) -> Option<String> {
    if expected.starts_with("`true`") {
        return match text.to_lowercase().as_str() {
            "yes" | "on" | "y" | "true" => Some("write `true`".to_owned()),
            "no" | "off" | "n" | "false" => Some("write `false`".to_owned()),
            _ => None,
        };
    }
    if text.trim() == text && text.parse::<f64>().is_ok_and(f64::is_finite) {
        let plain = text.trim_start_matches('0');
        let plain =
            if plain.starts_with(|first: char| first.is_ascii_digit()) { plain } else { text };
        return Some(format!("write it without quotation marks and leading zeros: `{plain}`"));
    }
    let plain: String = text.chars().filter(|letter| !"_ '".contains(*letter)).collect();
    plain.parse::<f64>().is_ok_and(f64::is_finite).then(|| format!("write `{plain}`"))
}
