//! Draws of whole assignments, and how many there are.

use super::random::first_doubles_from;
use super::{HyperParameter, HyperParameters, Rules, Space, Value};

/// A space whose conditions branch more often than this is not counted.
const MAX_BRANCHES: u32 = 100_000;

impl Space {
    /// Draws one assignment. Every active hyperparameter takes one seed from
    /// `seed_state` on, in order; returns where the next draw goes on.
    #[must_use]
    pub fn draw(&self, seed_state: u64) -> (HyperParameters, u64) {
        let mut next = seed_state;
        let mut doubles = first_doubles_from(seed_state);
        let assignment = self.assigned(|hyperparameter| {
            let value = match self.rules {
                Rules::Mended | Rules::KerasTuner14 => {
                    let double = doubles.next().expect("they have no end");
                    hyperparameter.kind.value_at(self.rules, double)
                }
                Rules::KerasTuner10 => hyperparameter.kind.draw(self.rules, next),
            };
            next = next.wrapping_add(1);
            value
        });
        (assignment, next)
    }

    /// Number of distinct assignments; absent when it is not finite, beyond
    /// `u64`, or conditions branch too often to count.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        let kind = |index: usize| &self.hyperparameters[index].kind;
        self.size_of(&|index| kind(index).count(self.rules), &|index, value| {
            kind(index).can_be(self.rules, value)
        })
    }

    /// As [`size`](Self::size), where hyperparameters may have other values
    /// than a draw gives them.
    ///
    /// - `count`: how many values the hyperparameter of a number has
    /// - `can_be`: whether a value is one of them
    pub(crate) fn size_of(
        &self,
        count: &dyn Fn(usize) -> Option<u64>,
        can_be: &dyn Fn(usize, &Value) -> bool,
    ) -> Option<u64> {
        let mut counting = Counting { space: self, count, can_be, branches_left: MAX_BRANCHES };
        counting.size_from(0, &HyperParameters::default())
    }
}

/// A count of assignments under way.
struct Counting<'a> {
    space: &'a Space,
    count: &'a dyn Fn(usize) -> Option<u64>,
    can_be: &'a dyn Fn(usize, &Value) -> bool,
    branches_left: u32,
}

impl Counting<'_> {
    /// Number of ways to go on from hyperparameter number `first`.
    ///
    /// - `parents`: values of those before it on which conditions depend; one
    ///   that no condition names is left out
    fn size_from(&mut self, first: usize, parents: &HyperParameters) -> Option<u64> {
        let mut size = 1_u64;
        for (index, hyperparameter) in self.space.hyperparameters.iter().enumerate().skip(first) {
            if !hyperparameter.is_active(parents) {
                continue;
            }
            let count = (self.count)(index)?;
            let named = self.named_in_conditions(index, hyperparameter);
            if named.is_empty() {
                size = size.checked_mul(count)?;
                continue;
            }
            // One branch for each value that a condition names, one for all others.
            let others = count - named.len() as u64;
            let mut ways = 0_u64;
            for value in named.into_iter().map(Some).chain((others > 0).then_some(None)) {
                self.branches_left = self.branches_left.checked_sub(1)?;
                let times = if value.is_some() { 1 } else { others };
                let mut parents = parents.clone();
                if let Some(value) = value {
                    parents.set(&hyperparameter.name, value);
                }
                let further = self.size_from(index + 1, &parents)?;
                ways = ways.checked_add(times.checked_mul(further)?)?;
            }
            return size.checked_mul(ways);
        }
        Some(size)
    }

    /// Values of a hyperparameter that later conditions name, each once, as
    /// far as it can have them.
    fn named_in_conditions(&self, index: usize, parent: &HyperParameter) -> Vec<Value> {
        let mut named: Vec<Value> = Vec::new();
        let conditions = self.space.hyperparameters.iter().flat_map(|child| &child.when);
        for value in conditions
            .filter(|condition| condition.parent == parent.name)
            .flat_map(|condition| &condition.values)
        {
            if !named.contains(value) && (self.can_be)(index, value) {
                named.push(value.clone());
            }
        }
        named
    }
}
