//! Hyperband's arithmetic: how many trials a round has, and how long they train.
//!
//! The formulas are Keras Tuner's, floating point included, so that the
//! schedules are equal to the last trial.

/// All rounds of a search.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schedule {
    /// Epochs of a whole training; at least 1.
    pub(super) max_epochs: u32,
    /// How many times longer each round trains than the one before; at least 2.
    pub(super) factor: u32,
    /// How often it goes through all brackets.
    pub(super) iterations: u32,
}

impl Schedule {
    /// Number of brackets: one for each length of a first round, from the
    /// whole training (bracket 0) down to no less than one epoch.
    pub(super) fn brackets(self) -> u32 {
        let mut epochs = f64::from(self.max_epochs);
        let mut brackets = 0;
        while epochs >= 1.0 {
            epochs /= f64::from(self.factor);
            brackets += 1;
        }
        brackets
    }

    /// How many trials a round has at most.
    ///
    /// - `round`: from 0, the first, to `bracket`, the last
    pub(super) fn size(self, bracket: u32, round: u32) -> u32 {
        let logarithm = f64::from(self.max_epochs).ln() / f64::from(self.factor).ln();
        let last_round = (1.0 + logarithm).ceil() / (f64::from(bracket) + 1.0);
        (last_round * self.growth(bracket, round)).ceil() as u32
    }

    /// How many epochs its trials have trained at its end, those of the rounds
    /// before included.
    pub(super) fn epochs(self, bracket: u32, round: u32) -> u32 {
        (f64::from(self.max_epochs) / self.growth(bracket, round)).ceil() as u32
    }

    /// How many times longer the last round trains than this one.
    fn growth(self, bracket: u32, round: u32) -> f64 {
        let rounds_left = i32::try_from(bracket.saturating_sub(round)).unwrap_or(i32::MAX);
        f64::from(self.factor).powi(rounds_left)
    }

    /// How many trials all rounds have together, at most.
    pub(super) fn trials(self) -> u32 {
        let of_bracket = |bracket| (0..=bracket).map(move |round| self.size(bracket, round));
        (0..self.brackets())
            .flat_map(of_bracket)
            .fold(0_u32, u32::saturating_add)
            .saturating_mul(self.iterations)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_are_keras_tuner_s() {
        let golden = crate::space::sampling::tests::golden();
        for (key, expected) in golden["hyperband_schedule"].as_object().expect("an object") {
            let (max_epochs, factor) = key.split_once(',').expect("epochs and a factor");
            let schedule = Schedule {
                max_epochs: max_epochs.parse().expect("a number"),
                factor: factor.parse().expect("a number"),
                iterations: 1,
            };
            let round =
                |bracket, round| [schedule.size(bracket, round), schedule.epochs(bracket, round)];
            let brackets: Vec<(u32, Vec<[u32; 2]>)> = (0..schedule.brackets())
                .rev()
                .map(|bracket| {
                    (bracket, (0..=bracket).map(|number| round(bracket, number)).collect())
                })
                .collect();
            assert_eq!(serde_json::json!(brackets), *expected, "{key}");
            let sizes = brackets.iter().flat_map(|(_, rounds)| rounds).map(|[size, _]| size);
            assert_eq!(schedule.trials(), sizes.sum::<u32>());
        }
    }

    #[test]
    fn every_round_trains_longer_than_the_one_before() {
        for (max_epochs, factor) in [(1, 2), (3, 2), (100, 3), (1000, 10), (243, 3), (u32::MAX, 2)]
        {
            let schedule = Schedule { max_epochs, factor, iterations: 1000 };
            for bracket in 0..schedule.brackets() {
                assert_eq!(schedule.epochs(bracket, bracket), max_epochs);
                for round in 1..=bracket {
                    assert!(schedule.epochs(bracket, round) > schedule.epochs(bracket, round - 1));
                    assert!(schedule.size(bracket, round) <= schedule.size(bracket, round - 1));
                }
            }
            assert!(schedule.trials() >= 1000);
        }
    }
}
