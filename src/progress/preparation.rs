//! Progress of data preparation, which works on all cores at once.

use std::sync::{Mutex, MutexGuard, PoisonError};

use indicatif::{ProgressBar, ProgressDrawTarget};

use super::bars::style;
use super::{Mode, json, plain_line};
use crate::data::Progress;

/// One bar, or a line every tenth of the way; safe to share between threads.
#[derive(Debug)]
pub struct PreparationBar {
    mode: Mode,
    /// What is going on, between `begin` and `end`.
    phase: Mutex<Option<Phase>>,
}

#[derive(Debug)]
struct Phase {
    what: String,
    total: u64,
    done: u64,
    bar: ProgressBar,
}

impl PreparationBar {
    /// Nothing is shown before a phase begins.
    #[must_use]
    pub fn new(mode: Mode) -> Self {
        Self { mode, phase: Mutex::new(None) }
    }

    fn say(&self, phase: &Phase) {
        match self.mode {
            Mode::Lines => plain_line(&phase_text(phase)),
            Mode::Json => {
                let numbers = [("done", phase.done), ("total", phase.total)];
                let fields = numbers.map(|(name, number)| (name.to_owned(), number.into()));
                json::write_message(&phase_text(phase), fields.into_iter().collect());
            }
            Mode::Bars | Mode::Quiet => {}
        }
    }

    /// A panic elsewhere leaves a count that may be one short: good enough.
    fn phase(&self) -> MutexGuard<'_, Option<Phase>> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress for PreparationBar {
    fn begin(&self, what: &str, total: u64) {
        let bar = match self.mode {
            Mode::Bars => {
                let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
                bar.set_style(style("{prefix} {bar:20} {pos}/{len} {wide_msg}"));
                bar.set_prefix(what.to_owned());
                bar
            }
            Mode::Lines | Mode::Json | Mode::Quiet => ProgressBar::hidden(),
        };
        let phase = Phase { what: what.to_owned(), total, done: 0, bar };
        self.say(&phase);
        if let Some(former) = self.phase().replace(phase) {
            former.bar.finish_and_clear();
        }
    }

    fn step(&self) {
        if let Some(phase) = self.phase().as_mut() {
            phase.done += 1;
            phase.bar.inc(1);
            if is_milestone(phase.done, phase.total) {
                self.say(phase);
            }
        }
    }

    fn end(&self) {
        if let Some(phase) = self.phase().take() {
            phase.bar.finish_and_clear();
        }
    }
}

fn phase_text(phase: &Phase) -> String {
    format!("{}: {} of {}", phase.what, phase.done, phase.total)
}

/// Whether this step completes a tenth of the way.
fn is_milestone(done: u64, total: u64) -> bool {
    let tenths = |done: u64| u128::from(done) * 10 / u128::from(total.max(1));
    done > 0 && tenths(done) > tenths(done - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tenth_of_the_way_is_a_milestone() {
        let milestones = |total: u64| -> Vec<u64> {
            (0..=total).filter(|done| is_milestone(*done, total)).collect()
        };
        assert_eq!(milestones(1000), [100, 200, 300, 400, 500, 600, 700, 800, 900, 1000]);
        assert_eq!(milestones(3), [1, 2, 3]);
        assert!(milestones(0).is_empty());
    }

    #[test]
    fn steps_from_many_threads_are_all_counted() {
        let bar = PreparationBar::new(Mode::Quiet);
        bar.step();
        bar.begin("reading recordings", 400);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..100).for_each(|_| bar.step()));
            }
        });
        let text = bar.phase().as_ref().map(phase_text);
        assert_eq!(text.as_deref(), Some("reading recordings: 400 of 400"));
        bar.end();
        bar.end();
        assert!(bar.phase().is_none());
    }
}
