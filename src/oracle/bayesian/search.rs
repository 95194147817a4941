//! The most promising assignments.
//!
//! Many points are drawn, everywhere and around the best known ones; the most
//! promising are refined: numbers along the slope of the promise, the rest by
//! trying other values. What is compared in the end are points of assignments,
//! with numbers rounded to values that the space has.

use super::acquisition::Acquisition;
use super::encoding::{Encoding, Scale};
use super::minimize::minimize;
use super::process::Process;
use crate::oracle::randomness::Random;

/// Points drawn from everywhere.
const ANYWHERE: usize = 512;
/// Best known points around which more are drawn, and how many around each.
const KNOWN: usize = 6;
const AROUND: usize = 32;
/// How many points are refined.
const REFINED: usize = 10;
/// Rounds of refinement: numbers, then the rest.
const ROUNDS: u32 = 3;
/// Steps of one round along the slope.
const STEPS: u32 = 40;
/// How many values on either side of a number are tried.
const NEXT: usize = 2;

/// A point of an assignment and what it promises.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Candidate {
    pub(super) point: Vec<f64>,
    pub(super) promise: f64,
}

/// Where to look, and for what.
pub(super) struct Search<'a> {
    pub(super) encoding: &'a Encoding,
    pub(super) process: &'a Process,
    pub(super) acquisition: Acquisition,
}

impl Search<'_> {
    /// Candidates, the most promising first.
    ///
    /// - `known`: the best known points, best first
    pub(super) fn candidates(&self, known: &[Vec<f64>], random: &mut Random) -> Vec<Candidate> {
        let mut points: Vec<Vec<f64>> =
            (0..ANYWHERE).map(|_| self.encoding.anywhere(random)).collect();
        for point in known.iter().take(KNOWN) {
            for _ in 0..AROUND {
                // Far and near, all coordinates and few.
                let by = 10_f64.powf(-0.5 - 3.0 * random.unit());
                let chance = [1.0, 0.5, 1.5 / point.len() as f64][random.below(3)];
                points.push(self.encoding.near(point, by, chance, random));
            }
        }
        let mut candidates: Vec<Candidate> =
            points.iter().filter_map(|point| self.candidate(point)).collect();
        candidates.sort_by(|a, b| b.promise.total_cmp(&a.promise));
        let refined: Vec<Candidate> =
            candidates.iter().take(REFINED).map(|candidate| self.refined(candidate)).collect();
        candidates.extend(refined);
        candidates.sort_by(|a, b| b.promise.total_cmp(&a.promise));
        candidates
    }

    /// The nearest assignment's; absent if its promise is not a number.
    fn candidate(&self, point: &[f64]) -> Option<Candidate> {
        let point = self.encoding.point(&self.encoding.assignment(point));
        let promise = self.acquisition.of(self.process, &point);
        (!promise.is_nan()).then_some(Candidate { point, promise })
    }

    fn refined(&self, start: &Candidate) -> Candidate {
        let mut best = start.clone();
        for _ in 0..ROUNDS {
            let before = best.promise;
            self.follow_slope(&mut best);
            let moved = self.try_other_values(&mut best);
            if !moved || best.promise <= before {
                break;
            }
        }
        best
    }

    /// Moves all active numbers that are as good as continuous.
    fn follow_slope(&self, best: &mut Candidate) {
        let active = self.encoding.active(&best.point);
        let dimensions = self.encoding.dimensions().iter().zip(active).enumerate();
        let moving: Vec<usize> = dimensions
            .filter(|(_, (dimension, active))| *active && dimension.is_continuous())
            .map(|(index, _)| index)
            .collect();
        if moving.is_empty() {
            return;
        }
        let mut point = best.point.clone();
        let start: Vec<f64> = moving.iter().map(|&index| point[index]).collect();
        let cost = |at: &[f64], slopes: &mut [f64]| {
            for (&index, at) in moving.iter().zip(at) {
                point[index] = *at;
            }
            let (promise, all) = self.acquisition.with_slopes(self.process, &point);
            for (slope, &index) in slopes.iter_mut().zip(&moving) {
                *slope = -all[index];
            }
            -promise
        };
        let (end, _) = minimize(cost, &start, &vec![(0.0, 1.0); start.len()], STEPS);
        for (&index, at) in moving.iter().zip(&end) {
            point[index] = *at;
        }
        self.improve(best, &point);
    }

    /// Tries the next values of every number with few, and every category;
    /// whether one is better.
    fn try_other_values(&self, best: &mut Candidate) -> bool {
        let mut moved = false;
        for (index, dimension) in self.encoding.dimensions().iter().enumerate() {
            let here = best.point[index];
            let others: Vec<f64> = match &dimension.scale {
                Scale::Continuous => continue,
                Scale::Ordered(placed) => {
                    let at = placed.iter().position(|(coordinate, _)| *coordinate >= here);
                    let at = at.unwrap_or(placed.len() - 1);
                    let next = at.saturating_sub(NEXT)..placed.len().min(at + NEXT + 1);
                    placed[next].iter().map(|(coordinate, _)| *coordinate).collect()
                }
                Scale::Categories(values) => (0..values.len()).map(|at| at as f64).collect(),
            };
            for coordinate in others.into_iter().filter(|&other| other != here) {
                let mut point = best.point.clone();
                point[index] = coordinate;
                moved |= self.improve(best, &point);
            }
        }
        moved
    }

    fn improve(&self, best: &mut Candidate, point: &[f64]) -> bool {
        match self.candidate(point) {
            Some(candidate) if candidate.promise > best.promise => {
                *best = candidate;
                true
            }
            Some(_) | None => false,
        }
    }
}
