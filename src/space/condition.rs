//! Conditions: which hyperparameters of a space an assignment has.
//!
//! A hyperparameter is active where all its conditions hold. An inactive one
//! has no value, so whatever depends on it is inactive too.

use super::{HyperParameter, HyperParameters, Space, Value};

/// Holds where another hyperparameter is active and has one of some values.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// Name of the other; declared earlier.
    pub parent: String,
    /// Those for which it holds.
    pub values: Vec<Value>,
}

impl Condition {
    /// Whether it holds, as far as `assignment` goes.
    #[must_use]
    pub fn holds(&self, assignment: &HyperParameters) -> bool {
        assignment.get(&self.parent).is_some_and(|value| self.values.contains(value))
    }

    /// Whether never both hold.
    #[must_use]
    pub fn excludes(&self, other: &Self) -> bool {
        self.parent == other.parent && !self.values.iter().any(|value| other.values.contains(value))
    }
}

impl HyperParameter {
    /// Whether it has a value, given those before it.
    #[must_use]
    pub fn is_active(&self, assignment: &HyperParameters) -> bool {
        self.when.iter().all(|condition| condition.holds(assignment))
    }
}

impl Space {
    /// Every active hyperparameter at its default.
    #[must_use]
    pub fn defaults(&self) -> HyperParameters {
        self.completed(&HyperParameters::default())
    }

    /// `assignment` in the order of the space: without what is inactive or not
    /// in the space, and with defaults for what is missing.
    #[must_use]
    pub fn completed(&self, assignment: &HyperParameters) -> HyperParameters {
        self.assigned(|hyperparameter| {
            assignment
                .get(&hyperparameter.name)
                .cloned()
                .unwrap_or_else(|| hyperparameter.kind.default())
        })
    }

    /// Goes through the space in its order and gives each active hyperparameter
    /// a value.
    pub(crate) fn assigned(
        &self,
        mut value: impl FnMut(&HyperParameter) -> Value,
    ) -> HyperParameters {
        let mut assignment = HyperParameters::default();
        for hyperparameter in &self.hyperparameters {
            if hyperparameter.is_active(&assignment) {
                let value = value(hyperparameter);
                assignment.set(&hyperparameter.name, value);
            }
        }
        assignment
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::testing::hyperparameter;
    use crate::space::Kind;

    fn choice(values: &[&str]) -> Kind {
        let values = values.iter().map(|value| text(value)).collect();
        Kind::Choice { values, default: None }
    }

    fn text(value: &str) -> Value {
        Value::Text(value.to_owned())
    }

    fn on(parent: &str, values: &[Value]) -> Condition {
        Condition { parent: parent.to_owned(), values: values.to_vec() }
    }

    fn conditional<const N: usize>(name: &str, kind: Kind, when: [Condition; N]) -> HyperParameter {
        HyperParameter { when: when.into(), ..hyperparameter(name, kind) }
    }

    /// `momentum` hangs on two others, `nesterov` on `momentum`; `rate` stands there twice.
    fn optimizers() -> Space {
        let sgd = || on("optimizer", &[text("sgd")]);
        let others = || on("optimizer", &[text("adam"), text("rmsprop")]);
        let boolean = || Kind::Boolean { default: false };
        let hyperparameters = vec![
            hyperparameter("optimizer", choice(&["adam", "sgd", "rmsprop"])),
            hyperparameter("heavy", boolean()),
            conditional(
                "momentum",
                choice(&["0.5", "0.9"]),
                [sgd(), on("heavy", &[Value::Bool(true)])],
            ),
            conditional("nesterov", boolean(), [on("momentum", &[text("0.9")])]),
            conditional("rate", choice(&["0.1", "0.2"]), [sgd()]),
            conditional("rate", choice(&["1e-3", "1e-4", "1e-5"]), [others()]),
            hyperparameter("last", boolean()),
        ];
        Space { hyperparameters, ..Space::default() }
    }

    fn assignment(values: &[(&str, Value)]) -> HyperParameters {
        values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    }

    fn names(assignment: &HyperParameters) -> Vec<&str> {
        assignment.iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn what_is_inactive_has_no_value_and_neither_have_those_that_depend_on_it() {
        let space = optimizers();
        assert_eq!(names(&space.defaults()), ["optimizer", "heavy", "rate", "last"]);
        let sgd = ("optimizer", text("sgd"));
        let heavy = ("heavy", Value::Bool(true));
        let nesterov = ("nesterov", Value::Bool(true));
        let completed = space.completed(&assignment(&[sgd.clone(), nesterov.clone()]));
        assert_eq!(names(&completed), ["optimizer", "heavy", "rate", "last"]);
        let completed = space.completed(&assignment(&[nesterov, sgd.clone(), heavy.clone()]));
        assert_eq!(names(&completed), ["optimizer", "heavy", "momentum", "rate", "last"]);
        let strong = ("momentum", text("0.9"));
        let completed = space.completed(&assignment(&[strong, heavy, sgd]));
        assert_eq!(
            names(&completed),
            ["optimizer", "heavy", "momentum", "nesterov", "rate", "last"]
        );
        assert_eq!(completed.get("rate"), Some(&text("0.1")));
        assert_eq!(space.defaults().get("rate"), Some(&text("1e-3")));
    }

    #[test]
    fn completing_keeps_what_is_there_and_drops_what_is_unknown() {
        let space = optimizers();
        let given = assignment(&[("last", Value::Bool(true)), ("unknown", Value::Int(1))]);
        let completed = space.completed(&given);
        assert_eq!(completed.get("last"), Some(&Value::Bool(true)));
        assert_eq!(completed.get("unknown"), None);
        assert_eq!(space.completed(&completed), completed);
    }

    #[test]
    fn conditions_exclude_each_other_where_no_value_meets_both() {
        let one = on("a", &[Value::Int(1), Value::Int(2)]);
        assert!(one.excludes(&on("a", &[Value::Int(3)])));
        assert!(!one.excludes(&on("a", &[Value::Int(3), Value::Int(2)])));
        assert!(!one.excludes(&on("b", &[Value::Int(3)])));
        assert!(!one.holds(&assignment(&[("a", Value::Int(3))])));
        assert!(one.holds(&assignment(&[("a", Value::Int(2))])));
        assert!(!one.holds(&HyperParameters::default()));
    }
}
