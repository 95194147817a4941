//! What makes the sounds: tones of a given timbre, and three drums.
//!
//! A tone reads one period of its wave from a table. Tables hold only
//! harmonics below half the sample rate, so nothing aliases.

use std::f64::consts::TAU;

use super::super::random::Random;
use super::SAMPLE_RATE;

const RATE: f64 = SAMPLE_RATE as f64;
/// Samples of a table: enough for 32 harmonics with linear interpolation.
const TABLE_LEN: usize = 1024;
/// Tables have this many harmonics; a tone takes the richest that fits.
const HARMONICS: [usize; 6] = [1, 2, 4, 8, 16, 32];

/// Samples for which bend and fading stay the same: 1.5 ms.
const BLOCK: usize = 32;
/// Time constant with which a tone fades when it is let go.
const RELEASE_S: f64 = 0.02;
const VIBRATO_HZ: f64 = 6.0;
/// Tones end here; one step of 16 bits is 3e-5.
const INAUDIBLE: f64 = 1e-4;

/// Harmonics that a wave has.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wave {
    /// Like bowed strings and brass.
    All,
    /// Like a clarinet, or an old computer.
    Odd,
    /// 1, 2, 4, 8, …: like an organ.
    Octaves,
}

/// How a tone sounds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timbre {
    pub(super) wave: Wave,
    /// Harmonic `n` has the level `n^-rolloff`: high is dull.
    pub(super) rolloff: f64,
    /// Time to reach the full level.
    pub(super) attack_s: f64,
    /// Time constant of the decay that follows.
    pub(super) decay_s: f64,
    /// Distance of two voices; zero for one voice.
    pub(super) detune_cents: f64,
    /// Depth of the vibrato; zero for none.
    pub(super) vibrato_cents: f64,
}

/// A timbre with its tables.
#[derive(Debug, Clone)]
pub(super) struct Instrument {
    timbre: Timbre,
    /// One for each of [`HARMONICS`], with its first sample again at its end.
    tables: Vec<Vec<f32>>,
}

/// A tone to be played.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tone {
    /// First sample.
    pub(super) at: usize,
    /// After so many samples the tone is let go.
    pub(super) held: usize,
    /// In semitones; 69 is 440 Hz.
    pub(super) pitch: f64,
    pub(super) level: f64,
}

impl Instrument {
    pub(super) fn new(timbre: Timbre) -> Self {
        let tables = HARMONICS.iter().map(|&harmonics| table(timbre, harmonics)).collect();
        Self { timbre, tables }
    }

    /// Adds a tone to `out`; what lies beyond its end is not heard.
    pub(super) fn play(&self, out: &mut [f32], tone: Tone, random: &mut Random) {
        let frequency = 440.0 * ((tone.pitch - 69.0) / 12.0).exp2();
        let Some(table) = self.table_for(frequency) else { return };
        let voices: &[f64] = if self.timbre.detune_cents > 0.0 { &[-0.5, 0.5] } else { &[0.0] };
        for voice in voices {
            let detuned = frequency * (voice * self.timbre.detune_cents / 1200.0).exp2();
            let phase = random.unit();
            self.play_voice(out, tone, table, detuned / RATE, phase, voices.len() as f64);
        }
    }

    fn table_for(&self, frequency: f64) -> Option<&[f32]> {
        let fitting = HARMONICS.iter().rposition(|&n| frequency * (n as f64) < RATE / 2.0)?;
        Some(&self.tables[fitting])
    }

    fn play_voice(
        &self,
        out: &mut [f32],
        tone: Tone,
        table: &[f32],
        step: f64,
        mut phase: f64,
        voices: f64,
    ) {
        let Some(out) = out.get_mut(tone.at..) else { return };
        let rise = 1.0 / (self.timbre.attack_s * RATE).max(1.0);
        let decay = (-1.0 / (self.timbre.decay_s * RATE)).exp();
        let release = (-1.0 / (RELEASE_S * RATE)).exp();
        let vibrato = (self.timbre.vibrato_cents / 1200.0).exp2() - 1.0;
        let mut level = tone.level / voices;
        let mut attack = 0.0;
        for (number, block) in out.chunks_mut(BLOCK).enumerate() {
            let played = number * BLOCK;
            let bend = 1.0 + vibrato * (TAU * VIBRATO_HZ * played as f64 / RATE).sin();
            let fade = if played < tone.held { decay } else { decay * release };
            for sample in block {
                let position = phase * TABLE_LEN as f64;
                let index = position as usize;
                let fraction = (position - index as f64) as f32;
                let wave = table[index] + (table[index + 1] - table[index]) * fraction;
                *sample += wave * (level * attack) as f32;

                attack = f64::min(attack + rise, 1.0);
                level *= fade;
                phase += step * bend;
                phase -= phase.floor();
            }
            if level < INAUDIBLE {
                return;
            }
        }
    }
}

/// One period, at a power of one half.
fn table(timbre: Timbre, harmonics: usize) -> Vec<f32> {
    let present = |n: &usize| match timbre.wave {
        Wave::All => true,
        Wave::Odd => n % 2 == 1,
        Wave::Octaves => n.is_power_of_two(),
    };
    let levels: Vec<(f64, f64)> = (1..=harmonics)
        .filter(present)
        .map(|n| (n as f64, (n as f64).powf(-timbre.rolloff)))
        .collect();
    let norm = levels.iter().map(|(_, level)| level * level).sum::<f64>().sqrt();
    (0..=TABLE_LEN)
        .map(|index| {
            let angle = TAU * index as f64 / TABLE_LEN as f64;
            let sum: f64 = levels.iter().map(|(n, level)| level * (n * angle).sin()).sum();
            (sum / norm) as f32
        })
        .collect()
}

/// A drum of the kit.
#[derive(Debug, Clone, Copy)]
pub(super) enum Drum {
    /// A falling sine.
    Kick,
    /// Noise over a short tone.
    Snare,
    /// High noise that dies after so many seconds.
    Hat {
        /// Time constant.
        decay_s: f64,
    },
}

impl Drum {
    /// Adds one stroke to `out`.
    pub(super) fn strike(self, out: &mut [f32], at: usize, level: f64, random: &mut Random) {
        let Some(out) = out.get_mut(at..) else { return };
        match self {
            Self::Kick => kick(out, level),
            Self::Snare => snare(out, level, random),
            Self::Hat { decay_s } => hat(out, level, decay_s, random),
        }
    }
}

fn kick(out: &mut [f32], level: f64) {
    let decay = (-1.0 / (0.11 * RATE)).exp();
    let glide = (-1.0 / (0.03 * RATE)).exp();
    let (mut level, mut frequency, mut angle) = (1.3 * level, 150.0, 0.0_f64);
    for sample in &mut out[..] {
        *sample += (level * angle.sin()) as f32;
        angle += TAU * (45.0 + frequency) / RATE;
        frequency *= glide;
        level *= decay;
        if level < INAUDIBLE {
            return;
        }
    }
}

fn snare(out: &mut [f32], level: f64, random: &mut Random) {
    let decay = (-1.0 / (0.07 * RATE)).exp();
    let mut level = 0.8 * level;
    for (n, sample) in out.iter_mut().enumerate() {
        let tone = (TAU * 190.0 * n as f64 / RATE).sin();
        *sample += (level * (0.5 * tone + 0.8 * random.between(-1.0, 1.0))) as f32;
        level *= decay;
        if level < INAUDIBLE {
            return;
        }
    }
}

fn hat(out: &mut [f32], level: f64, decay_s: f64, random: &mut Random) {
    let decay = (-1.0 / (decay_s * RATE)).exp();
    let mut level = 0.5 * level;
    // Twice the difference of neighbours: noise without its low half.
    let (mut last, mut last_difference) = (0.0, 0.0);
    for sample in out {
        let noise = random.between(-1.0, 1.0);
        let difference = noise - last;
        *sample += (level * 0.5 * (difference - last_difference)) as f32;
        (last, last_difference) = (noise, difference);
        level *= decay;
        if level < INAUDIBLE {
            return;
        }
    }
}
