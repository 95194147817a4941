//! Minimization of a smooth function within a box.
//!
//! Limited-memory BFGS on the variables that are free; a variable at its bound
//! whose descent leads out of the box stays there for the step. Steps are cut
//! back until they pay (Armijo). Bounded in work, never an error: the answer is
//! the best point that was seen.

use std::collections::VecDeque;

/// How many past steps model the curvature.
const MEMORY: usize = 8;
/// A step must give this share of what the slope promises.
const ARMIJO: f64 = 1e-4;
/// How often a step is cut back before the search gives up.
const MAX_CUTS: u32 = 20;
/// Converged when no free variable's slope is above this.
const FLAT: f64 = 1e-7;
/// Converged when a step gains less than this share of the value.
const STALLED: f64 = 1e-10;

/// A step and the change of slope along it.
struct Pair {
    step: Vec<f64>,
    change: Vec<f64>,
    curvature: f64,
}

/// The best point found from `start` in at most `max_steps` steps, and its value.
///
/// - `function`: writes the slopes at a point into its second argument and
///   returns the value; a point whose value is not finite is stepped back from
/// - `bounds`: smallest and largest value of each variable
pub(super) fn minimize(
    mut function: impl FnMut(&[f64], &mut [f64]) -> f64,
    start: &[f64],
    bounds: &[(f64, f64)],
    max_steps: u32,
) -> (Vec<f64>, f64) {
    let mut point = clamped(start, bounds);
    let mut slopes = vec![0.0; point.len()];
    let mut value = function(&point, &mut slopes);
    let mut memory: VecDeque<Pair> = VecDeque::with_capacity(MEMORY + 1);
    for _ in 0..max_steps {
        let free = free(&point, &slopes, bounds);
        let steepest = (0..point.len()).filter(|&index| free[index]).map(|i| slopes[i].abs());
        if !value.is_finite() || steepest.fold(0.0, f64::max) < FLAT {
            break;
        }
        let mut direction = descent(&slopes, &free, &memory);
        if dot(&direction, &slopes) >= 0.0 {
            memory.clear();
            direction = descent(&slopes, &free, &memory);
        }
        let Some((next, next_value, next_slopes)) =
            step_along(&mut function, &point, value, &slopes, &direction, bounds)
        else {
            if memory.is_empty() {
                break;
            }
            memory.clear();
            continue;
        };
        let pair = Pair::new(difference(&next, &point), difference(&next_slopes, &slopes));
        let gain = value - next_value;
        (point, value, slopes) = (next, next_value, next_slopes);
        if let Some(pair) = pair {
            memory.push_back(pair);
            if memory.len() > MEMORY {
                memory.pop_front();
            }
        }
        if gain <= STALLED * value.abs().max(1e-12) {
            break;
        }
    }
    (point, value)
}

/// Cuts the step back until it pays; absent if none does.
fn step_along(
    function: &mut impl FnMut(&[f64], &mut [f64]) -> f64,
    point: &[f64],
    value: f64,
    slopes: &[f64],
    direction: &[f64],
    bounds: &[(f64, f64)],
) -> Option<(Vec<f64>, f64, Vec<f64>)> {
    let mut length = 1.0;
    for _ in 0..MAX_CUTS {
        let next: Vec<f64> = point.iter().zip(direction).map(|(at, by)| at + length * by).collect();
        let next = clamped(&next, bounds);
        let promised = dot(slopes, &difference(&next, point));
        let mut next_slopes = vec![0.0; point.len()];
        let next_value = function(&next, &mut next_slopes);
        if promised < 0.0 && next_value <= value + ARMIJO * promised {
            return Some((next, next_value, next_slopes));
        }
        length *= 0.4;
    }
    None
}

/// The quasi-Newton direction over the free variables; without a memory, down
/// the slope by at most 0.2.
fn descent(slopes: &[f64], free: &[bool], memory: &VecDeque<Pair>) -> Vec<f64> {
    let mut direction: Vec<f64> =
        slopes.iter().zip(free).map(|(slope, free)| if *free { -slope } else { 0.0 }).collect();
    let Some(latest) = memory.back() else {
        let steepest = direction.iter().fold(0.0_f64, |most, by| most.max(by.abs()));
        let scale = (0.2 / steepest.max(f64::MIN_POSITIVE)).min(1.0);
        direction.iter_mut().for_each(|by| *by *= scale);
        return direction;
    };
    let mut shares = Vec::with_capacity(memory.len());
    for pair in memory.iter().rev() {
        let share = dot(&pair.step, &direction) / pair.curvature;
        add(&mut direction, -share, &pair.change);
        shares.push(share);
    }
    let scale = latest.curvature / dot(&latest.change, &latest.change);
    direction.iter_mut().for_each(|by| *by *= scale);
    for (pair, share) in memory.iter().zip(shares.into_iter().rev()) {
        let correction = dot(&pair.change, &direction) / pair.curvature;
        add(&mut direction, share - correction, &pair.step);
    }
    for (by, free) in direction.iter_mut().zip(free) {
        if !free {
            *by = 0.0;
        }
    }
    direction
}

impl Pair {
    /// Absent where the function does not curve upwards.
    fn new(step: Vec<f64>, change: Vec<f64>) -> Option<Self> {
        let curvature = dot(&step, &change);
        let enough = f64::EPSILON * dot(&change, &change).sqrt() * dot(&step, &step).sqrt();
        (curvature > enough).then_some(Self { step, change, curvature })
    }
}

/// Which variables descent does not push out of the box.
fn free(point: &[f64], slopes: &[f64], bounds: &[(f64, f64)]) -> Vec<bool> {
    let blocked = |((at, slope), (low, high)): ((&f64, &f64), &(f64, f64))| {
        (at <= low && *slope > 0.0) || (at >= high && *slope < 0.0)
    };
    point.iter().zip(slopes).zip(bounds).map(|variable| !blocked(variable)).collect()
}

fn clamped(point: &[f64], bounds: &[(f64, f64)]) -> Vec<f64> {
    point.iter().zip(bounds).map(|(at, (low, high))| at.clamp(*low, *high)).collect()
}

fn difference(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add(to: &mut [f64], factor: f64, what: &[f64]) {
    for (to, what) in to.iter_mut().zip(what) {
        *to += factor * what;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rosenbrock(point: &[f64], slopes: &mut [f64]) -> f64 {
        let [x, y] = [point[0], point[1]];
        slopes[0] = -2.0 * (1.0 - x) - 400.0 * x * (y - x * x);
        slopes[1] = 200.0 * (y - x * x);
        (1.0 - x).powi(2) + 100.0 * (y - x * x).powi(2)
    }

    #[test]
    fn finds_the_end_of_a_bent_valley() {
        let (point, value) = minimize(rosenbrock, &[-1.2, 1.0], &[(-2.0, 2.0); 2], 200);
        assert!(value < 1e-10, "{value}");
        assert!(point.iter().all(|at| (at - 1.0).abs() < 1e-4), "{point:?}");
    }

    #[test]
    fn stays_in_the_box() {
        let bounds = [(-2.0, 0.5), (-2.0, 2.0)];
        let (point, value) = minimize(rosenbrock, &[-1.2, 5.0], &bounds, 200);
        assert!((point[0] - 0.5).abs() < 1e-9 && (point[1] - 0.25).abs() < 1e-5, "{point:?}");
        assert!((value - 0.25).abs() < 1e-8, "{value}");
    }

    #[test]
    fn survives_values_that_are_not_numbers() {
        let logarithm = |point: &[f64], slopes: &mut [f64]| {
            slopes[0] = 1.0 - 0.1 / point[0];
            point[0] - 0.1 * point[0].ln()
        };
        let (point, _) = minimize(logarithm, &[0.9], &[(-1.0, 1.0)], 50);
        assert!((point[0] - 0.1).abs() < 1e-5, "{point:?}");
        let nowhere = |_: &[f64], _: &mut [f64]| f64::NAN;
        assert_eq!(minimize(nowhere, &[0.3], &[(0.0, 1.0)], 50).0, [0.3]);
    }
}
