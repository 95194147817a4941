//! Starting from checkpoints: promoted trials and interrupted executions.

use super::*;

/// Two trials of two epochs; the better one goes on to four epochs, and that
/// one to six.
struct Ladder;

/// Which trial goes on next, once that is settled.
fn promoted(study: &Study) -> Option<TrialId> {
    match study.trials.len() {
        2 if study.all_have_ended() => study.best().map(|best| best.id),
        3 if study.trials[2].has_ended() => Some(TrialId(2)),
        _ => None,
    }
}

impl Oracle for Ladder {
    fn suggest(&self, study: &Study) -> Suggestion {
        let promoted_from = promoted(study);
        let round = match study.trials.len() {
            0 | 1 => 0,
            2 => 1,
            3 => 2,
            _ => return Suggestion::Exhausted,
        };
        if round > 0 && promoted_from.is_none() {
            return Suggestion::Wait;
        }
        let (epochs, is_last) = (2 * (round + 1), round == 2);
        let stage = Stage { iteration: 0, bracket: 2, round, epochs, is_last, promoted_from };
        Suggestion::Trial(Proposal { stage: Some(stage), ..Proposal::default() })
    }

    fn may_promote(&self, study: &Study, trial: TrialId) -> bool {
        let is_settled = study.trials.len() > 2 || study.all_have_ended();
        if trial.0 < 2 && !is_settled { true } else { promoted(study) == Some(trial) }
    }
}

fn ladder() -> Script {
    let settings = Settings { max_trials: 4, ..settings() };
    Script::with(Box::new(Ladder), Study::new(settings), Vec::new())
}

fn checkpoint(epoch: u32) -> Checkpoint {
    within(epoch, 0)
}

/// One that was made some steps after an epoch.
fn within(epoch: u32, step: u32) -> Checkpoint {
    Checkpoint { epoch, step, sha256: format!("{epoch:032x}{step:032x}"), bytes: 1000 }
}

/// What an assignment says about where to start and what to leave.
#[derive(Debug, PartialEq)]
struct Start {
    id: AttemptId,
    seed: u64,
    from: Option<(AttemptId, u32)>,
    keep: bool,
}

impl Script {
    fn start(&mut self, name: &str) -> Start {
        match self.ask(|reply_to| Event::Acquire { reply_to, worker: worker(name) }) {
            Some(Reply::Assigned { id, seed, checkpoint, keep_checkpoint: keep, .. }) => {
                let from = checkpoint.map(|(id, checkpoint)| (id, checkpoint.epoch));
                Start { id, seed, from, keep }
            }
            other => panic!("{other:?}"),
        }
    }

    fn store(&mut self, id: AttemptId, checkpoint: Checkpoint) -> Reply {
        let event = |reply_to| Event::CheckpointStored { reply_to, id, checkpoint };
        self.ask(event).expect("a reply")
    }

    /// Measures epochs, all with the same accuracy.
    fn measure(&mut self, id: AttemptId, epochs: impl Iterator<Item = u32>, value: f64) {
        let measurements = epochs.map(|epoch| accuracy(epoch, value)).collect();
        assert_eq!(self.report(id, measurements), Reply::Continue);
    }

    /// Measures epochs, hands a checkpoint of the last one in, and ends.
    fn finish(&mut self, id: AttemptId, epochs: std::ops::RangeInclusive<u32>, value: f64) {
        let last = *epochs.end();
        self.measure(id, epochs, value);
        assert_eq!(self.store(id, checkpoint(last)), Reply::Continue);
        assert_eq!(self.complete(id, Outcome::Finished), Reply::Done);
    }

    fn kept(&self) -> Vec<AttemptId> {
        self.search.study().checkpoints.keys().copied().collect()
    }
}

#[test]
fn a_promoted_trial_goes_on_where_its_source_ended() {
    let mut script = ladder();
    let first = script.start("a");
    assert_eq!((first.id, first.from, first.keep), (id(0, 0, 1), None, true));
    let second = script.start("b");
    assert_ne!(first.seed, second.seed);
    script.finish(id(0, 0, 1), 1..=2, 0.6);
    script.finish(id(1, 0, 1), 1..=2, 0.7);
    assert_eq!(script.kept(), [id(1, 0, 1)], "the other one cannot be promoted any more");

    let third = script.start("a");
    let from = Some((id(1, 0, 1), 2));
    assert_eq!(third, Start { id: id(2, 0, 1), seed: second.seed, from, keep: true });
    let taken_over = &script.trial(2).executions[0].attempts[0];
    assert_eq!((taken_over.epochs(), taken_over.measurements.len()), (2, 2));
    // What is sent again, as after a lost answer, is the same.
    assert_eq!(script.start("a"), third);
    script.finish(id(2, 0, 1), 3..=4, 0.5);
    assert_eq!(script.trial(2).score, Some(0.7), "its best epoch is one of its source's");
    assert_eq!(script.kept(), [id(2, 0, 1)], "the source's goes when the promoted trial has ended");

    let mut script = script.restart_with(Box::new(Ladder));
    let fourth = script.start("local-1");
    let from = Some((id(2, 0, 1), 4));
    assert_eq!(fourth, Start { id: id(3, 0, 1), seed: second.seed, from, keep: false });
    script.measure(fourth.id, 5..=6, 0.8);
    script.complete(fourth.id, Outcome::Finished);
    assert_eq!(script.trial(3).executions[0].attempts[0].measurements.len(), 6);
    assert_eq!(script.search.study().ended, Some(Ended::MaxTrials));
    assert_eq!(script.kept(), []);
    let dropped = script.records.iter();
    let dropped =
        dropped.filter(|stamped| matches!(stamped.record, Record::CheckpointDropped { .. }));
    assert_eq!(dropped.count(), 3);
}

#[test]
fn without_its_sources_checkpoint_a_promoted_trial_begins_anew() {
    let mut script = ladder();
    let first = script.start("a");
    script.start("b");
    script.finish(id(0, 0, 1), 1..=2, 0.6);
    script.finish(id(1, 0, 1), 1..=2, 0.5);
    let lost = |epoch| Event::CheckpointLost { checkpoint: checkpoint(epoch).name(id(0, 0, 1)) };
    script.event(lost(1));
    assert_eq!(script.kept(), [id(0, 0, 1)], "another one was lost");
    script.event(lost(2));
    let start = script.start("a");
    assert_eq!(start, Start { id: id(2, 0, 1), seed: first.seed, from: None, keep: true });
    assert_eq!(script.trial(2).executions[0].attempts[0].measurements, []);
}

#[test]
fn an_interrupted_execution_goes_on_from_its_latest_checkpoint() {
    let mut script = Script::new(settings(), units(20, 90));
    let first = script.start("a");
    script.measure(first.id, 1..=3, 0.9);
    assert_eq!(script.store(first.id, checkpoint(2)), Reply::Continue);
    assert_eq!(script.store(first.id, checkpoint(3)), Reply::Continue);
    script.measure(first.id, 4..=5, 0.4);
    script.complete(first.id, Outcome::Released);
    assert_eq!(script.kept(), [first.id]);

    let second = script.start("b");
    let from = Some((first.id, 3));
    assert_eq!(second, Start { id: id(0, 0, 2), from, ..first });
    // Killed before it got any further: the same again.
    script.pass(LEASE_MS);
    let third = script.start("c");
    assert_eq!(third, Start { id: id(0, 0, 3), from, ..second });
    script.measure(third.id, 4..=4, 0.4);
    assert_eq!(script.store(third.id, checkpoint(4)), Reply::Continue);
    assert_eq!(script.kept(), [third.id], "it is further on");
    script.complete(third.id, Outcome::Finished);
    assert_eq!(script.kept(), [], "no round comes after");
    assert_eq!(script.trial(0).score, Some(0.9));
}

#[test]
fn a_checkpoint_within_an_epoch_is_further_on_than_one_at_its_start() {
    let mut script = Script::new(settings(), units(20, 90));
    let first = script.start("a");
    // Even before there is a measurement.
    assert_eq!(script.store(first.id, within(0, 7)), Reply::Continue);
    script.complete(first.id, Outcome::Released);
    let second = script.start("b");
    assert_eq!(second.from, Some((first.id, 0)));
    assert_eq!(script.trial(0).executions[0].attempts[1].measurements, []);
    script.measure(second.id, 1..=2, 0.5);
    assert_eq!(script.store(second.id, checkpoint(2)), Reply::Continue);
    assert_eq!(script.store(second.id, within(2, 40)), Reply::Continue);
    assert_eq!(script.store(second.id, checkpoint(2)), Reply::Stop, "an older one");
    assert_eq!(script.kept(), [second.id]);
    assert_eq!(script.search.study().checkpoints[&second.id].step, 40);
    script.complete(second.id, Outcome::Released);

    // As far on again, but of a later attempt.
    let third = script.start("c");
    assert_eq!(third.from, Some((second.id, 2)));
    assert_eq!(script.store(third.id, within(2, 40)), Reply::Continue);
    assert_eq!(script.kept(), [third.id]);
    script.complete(third.id, Outcome::Released);
    assert_eq!(script.start("d").from, Some((third.id, 2)));
}

#[test]
fn a_promoted_trial_that_has_begun_goes_on_from_its_own_checkpoint() {
    let mut script = ladder();
    script.start("a");
    script.start("b");
    script.finish(id(0, 0, 1), 1..=2, 0.6);
    script.finish(id(1, 0, 1), 1..=2, 0.5);
    let promoted = script.start("a");
    assert_eq!(promoted.from, Some((id(0, 0, 1), 2)));
    assert_eq!(script.store(promoted.id, within(2, 9)), Reply::Continue);
    script.complete(promoted.id, Outcome::Released);
    let again = script.start("a");
    assert_eq!(again.from, Some((promoted.id, 2)));
    assert_eq!(script.trial(2).executions[0].attempts[1].epochs(), 2);
}

#[test]
fn a_checkpoint_that_nothing_comes_of_is_not_tried_again() {
    let settings = Settings { max_retries: 9, ..settings() };
    let mut script = Script::new(settings, units(20, 90));
    let first = script.start("a");
    script.measure(first.id, 1..=3, 0.5);
    script.store(first.id, checkpoint(3));
    script.complete(first.id, Outcome::Released);

    let second = script.start("a");
    assert_eq!(second.from, Some((first.id, 3)));
    // It got somewhere, so the checkpoint is not to blame.
    script.measure(second.id, 4..=4, 0.5);
    script.complete(second.id, error("disk full"));
    let third = script.start("a");
    assert_eq!(third.from, Some((first.id, 3)));
    script.complete(third.id, error("the checkpoint cannot be read"));
    let fourth = script.start("a");
    assert_eq!(fourth.from, None);
    script.measure(fourth.id, 1..=9, 0.5);
    script.complete(fourth.id, Outcome::Finished);
    assert_eq!(script.trial(0).state, TrialState::Completed);
}

#[test]
fn checkpoints_that_are_no_use_are_not_recorded() {
    let mut script = Script::new(settings(), units(20, 90));
    let first = script.start("a");
    assert_eq!(script.store(id(0, 0, 7), checkpoint(1)), Reply::Unknown);
    assert_eq!(script.store(first.id, checkpoint(1)), Reply::Stop, "not measured yet");
    script.measure(first.id, 1..=2, 0.5);
    assert_eq!(script.store(first.id, checkpoint(2)), Reply::Continue);
    let records = script.records.len();
    assert_eq!(script.store(first.id, checkpoint(2)), Reply::Continue, "sent again");
    assert_eq!(script.store(first.id, checkpoint(1)), Reply::Stop, "an older one");
    assert_eq!(script.records.len(), records);
    script.complete(first.id, Outcome::Finished);
    assert_eq!(script.store(first.id, checkpoint(2)), Reply::Stop, "too late");
    assert_eq!(script.kept(), []);
}

#[test]
fn a_failed_trials_checkpoints_go_with_it() {
    let settings = Settings { max_retries: 0, ..settings() };
    let mut script = Script::new(settings, units(20, 90));
    let first = script.start("a");
    script.measure(first.id, 1..=2, 0.5);
    script.store(first.id, checkpoint(2));
    script.complete(first.id, error("broken"));
    assert_eq!(script.trial(0).state, TrialState::Failed);
    assert_eq!(script.kept(), []);
}

#[test]
fn hours_that_are_over_leave_what_a_later_run_starts_from() {
    let settings = Settings { hours: Some(1.0), ..settings() };
    let mut script = Script::new(settings, units(20, 90));
    let first = script.start("local-1");
    script.measure(first.id, 1..=2, 0.5);
    script.store(first.id, checkpoint(2));
    script.pass(3_600_000);
    assert_eq!(script.search.study().ended, Some(Ended::Hours));
    let mut script = script.restart(units(20, 90));
    assert_eq!(script.start("local-1").from, Some((first.id, 2)));
}
