//! Sums over the batches of an epoch. They stay on the device until they are
//! read, once, so that a GPU never waits for the CPU between steps.

use tch::{Device, Kind, TchError, Tensor};

use super::scores::{Scores, ratio};
use crate::dataset::Tracks;

/// Some examples, and what a network makes of them.
#[derive(Debug)]
pub(crate) struct Batch<'a> {
    /// The mean over the batch, with all that is added to it; a scalar.
    pub(crate) loss: &'a Tensor,
    /// `[batch, classes]`: the higher, the more likely.
    pub(crate) scores: &'a Tensor,
    /// `[batch]`, i64.
    pub(crate) labels: &'a Tensor,
    /// The same as `scores`, as probabilities, and the track of each example, if
    /// tracks are measured.
    pub(crate) tracks: Option<(&'a Tensor, &'a Tensor)>,
}

/// Sums over the examples of a part of a dataset.
#[derive(Debug)]
pub(crate) struct Totals<'a> {
    /// Sum of the losses of all examples, f64.
    loss: Tensor,
    /// `[classes]`, how many examples of a class had it as the highest output.
    hits: Tensor,
    /// `[classes]`, how many examples of a class there were.
    examples: Tensor,
    /// `[classes]`, how often a class was the highest output.
    predictions: Tensor,
    /// How many of the highest outputs count, and how many examples had their
    /// class among them.
    top_k: i64,
    top_k_hits: Tensor,
    tracks: Option<TrackTotals<'a>>,
}

impl<'a> Totals<'a> {
    /// Nothing is added yet.
    ///
    /// - `top_k`: at least 1
    /// - `tracks`: those to measure, if any
    pub(crate) fn new(
        classes: i64,
        top_k: i64,
        tracks: Option<&'a Tracks>,
        device: Device,
    ) -> Result<Self, TchError> {
        let zeros = |shape: &[i64], kind| Tensor::f_zeros(shape, (kind, device));
        Ok(Self {
            loss: zeros(&[], Kind::Double)?,
            hits: zeros(&[classes], Kind::Int64)?,
            examples: zeros(&[classes], Kind::Int64)?,
            predictions: zeros(&[classes], Kind::Int64)?,
            top_k,
            top_k_hits: zeros(&[], Kind::Int64)?,
            tracks: tracks.map(|tracks| TrackTotals::new(tracks, classes)).transpose()?,
        })
    }

    pub(crate) fn add(&mut self, batch: &Batch<'_>) -> Result<(), TchError> {
        let _guard = tch::no_grad_guard();
        let Batch { loss, scores, labels, tracks } = *batch;
        let sum = loss.f_to_kind(Kind::Double)?.f_mul_scalar(labels.size()[0])?;
        let _ = self.loss.f_add_(&sum)?;
        let predicted = scores.f_argmax(-1, false)?;
        let ones = labels.f_ones_like()?;
        let hits = predicted.f_eq_tensor(labels)?.f_to_kind(Kind::Int64)?;
        let _ = self.hits.f_index_add_(0, labels, &hits)?;
        let _ = self.examples.f_index_add_(0, labels, &ones)?;
        let _ = self.predictions.f_index_add_(0, &predicted, &ones)?;
        if self.top_k > 1 {
            // Equal outputs share the best of their places. What is no number is
            // behind all others.
            let own = scores.f_gather(-1, &labels.f_unsqueeze(-1)?, false)?;
            let not_above =
                scores.f_le_tensor(&own)?.f_sum_dim_intlist(-1_i64, false, Kind::Int64)?;
            let hits = not_above.f_gt(scores.size()[1] - self.top_k)?;
            let _ = self.top_k_hits.f_add_(&hits.f_sum(Kind::Int64)?)?;
        }
        if let (Some(totals), Some((probabilities, tracks))) = (&mut self.tracks, tracks) {
            totals.add(probabilities, &predicted, tracks)?;
        }
        Ok(())
    }

    /// All sums, each with a name, so that they can be taken up again.
    pub(crate) fn sums(&self) -> Vec<(&'static str, &Tensor)> {
        let mut sums = vec![
            ("loss", &self.loss),
            ("hits", &self.hits),
            ("examples", &self.examples),
            ("predictions", &self.predictions),
            ("top_k_hits", &self.top_k_hits),
        ];
        if let Some(tracks) = &self.tracks {
            sums.extend([("track_votes", &tracks.votes), ("track_sums", &tracks.sums)]);
        }
        sums
    }

    /// The metrics over all examples.
    pub(crate) fn read(&self) -> Result<Scores, TchError> {
        let counts = Tensor::f_stack(&[&self.hits, &self.examples, &self.predictions], 0)?;
        let counts = Vec::<i64>::try_from(counts.f_view(-1)?)?;
        let (hits, others) = counts.split_at(counts.len() / 3);
        let (examples, predictions) = others.split_at(others.len() / 2);
        let count: i64 = examples.iter().sum();
        let mut scores = Scores {
            loss: self.loss.f_double_value(&[])? / count.max(1) as f64,
            ..Scores::default()
        };
        scores.count(hits, examples, predictions);
        scores.top_k_accuracy = if self.top_k > 1 {
            ratio(self.top_k_hits.f_int64_value(&[])?, count)
        } else {
            scores.accuracy
        };
        if let Some(tracks) = &self.tracks {
            (scores.track_accuracy, scores.track_mean_accuracy) = tracks.read()?;
        }
        Ok(scores)
    }
}

/// Sums over the examples of each track.
#[derive(Debug)]
struct TrackTotals<'a> {
    tracks: &'a Tracks,
    /// `[tracks, classes]`, i64: how many examples had the class as the highest output.
    votes: Tensor,
    /// `[tracks, classes]`, f64: sums of probabilities.
    sums: Tensor,
}

impl<'a> TrackTotals<'a> {
    fn new(tracks: &'a Tracks, classes: i64) -> Result<Self, TchError> {
        let shape = [tracks.classes.size()[0], classes];
        let zeros = |kind| Tensor::f_zeros(shape, (kind, tracks.classes.device()));
        Ok(Self { tracks, votes: zeros(Kind::Int64)?, sums: zeros(Kind::Double)? })
    }

    fn add(
        &mut self,
        probabilities: &Tensor,
        predicted: &Tensor,
        tracks: &Tensor,
    ) -> Result<(), TchError> {
        let cells = tracks.f_mul_scalar(self.votes.size()[1])?.f_add(predicted)?;
        let _ = self.votes.f_view(-1)?.f_index_add_(0, &cells, &predicted.f_ones_like()?)?;
        let _ = self.sums.f_index_add_(0, tracks, &probabilities.f_to_kind(Kind::Double)?)?;
        Ok(())
    }

    /// Shares of tracks whose class wins the votes, and the sum of probabilities.
    fn read(&self) -> Result<(f64, f64), TchError> {
        let most = self.votes.f_amax(-1_i64, true)?;
        let leads = self.votes.f_eq_tensor(&most)?;
        let by_votes = self.sums.f_where_scalarother(&leads, f64::NEG_INFINITY)?;
        let share = |winners: &Tensor| -> Result<f64, TchError> {
            let hits = winners.f_argmax(-1, false)?.f_eq_tensor(&self.tracks.classes)?;
            Ok(ratio(hits.f_sum(Kind::Int64)?.f_int64_value(&[])?, self.votes.size()[0]))
        };
        Ok((share(&by_votes)?, share(&self.sums)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(rows: &[[f32; 3]]) -> Tensor {
        Tensor::from_slice(&rows.concat()).view([rows.len() as i64, 3])
    }

    #[test]
    fn a_short_batch_weighs_by_its_size() {
        let mut totals = Totals::new(3, 2, None, Device::Cpu).expect("small");
        let scores = matrix(&[[0.1, 0.9, 0.0], [0.8, 0.2, 0.3], [0.3, 0.7, 0.5]]);
        let labels = Tensor::from_slice(&[1_i64, 1, 2]);
        let mut add = |loss: f32, rows: i64| {
            let batch = Batch {
                loss: &Tensor::from(loss),
                scores: &scores.narrow(0, 0, rows),
                labels: &labels.narrow(0, 0, rows),
                tracks: None,
            };
            totals.add(&batch).expect("shapes fit");
        };
        add(2.0, 3);
        add(6.0, 1);
        let scores = totals.read().expect("small");
        assert_eq!((scores.loss, scores.accuracy), (3.0, 0.5));
        assert_eq!(scores.recalls, [0.0, 2.0 / 3.0, 0.0]);
        // Predicted were 1, 0, 1 and 1.
        assert_eq!(scores.precision, 2.0 / 3.0 / 3.0);
        assert_eq!(scores.top_k_accuracy, 0.75);
    }

    #[test]
    fn equal_outputs_share_the_better_place() {
        let mut totals = Totals::new(3, 2, None, Device::Cpu).expect("small");
        let nothing = f32::NAN;
        let rows = [[0.5, 0.5, 0.5], [0.4, 0.4, 0.2], [0.5, 0.4, 0.1], [nothing; 3]];
        let batch = Batch {
            loss: &Tensor::from(0.0_f32),
            scores: &matrix(&rows),
            labels: &Tensor::from_slice(&[2_i64, 1, 2, 0]),
            tracks: None,
        };
        totals.add(&batch).expect("shapes fit");
        assert_eq!(totals.read().expect("small").top_k_accuracy, 0.5);
    }

    #[test]
    fn tracks_vote_and_add_up() {
        // Two of the three say 1, but the third is sure of 0; one against one,
        // where 2 has the higher sum; and one alone, which is wrong.
        let rows = [
            [0.45, 0.5, 0.05],
            [0.2, 0.1, 0.7],
            [0.45, 0.5, 0.05],
            [0.5, 0.3, 0.2],
            [0.9, 0.1, 0.0],
            [0.1, 0.2, 0.7],
        ];
        let tracks = [0_i64, 1, 0, 1, 0, 2];
        let classes = Tensor::from_slice(&[1_i64, 2, 0]);
        let known = Tracks { of_examples: Tensor::from_slice(&tracks), classes };
        let mut totals = Totals::new(3, 1, Some(&known), Device::Cpu).expect("small");
        let scores = matrix(&rows);
        for (start, length) in [(0, 4), (4, 2)] {
            let part = scores.narrow(0, start, length);
            let batch = Batch {
                loss: &Tensor::from(0.0_f32),
                scores: &part,
                labels: &known.classes.index_select(0, &known.of_examples).narrow(0, start, length),
                tracks: Some((&part, &known.of_examples.narrow(0, start, length))),
            };
            totals.add(&batch).expect("shapes fit");
        }
        let scores = totals.read().expect("small");
        assert_eq!(scores.track_accuracy, 2.0 / 3.0);
        assert_eq!(scores.track_mean_accuracy, 1.0 / 3.0);
        assert_eq!(scores.accuracy, 3.0 / 6.0);
    }
}
