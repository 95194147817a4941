//! Which weights are worth taking in.
//!
//! A run keeps the models of its best trials. A worker offers the weights of every
//! execution; those that cannot be among the models kept, whatever else happens,
//! are not sent, and nothing is written.

use super::{Reply, ReplyTo, Step};
use crate::study::AttemptId;

impl Step<'_> {
    /// Replies [`Reply::Continue`] if the weights are to be sent.
    pub(super) fn on_weights_offered(&mut self, reply_to: ReplyTo, id: AttemptId, instance: u64) {
        let mut reply = self.hear_of(id, instance);
        if reply == Reply::Continue && !self.may_be_kept(id) {
            reply = Reply::Stop;
        }
        self.reply(reply_to, reply);
    }

    /// Whether the model of an attempt that has measured all its epochs may be among
    /// those of the best trials: by the rules of [`publish_best`], with the scores
    /// that there are.
    ///
    /// [`publish_best`]: crate::results::publish_best
    fn may_be_kept(&self, id: AttemptId) -> bool {
        let study = &self.search.study;
        let objective = &study.settings.objective;
        let own = study.attempt(id).and_then(|attempt| attempt.best(objective));
        let Some((_, own)) = own else { return true };
        let mut bests = Vec::new();
        for (index, execution) in (0_u32..).zip(&study.trials[id.trial.0 as usize].executions) {
            if index == id.execution {
                bests.push(own);
                continue;
            }
            let finished = execution.finished_by.and_then(|_| execution.current()?.best(objective));
            let Some((_, other)) = finished else { continue };
            let is_first = index < id.execution && !objective.is_better(own, other);
            if is_first || objective.is_better(other, own) {
                return false; // a trial's model is that of its best execution
            }
            bests.push(other);
        }
        if bests.len() < study.settings.executions_per_trial as usize {
            return true; // its score is open
        }
        let score = bests.iter().sum::<f64>() / bests.len() as f64;
        let last = (study.settings.keep_models as usize).saturating_sub(1);
        let Some(last) = study.tally().ranking.get(last).copied() else { return true };
        let Some(least) = study.trials[last.0 as usize].score else { return true };
        objective.is_better(score, least) || (!objective.is_better(least, score) && id.trial < last)
    }
}
