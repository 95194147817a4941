//! Drum kits. A song's kit is made once, as short recordings of its drums, and
//! every stroke plays one of them again.

use std::f64::consts::TAU;

use super::super::random::Random;
use super::RATE;
use super::chance::normal;

/// Strokes end here.
const INAUDIBLE: f64 = 1e-3;
/// The longest stroke, for bounded time.
const LONGEST_S: f64 = 2.5;

/// What the drums of a kit are like; each song has its own of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kit {
    /// Pitch that the kick falls to.
    pub(super) kick_hz: f64,
    pub(super) kick_s: f64,
    /// Pitch of the snare's skin.
    pub(super) snare_hz: f64,
    pub(super) snare_s: f64,
    /// From 0, all skin, to 1, all wires.
    pub(super) wires: f64,
    /// How long the closed hat rings.
    pub(super) hat_s: f64,
    /// What the hat's noise is cut off below.
    pub(super) hat_hz: f64,
}

const fn kit(kick: (f64, f64), snare: (f64, f64, f64), hat: (f64, f64)) -> Kit {
    Kit {
        kick_hz: kick.0,
        kick_s: kick.1,
        snare_hz: snare.0,
        snare_s: snare.1,
        wires: snare.2,
        hat_s: hat.0,
        hat_hz: hat.1,
    }
}

pub(super) const ACOUSTIC: Kit = kit((55.0, 0.10), (190.0, 0.08, 0.6), (0.05, 5000.0));
pub(super) const ROCK: Kit = kit((60.0, 0.09), (180.0, 0.12, 0.7), (0.12, 4500.0));
pub(super) const BRUSHES: Kit = kit((65.0, 0.07), (220.0, 0.12, 0.9), (0.22, 5500.0));
pub(super) const DEEP: Kit = kit((42.0, 0.22), (170.0, 0.07, 0.5), (0.03, 6500.0));
pub(super) const MACHINE: Kit = kit((50.0, 0.15), (210.0, 0.10, 0.8), (0.035, 7000.0));
pub(super) const CHIP: Kit = kit((80.0, 0.04), (300.0, 0.05, 0.95), (0.015, 3500.0));
pub(super) const HANDS: Kit = kit((95.0, 0.12), (330.0, 0.05, 0.15), (0.04, 4000.0));

/// The drums of a kit, ready to be struck.
#[derive(Debug, Clone)]
pub(super) struct Drums {
    pub(super) kick: Vec<f32>,
    pub(super) snare: Vec<f32>,
    pub(super) hat: Vec<f32>,
    /// For fills.
    pub(super) tom: Vec<f32>,
    /// At the beginning of a section.
    pub(super) crash: Vec<f32>,
}

impl Drums {
    /// A kit of this kind, unlike every other.
    pub(super) fn new(kit: Kit, random: &mut Random) -> Self {
        let mut near = |value: f64, octaves: f64| value * (octaves * normal(random)).exp2();
        let (kick_hz, kick_s) = (near(kit.kick_hz, 0.15), near(kit.kick_s, 0.4));
        let (snare_hz, snare_s) = (near(kit.snare_hz, 0.2), near(kit.snare_s, 0.4));
        let wires = near(kit.wires, 0.3).clamp(0.05, 1.0);
        let (hat_s, hat_hz) = (near(kit.hat_s, 0.5), near(kit.hat_hz, 0.3).min(9000.0));
        let (tom_hz, click) = (near(110.0, 0.3), near(0.2, 1.0));
        Self {
            kick: hit(kick_hz, 2.5, kick_s, click * 0.3, kick_s * 0.2, 1500.0, random),
            snare: hit(snare_hz, 0.3, snare_s * 0.7, wires * 1.6, snare_s, 1200.0, random),
            hat: hit(0.0, 0.0, 0.0, 1.0, hat_s, hat_hz, random),
            tom: hit(tom_hz, 0.6, 0.14, 0.1, 0.05, 800.0, random),
            crash: hit(0.0, 0.0, 0.0, 0.8, 0.5, 0.7 * hat_hz, random),
        }
    }
}

/// One stroke: a tone that falls to `tone_hz` from so many times more, and noise
/// without what lies below `noise_hz`. No tone where its time is zero.
fn hit(
    tone_hz: f64,
    fall: f64,
    tone_s: f64,
    noise: f64,
    noise_s: f64,
    noise_hz: f64,
    random: &mut Random,
) -> Vec<f32> {
    let left = |time_s: f64| if time_s > 0.0 { (-1.0 / (time_s * RATE)).exp() } else { 0.0 };
    let (tone_decay, noise_decay, glide) = (left(tone_s), left(noise_s), left(0.03));
    let mut tone: f64 = if tone_s > 0.0 { 1.0 } else { 0.0 };
    let (mut noise, mut sweep, mut angle) = (noise, fall, 0.0_f64);
    let keep = (-TAU * noise_hz / RATE).exp();
    // Two stages of what takes away the low.
    let (mut low, mut low_of_high) = (0.0, 0.0);
    let mut out = Vec::new();
    while tone.max(noise) > INAUDIBLE && (out.len() as f64) < LONGEST_S * RATE {
        let white = random.between(-1.0, 1.0);
        low = white + (low - white) * keep;
        let high = white - low;
        low_of_high = high + (low_of_high - high) * keep;
        let sample = tone * angle.sin() + noise * (high - low_of_high);
        // The first half of a millisecond is not a step.
        let onset = (out.len() as f64 / (0.0005 * RATE)).min(1.0);
        out.push((onset * sample) as f32);
        angle += TAU * tone_hz * (1.0 + sweep) / RATE;
        sweep *= glide;
        tone *= tone_decay;
        noise *= noise_decay;
    }
    out
}

/// Adds a stroke to `out`; what lies beyond its end is not heard.
pub(super) fn strike(out: &mut [f32], drum: &[f32], at: usize, level: f32) {
    let Some(out) = out.get_mut(at..) else { return };
    for (sample, stroke) in out.iter_mut().zip(drum) {
        *sample += level * stroke;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_drum_is_heard_and_ends() {
        let mut random = Random::new(&[2]);
        for kit in [ACOUSTIC, ROCK, BRUSHES, DEEP, MACHINE, CHIP, HANDS] {
            let Drums { kick, snare, hat, tom, crash } = Drums::new(kit, &mut random);
            for drum in [kick, snare, hat, tom, crash] {
                assert!((100..60_000).contains(&drum.len()), "{}", drum.len());
                let peak = drum.iter().fold(0.0_f32, |peak, sample| sample.abs().max(peak));
                assert!((0.05..3.0).contains(&peak), "{peak}");
            }
        }
    }

    #[test]
    fn strokes_stay_within_the_recording() {
        let mut out = vec![0.0; 4];
        strike(&mut out, &[1.0, 0.5, 0.25], 2, 2.0);
        strike(&mut out, &[1.0], 9, 1.0);
        assert_eq!(out, [0.0, 0.0, 2.0, 1.0]);
    }
}
