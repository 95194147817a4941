//! Transforms whose length is a power of two, a frame a lane.
//!
//! Real samples are taken in pairs for complex numbers, which a transform of half
//! the length suffices for; `unpack` takes its result apart. That transform is
//! Gentleman and Sande's, decimating in frequency: passes of radix 4, the last
//! of radix 2 where the length asks for it, each in place, so that its result lies
//! in the order of reversed digits. Points are as large as lines of the fastest
//! memory: which order they are read in costs nothing. A block that fits into that
//! memory goes through all passes before the next one.
//!
//! What is done to a lane stands in a loop over all of them, from which the compiler
//! makes vector instructions. That it does so hangs by a thread: a loop with little
//! in it is unrolled instead, and ten times slower. `scripts/bench-features` tells.

use std::f64::consts::TAU;

use super::super::vector::vectorized;
use super::{LANES, bins};

/// Shortest transform: the first pass takes blocks of [`BLOCK`] points.
pub(super) const LEAST: usize = 2 * 4 * BLOCK;

/// Points of a quarter that the first pass takes at once.
const BLOCK: usize = 32;

/// Points that the fastest memory, of 32 KiB or more, holds.
const FAST: usize = 256;

/// A complex number of each lane.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Point {
    real: [f64; LANES],
    imaginary: [f64; LANES],
}

impl Point {
    const ZERO: Self = Self { real: [0.0; LANES], imaginary: [0.0; LANES] };
}

/// `exp(-i angle)`
#[derive(Clone, Copy)]
struct Twiddle {
    real: f64,
    imaginary: f64,
}

impl Twiddle {
    /// Of the `part`th part of a circle of so many.
    fn new(part: usize, parts: usize) -> Self {
        let (sine, cosine) = (TAU * part as f64 / parts as f64).sin_cos();
        Self { real: cosine, imaginary: -sine }
    }
}

/// A pass of radix 4 over blocks of points.
struct Pass {
    /// Points of a block.
    length: usize,
    /// Of each point of the first quarter: what the other three results are
    /// multiplied by.
    twiddles: Vec<[Twiddle; 3]>,
}

pub(in crate::data::features) struct PowerOfTwo {
    window: Vec<f64>,
    /// Over the whole length.
    first: Pass,
    /// Over ever shorter blocks, of 8 points and more.
    passes: Vec<Pass>,
    /// Where the transform of each frequency lies.
    places: Vec<usize>,
    /// `exp(-i tau k / n_fft)` of the frequencies that have a mirror image.
    twiddles: Vec<Twiddle>,
}

/// Buffers of one thread.
pub(in crate::data::features) struct Buffers {
    points: Vec<Point>,
    /// Samples of a block of each quarter, a frame a lane.
    samples: Box<[[[f32; LANES]; 2 * BLOCK]; 4]>,
}

impl PowerOfTwo {
    pub(super) fn new(window: Vec<f64>) -> Self {
        let length = window.len() / 2;
        let pass = |length: usize| Pass {
            length,
            twiddles: (0..length / 4)
                .map(|k| [1, 2, 3].map(|times| Twiddle::new(times * k, length)))
                .collect(),
        };
        let lengths =
            std::iter::successors(Some(length / 4), |length| Some(length / 4).filter(|&l| l > 4));
        Self {
            first: pass(length),
            passes: lengths.map(pass).collect(),
            places: (0..length).map(|bin| place(bin, length)).collect(),
            twiddles: (0..length / 2).map(|k| Twiddle::new(k, window.len())).collect(),
            window,
        }
    }

    pub(super) fn buffers(&self) -> Buffers {
        let samples = Box::new([[[0.0; LANES]; 2 * BLOCK]; 4]);
        Buffers { points: vec![Point::ZERO; self.window.len() / 2], samples }
    }

    /// See [`super::Transform::power`].
    pub(super) fn power(
        &self,
        frames: &[&[f32]; LANES],
        buffers: &mut Buffers,
        power: &mut [[f32; LANES]],
    ) {
        let Buffers { points, samples } = buffers;
        let quarter = self.window.len() / 4;
        for begin in (0..quarter).step_by(2 * BLOCK) {
            for (part, samples) in samples.iter_mut().enumerate() {
                side_by_side(frames, part * quarter + begin, samples);
            }
            first_pass(samples, &self.window, &self.first.twiddles, begin / 2, points);
        }
        let slow = self.passes.partition_point(|pass| pass.length > FAST);
        let (slow, fast) = self.passes.split_at(slow);
        for pass in slow {
            passes(std::slice::from_ref(pass), points);
        }
        for block in points.chunks_exact_mut(FAST.min(self.first.length / 4)) {
            passes(fast, block);
            if self.first.length.trailing_zeros().is_multiple_of(2) {
                fours(block);
            } else {
                twos(block);
            }
        }
        let power = &mut power[..bins(self.window.len())];
        unpack(points, &self.places, &self.twiddles, power);
    }
}

/// Where passes leave the transform of a frequency, of so many.
fn place(bin: usize, length: usize) -> usize {
    match length {
        1 => 0,
        2 => bin,
        _ => bin % 4 * (length / 4) + place(bin / 4, length / 4),
    }
}

vectorized! {
    /// Puts `samples.len()` samples of each frame from `begin` on side by side.
    fn side_by_side(frames: &[&[f32]; LANES], begin: usize, samples: &mut [[f32; LANES]]) {
        let length = samples.len();
        let frames =
            frames.map(|frame| frame[begin..begin + length].as_chunks::<LANES>().0);
        for (index, tile) in samples.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
            // Values, not references: else the compiler copies them one by one.
            let [a, b, c, d] = [frames[0][index], frames[1][index], frames[2][index], frames[3][index]];
            let [e, f, g, h] = [frames[4][index], frames[5][index], frames[6][index], frames[7][index]];
            for (n, column) in tile.iter_mut().enumerate() {
                *column = [a[n], b[n], c[n], d[n], e[n], f[n], g[n], h[n]];
            }
        }
    }
}

vectorized! {
    /// Multiplies samples by the window, takes pairs for complex numbers and does
    /// the first pass over them.
    ///
    /// - `samples`: of a block of each quarter
    /// - `begin`: the block's first point within its quarter
    fn first_pass(
        samples: &[[[f32; LANES]; 2 * BLOCK]; 4],
        window: &[f64],
        twiddles: &[[Twiddle; 3]],
        begin: usize,
        points: &mut [Point],
    ) {
        let window = window.as_chunks::<2>().0;
        let [pairs_0, pairs_1, pairs_2, pairs_3] = samples.each_ref().map(|s| s.as_chunks::<2>().0);
        let [points_0, points_1, points_2, points_3] = quarters(points);
        for index in 0..BLOCK {
            let quarter = points_0.len();
            let point = begin + index;
            weigh_and_combine(
                [&pairs_0[index], &pairs_1[index], &pairs_2[index], &pairs_3[index]],
                [0, 1, 2, 3].map(|part| &window[part * quarter + point]),
                &twiddles[point],
                &mut points_0[point],
                &mut points_1[point],
                &mut points_2[point],
                &mut points_3[point],
            );
        }
    }
}

/// Four pairs of samples become four results of the first pass.
#[inline(always)]
fn weigh_and_combine(
    pairs: [&[[f32; LANES]; 2]; 4],
    weights: [&[f64; 2]; 4],
    twiddles: &[Twiddle; 3],
    point_0: &mut Point,
    point_1: &mut Point,
    point_2: &mut Point,
    point_3: &mut Point,
) {
    for lane in 0..LANES {
        let [a, b, c, d] = butterfly([
            weighed(pairs[0], weights[0], lane),
            weighed(pairs[1], weights[1], lane),
            weighed(pairs[2], weights[2], lane),
            weighed(pairs[3], weights[3], lane),
        ]);
        let [b, c, d] = [times(b, &twiddles[0]), times(c, &twiddles[1]), times(d, &twiddles[2])];
        (point_0.real[lane], point_0.imaginary[lane]) = a;
        (point_1.real[lane], point_1.imaginary[lane]) = b;
        (point_2.real[lane], point_2.imaginary[lane]) = c;
        (point_3.real[lane], point_3.imaginary[lane]) = d;
    }
}

/// A pair of samples as a complex number.
#[inline(always)]
fn weighed([real, imaginary]: &[[f32; LANES]; 2], weights: &[f64; 2], lane: usize) -> (f64, f64) {
    (f64::from(real[lane]) * weights[0], f64::from(imaginary[lane]) * weights[1])
}

vectorized! {
    fn passes(passes: &[Pass], points: &mut [Point]) {
        for pass in passes {
            for block in points.chunks_exact_mut(pass.length) {
                let [first, second, third, fourth] = quarters(block);
                for ((((a, b), c), d), twiddles) in
                    first.iter_mut().zip(second).zip(third).zip(fourth).zip(&pass.twiddles)
                {
                    combine(a, b, c, d, twiddles);
                }
            }
        }
    }
}

/// Four points become four results of a pass, in place.
#[inline(always)]
fn combine(a: &mut Point, b: &mut Point, c: &mut Point, d: &mut Point, twiddles: &[Twiddle; 3]) {
    for lane in 0..LANES {
        let [w, x, y, z] = butterfly([
            (a.real[lane], a.imaginary[lane]),
            (b.real[lane], b.imaginary[lane]),
            (c.real[lane], c.imaginary[lane]),
            (d.real[lane], d.imaginary[lane]),
        ]);
        let [x, y, z] = [times(x, &twiddles[0]), times(y, &twiddles[1]), times(z, &twiddles[2])];
        (a.real[lane], a.imaginary[lane]) = w;
        (b.real[lane], b.imaginary[lane]) = x;
        (c.real[lane], c.imaginary[lane]) = y;
        (d.real[lane], d.imaginary[lane]) = z;
    }
}

vectorized! {
    /// The last pass, of radix 4, whose twiddles are all one.
    fn fours(points: &mut [Point]) {
        for [a, b, c, d, e, f, g, h] in points.as_chunks_mut::<8>().0 {
            two_fours(a, b, c, d, e, f, g, h);
        }
    }
}

#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "so that the compiler sees that none is another")]
fn two_fours(
    a: &mut Point,
    b: &mut Point,
    c: &mut Point,
    d: &mut Point,
    e: &mut Point,
    f: &mut Point,
    g: &mut Point,
    h: &mut Point,
) {
    for lane in 0..LANES {
        let [s, t, u, v] = butterfly([
            (a.real[lane], a.imaginary[lane]),
            (b.real[lane], b.imaginary[lane]),
            (c.real[lane], c.imaginary[lane]),
            (d.real[lane], d.imaginary[lane]),
        ]);
        let [w, x, y, z] = butterfly([
            (e.real[lane], e.imaginary[lane]),
            (f.real[lane], f.imaginary[lane]),
            (g.real[lane], g.imaginary[lane]),
            (h.real[lane], h.imaginary[lane]),
        ]);
        (a.real[lane], a.imaginary[lane]) = s;
        (b.real[lane], b.imaginary[lane]) = t;
        (c.real[lane], c.imaginary[lane]) = u;
        (d.real[lane], d.imaginary[lane]) = v;
        (e.real[lane], e.imaginary[lane]) = w;
        (f.real[lane], f.imaginary[lane]) = x;
        (g.real[lane], g.imaginary[lane]) = y;
        (h.real[lane], h.imaginary[lane]) = z;
    }
}

vectorized! {
    /// The last pass, where it is of radix 2.
    fn twos(points: &mut [Point]) {
        for [a, b, c, d, e, f, g, h] in points.as_chunks_mut::<8>().0 {
            four_twos([a, c, e, g], [b, d, f, h]);
        }
    }
}

#[inline(always)]
fn four_twos([a, c, e, g]: [&mut Point; 4], [b, d, f, h]: [&mut Point; 4]) {
    for lane in 0..LANES {
        (a.real[lane], b.real[lane]) = two(a.real[lane], b.real[lane]);
        (a.imaginary[lane], b.imaginary[lane]) = two(a.imaginary[lane], b.imaginary[lane]);
        (c.real[lane], d.real[lane]) = two(c.real[lane], d.real[lane]);
        (c.imaginary[lane], d.imaginary[lane]) = two(c.imaginary[lane], d.imaginary[lane]);
        (e.real[lane], f.real[lane]) = two(e.real[lane], f.real[lane]);
        (e.imaginary[lane], f.imaginary[lane]) = two(e.imaginary[lane], f.imaginary[lane]);
        (g.real[lane], h.real[lane]) = two(g.real[lane], h.real[lane]);
        (g.imaginary[lane], h.imaginary[lane]) = two(g.imaginary[lane], h.imaginary[lane]);
    }
}

#[inline(always)]
fn two(a: f64, b: f64) -> (f64, f64) {
    (a + b, a - b)
}

/// The transform of four complex numbers.
#[inline(always)]
fn butterfly([a, b, c, d]: [(f64, f64); 4]) -> [(f64, f64); 4] {
    let (even_sum, even_rest) = ((a.0 + c.0, a.1 + c.1), (a.0 - c.0, a.1 - c.1));
    let (odd_sum, odd_rest) = ((b.0 + d.0, b.1 + d.1), (b.0 - d.0, b.1 - d.1));
    [
        (even_sum.0 + odd_sum.0, even_sum.1 + odd_sum.1),
        (even_rest.0 + odd_rest.1, even_rest.1 - odd_rest.0),
        (even_sum.0 - odd_sum.0, even_sum.1 - odd_sum.1),
        (even_rest.0 - odd_rest.1, even_rest.1 + odd_rest.0),
    ]
}

#[inline(always)]
fn times((real, imaginary): (f64, f64), twiddle: &Twiddle) -> (f64, f64) {
    (
        real * twiddle.real - imaginary * twiddle.imaginary,
        real * twiddle.imaginary + imaginary * twiddle.real,
    )
}

#[inline(always)]
fn quarters(points: &mut [Point]) -> [&mut [Point]; 4] {
    let (low, high) = points.split_at_mut(points.len() / 2);
    let ((first, second), (third, fourth)) =
        (low.split_at_mut(low.len() / 2), high.split_at_mut(high.len() / 2));
    [first, second, third, fourth]
}

vectorized! {
    /// From the transform of pairs to the power of each bin.
    ///
    /// With `Z` for it, `N` for its length and `W(k) = exp(-i tau k / 2N)`, the
    /// transform of the samples is `X(k) = (Z(k) + Z*(N-k)) / 2 + W(k) (Z(k) -
    /// Z*(N-k)) / 2i`; and `X*(N-k)` is the same with a minus.
    fn unpack(
        points: &[Point],
        places: &[usize],
        twiddles: &[Twiddle],
        power: &mut [[f32; LANES]],
    ) {
        let length = points.len();
        let ([lowest, rising @ ..], [middle, falling @ .., highest]) =
            power.split_at_mut(length / 2)
        else {
            unreachable!("there are at least three bins");
        };
        ends(&points[0], lowest, highest);
        let pairs = rising.iter_mut().zip(falling.iter_mut().rev()).zip(&twiddles[1..]);
        for (k, ((rising, falling), twiddle)) in (1..).zip(pairs) {
            let (point, mirrored) = (&points[places[k]], &points[places[length - k]]);
            pair(point, mirrored, twiddle, rising, falling);
        }
        // Its own mirror image.
        squares(&points[places[length / 2]], middle);
    }
}

#[inline(always)]
fn ends(point: &Point, lowest: &mut [f32; LANES], highest: &mut [f32; LANES]) {
    for lane in 0..LANES {
        let sum = point.real[lane] + point.imaginary[lane];
        let rest = point.real[lane] - point.imaginary[lane];
        lowest[lane] = (sum * sum) as f32;
        highest[lane] = (rest * rest) as f32;
    }
}

#[inline(always)]
fn pair(
    point: &Point,
    mirrored: &Point,
    twiddle: &Twiddle,
    rising: &mut [f32; LANES],
    falling: &mut [f32; LANES],
) {
    // exp(-i angle) / 2i
    let (cosine, sine) = (0.5 * twiddle.imaginary, -0.5 * twiddle.real);
    for lane in 0..LANES {
        let even_real = 0.5 * (point.real[lane] + mirrored.real[lane]);
        let even_imaginary = 0.5 * (point.imaginary[lane] - mirrored.imaginary[lane]);
        let difference_real = point.real[lane] - mirrored.real[lane];
        let difference_imaginary = point.imaginary[lane] + mirrored.imaginary[lane];
        let odd_real = cosine * difference_real - sine * difference_imaginary;
        let odd_imaginary = cosine * difference_imaginary + sine * difference_real;
        let (sum_real, sum_imaginary) = (even_real + odd_real, even_imaginary + odd_imaginary);
        let (rest_real, rest_imaginary) = (even_real - odd_real, even_imaginary - odd_imaginary);
        rising[lane] = (sum_real * sum_real + sum_imaginary * sum_imaginary) as f32;
        falling[lane] = (rest_real * rest_real + rest_imaginary * rest_imaginary) as f32;
    }
}

#[inline(always)]
fn squares(point: &Point, power: &mut [f32; LANES]) {
    for (power, (real, imaginary)) in power.iter_mut().zip(point.real.iter().zip(&point.imaginary))
    {
        *power = (real * real + imaginary * imaginary) as f32;
    }
}
