//! Charts: bars by class, histograms, box plots, and what a recording looks like.

use super::figure::{Anchor, Figure, Scale, WIDTH, label, number, ticks};
use super::picture::{heat, scale};
use super::values::{Histogram, Quartiles, quantile};
use crate::data::drawn::{Drawer, Picture};

/// Height of a row of a chart by class, and of the part that is coloured.
const ROW: f64 = 18.0;
const BAR: f64 = 12.0;

/// Space around what is drawn of a recording, so that times are below each other.
const LEFT: f64 = 46.0;
const RIGHT: f64 = WIDTH - 48.0;

/// What a piece of a bar is: its name, and the class of its colour.
pub(super) type Series<'a> = (&'a str, String);

/// Names in as many colours.
pub(super) fn series<'a>(names: impl Iterator<Item = &'a str>) -> Vec<Series<'a>> {
    names.enumerate().map(|(position, name)| (name, format!("s{}", position % 6))).collect()
}

/// A bar a class, of one piece a series.
///
/// - `rows`: a class, and as many numbers as there are series
pub(super) fn bars(about: &str, series: &[Series<'_>], rows: &[(&str, Vec<u64>)]) -> String {
    let mut figure = Figure::new(about, rows.len() as f64 * ROW + 24.0);
    let left = names_width(rows.iter().map(|(name, _)| *name)) + 8.0;
    let greatest = rows.iter().map(|(_, pieces)| pieces.iter().sum::<u64>()).max().unwrap_or(0);
    let scale = Scale::new((0.0, greatest as f64), (left, WIDTH - 44.0));
    let bottom = rows.len() as f64 * ROW + 4.0;
    let mut marks = scale.ticks();
    marks.retain(|mark| mark.fract() == 0.0);
    figure.axis_below(&scale, &marks, (0.0, bottom), "");
    for (index, (name, pieces)) in rows.iter().enumerate() {
        let y = index as f64 * ROW + 4.0;
        figure.text((left - 6.0, y + 10.0), Anchor::End, &label(name).0);
        let mut before = 0;
        for (piece, (what, class)) in pieces.iter().zip(series) {
            let (from, to) = (scale.at(before as f64), scale.at((before + piece) as f64));
            figure.rectangle(
                (from, y),
                (to - from, BAR),
                class,
                &format!("{name}: {piece} {what}"),
            );
            before += piece;
        }
        let end = scale.at(before as f64) + 5.0;
        figure.text((end, y + 10.0), Anchor::Start, &before.to_string());
    }
    figure.finish()
}

/// How many numbers lie where.
///
/// - `axis`: what the numbers are
pub(super) fn histogram(about: &str, histogram: &Histogram, axis: &str) -> String {
    const HEIGHT: f64 = 180.0;
    let mut figure = Figure::new(about, HEIGHT + 32.0);
    let across = Scale::new((histogram.low, histogram.high), (LEFT, WIDTH - 12.0));
    let greatest = histogram.counts.iter().copied().max().unwrap_or(0);
    let up = Scale::new((0.0, greatest as f64), (HEIGHT, 8.0));
    let all: u64 = histogram.counts.iter().sum();
    let share = |count: u64| count as f64 / all.max(1) as f64 * 100.0;
    for tick in ticks(0.0, share(greatest), 4) {
        let y = up.at(tick / 100.0 * all as f64);
        figure.line((LEFT, y), (WIDTH - 12.0, y), "grid");
        figure.text((LEFT - 6.0, y + 4.0), Anchor::End, &format!("{} %", number(tick)));
    }
    figure.axis_below(&across, &across.ticks(), (HEIGHT, HEIGHT), axis);
    let width = (histogram.high - histogram.low) / histogram.counts.len() as f64;
    for (bin, &count) in histogram.counts.iter().enumerate() {
        let low = histogram.low + width * bin as f64;
        let (from, to, top) = (across.at(low), across.at(low + width), up.at(count as f64));
        let told =
            format!("{} to {}: {} %", number(low), number(low + width), number(share(count)));
        figure.rectangle((from, top), (to - from - 0.6, HEIGHT - top), "s0", &told);
    }
    figure.finish()
}

/// A box a class: from the lower to the upper quartile, the median within, lines
/// out to the least and the greatest number, a dot at the mean.
///
/// - `axis`: what the numbers are
pub(super) fn boxes(about: &str, rows: &[(&str, Quartiles)], axis: &str) -> String {
    let room = if axis.is_empty() { 22.0 } else { 34.0 };
    let mut figure = Figure::new(about, rows.len() as f64 * ROW + room);
    let left = names_width(rows.iter().map(|(name, _)| *name)) + 8.0;
    let least = rows.iter().map(|(_, box_)| box_.least).fold(f64::INFINITY, f64::min);
    let greatest = rows.iter().map(|(_, box_)| box_.greatest).fold(f64::NEG_INFINITY, f64::max);
    let scale = Scale::new((least, greatest), (left + 4.0, WIDTH - 16.0));
    let bottom = rows.len() as f64 * ROW + 4.0;
    figure.axis_below(&scale, &scale.ticks(), (0.0, bottom), axis);
    for (index, (name, quartiles)) in rows.iter().enumerate() {
        let y = index as f64 * ROW + 4.0;
        let middle = y + BAR / 2.0;
        let Quartiles { least, lower, median, upper, greatest, mean, .. } = *quartiles;
        figure.text((left - 6.0, y + 10.0), Anchor::End, &label(name).0);
        figure.line((scale.at(least), middle), (scale.at(greatest), middle), "whisker");
        let told = format!(
            "{name}: median {}, quartiles {} and {}, from {} to {}, mean {}",
            number(median),
            number(lower),
            number(upper),
            number(least),
            number(greatest),
            number(mean)
        );
        let (from, to) = (scale.at(lower), scale.at(upper));
        figure.rectangle((from, y), ((to - from).max(3.0), BAR), "s0 box", &told);
        figure.line((scale.at(median), y), (scale.at(median), y + BAR), "median");
        figure.rectangle((scale.at(mean) - 1.5, middle - 1.5), (3.0, 3.0), "mean", &told);
    }
    figure.finish()
}

/// The least and the greatest sample of each short piece of time.
///
/// - `cuts`: seconds at which slices begin and end
pub(super) fn waveform(about: &str, samples: &[f32], sample_rate: u32, cuts: &[f64]) -> String {
    let mut figure = Figure::new(about, HEAT + 32.0);
    let seconds = samples.len() as f64 / f64::from(sample_rate);
    let across = Scale::new((0.0, seconds), (LEFT, RIGHT));
    let loudest = samples.iter().fold(0.0_f32, |loudest, sample| loudest.max(sample.abs()));
    let loudest = f64::from(loudest).max(1e-3);
    let up = Scale::new((-loudest, loudest), (HEAT, HEAT_TOP));
    for tick in ticks(-loudest, loudest, 4) {
        figure.line((LEFT, up.at(tick)), (RIGHT, up.at(tick)), "grid");
        figure.text((LEFT - 6.0, up.at(tick) + 4.0), Anchor::End, &number(tick));
    }
    figure.axis_below(&across, &across.ticks(), (HEAT, HEAT), "seconds");
    let pieces = samples.len().min((RIGHT - LEFT) as usize);
    let piece = |index: usize| {
        &samples[index * samples.len() / pieces..(index + 1) * samples.len() / pieces]
    };
    let edge = |index: usize, pick: fn(f32, f32) -> f32| {
        let sample = piece(index).iter().copied().reduce(pick).unwrap_or(0.0);
        let x = LEFT + (index as f64 + 0.5) / pieces as f64 * (RIGHT - LEFT);
        (x, up.at(f64::from(sample)))
    };
    let upper = (0..pieces).map(|index| edge(index, f32::max));
    let lower = (0..pieces).rev().map(|index| edge(index, f32::min));
    figure.area(upper.chain(lower), "wave");
    for &cut in cuts.iter().filter(|&&cut| cut <= seconds + 1e-6) {
        figure.line((across.at(cut), 4.0), (across.at(cut), HEAT), "cut");
    }
    figure.finish()
}

/// A mel spectrogram with its frequencies and decibels.
///
/// - `at_most`: columns of the picture
pub(super) fn spectrogram(
    about: &str,
    picture: &Picture,
    drawer: &Drawer,
    seconds: f64,
    at_most: usize,
) -> String {
    let low = picture.values.iter().copied().fold(0.0, f32::min);
    let range = (f64::from(low).min(-1.0), 0.0);
    let mut figure = over_time(about, picture, range, seconds, at_most);
    let mut below = f64::NEG_INFINITY;
    for hertz in [64, 128, 256, 512, 1024, 2048, 4096, 8192, 16_384, 32_768] {
        let height = drawer.height_of(f64::from(hertz));
        // There is room for a number, and for `Hz` at the top.
        if (0.0..=0.9).contains(&height) && height - below > 0.08 {
            mark(&mut figure, height, &hertz.to_string());
            below = height;
        }
    }
    figure.text((LEFT - 6.0, HEAT_TOP + 8.0), Anchor::End, "Hz");
    figure.text((WIDTH - 2.0, HEAT + 18.0), Anchor::End, "dB");
    figure.finish()
}

/// Cepstral coefficients over time. The scale leaves out the lowest coefficient,
/// which is the loudness and would leave no colours for the others.
///
/// - `at_most`: columns of the picture
pub(super) fn coefficients(about: &str, picture: &Picture, seconds: f64, at_most: usize) -> String {
    let skipped = if picture.rows > 1 { picture.frames } else { 0 };
    let mut sorted: Vec<f64> =
        picture.values[skipped..].iter().map(|&value| f64::from(value)).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let range = match sorted.is_empty() {
        true => (0.0, 1.0),
        false => (quantile(&sorted, 0.01), quantile(&sorted, 0.99)),
    };
    let range = if range.1 > range.0 { range } else { (range.0 - 0.5, range.0 + 0.5) };
    let mut figure = over_time(about, picture, range, seconds, at_most);
    for tick in ticks(0.0, (picture.rows - 1) as f64, 5) {
        // Few coefficients have room for no numbers between them.
        if tick.fract() == 0.0 {
            mark(&mut figure, (tick + 0.5) / picture.rows as f64, &number(tick));
        }
    }
    figure.finish()
}

/// Height of a picture over time, from its top.
const HEAT: f64 = 150.0;
const HEAT_TOP: f64 = 9.0;

/// Numbers by colour, seconds below and the scale of colours beside.
fn over_time(
    about: &str,
    picture: &Picture,
    range: (f64, f64),
    seconds: f64,
    at_most: usize,
) -> Figure {
    let mut figure = Figure::new(about, HEAT + 32.0);
    let across = Scale::new((0.0, seconds), (LEFT, RIGHT));
    figure.axis_below(&across, &across.ticks(), (HEAT, HEAT), "seconds");
    let size = (RIGHT - LEFT, HEAT - HEAT_TOP);
    figure.image((LEFT, HEAT_TOP), size, &heat(picture, range, at_most));
    figure.image((RIGHT + 8.0, HEAT_TOP), (8.0, HEAT - HEAT_TOP), &scale());
    let up = Scale::new(range, (HEAT, HEAT_TOP));
    for tick in ticks(range.0, range.1, 4) {
        figure.text((RIGHT + 20.0, up.at(tick) + 4.0), Anchor::Start, &number(tick));
    }
    figure
}

/// A tick at a share of the height of a picture over time.
fn mark(figure: &mut Figure, height: f64, text: &str) {
    let y = HEAT - height * (HEAT - HEAT_TOP);
    figure.line((LEFT - 3.0, y), (LEFT, y), "axis");
    figure.text((LEFT - 6.0, y + 4.0), Anchor::End, text);
}

fn names_width<'a>(names: impl Iterator<Item = &'a str>) -> f64 {
    names.map(|name| label(name).1).fold(24.0, f64::max)
}
