//! What makes tones: one period of a wave, read over and over, and its envelope.
//!
//! Tables hold only harmonics below half the sample rate, so nothing aliases.
//! They are made anew for every song, because no two players of an instrument
//! sound alike. Phases are whole numbers that wrap; all else is single
//! precision, in fixed order, so that the same tone is the same bits.

use std::f64::consts::TAU;
use std::sync::LazyLock;

use super::super::random::Random;
use super::chance::normal;
use super::{RATE, SAMPLE_RATE};

/// Bits of an index into a table: 1024 samples are enough for 32 harmonics with
/// linear interpolation.
const TABLE_BITS: u32 = 10;
const TABLE_LEN: usize = 1 << TABLE_BITS;
const FRACTION_BITS: u32 = u32::BITS - TABLE_BITS;
/// Tables have this many harmonics; a tone takes the richest that fits.
const HARMONICS: [usize; 6] = [1, 2, 4, 8, 16, 32];

/// Samples for which bend and filter stay the same: 1.5 ms.
const BLOCK: usize = 32;
/// Time constant with which a tone fades when it is let go.
const RELEASE_S: f64 = 0.02;
/// Tones end here; one step of 16 bits is 3e-5.
const INAUDIBLE: f32 = 1e-4;

/// One period of a sine. Harmonic `n` of a table is every `n`th sample of it.
static SINE: LazyLock<Vec<f32>> = LazyLock::new(|| {
    (0..TABLE_LEN).map(|index| (TAU * index as f64 / TABLE_LEN as f64).sin() as f32).collect()
});

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
    /// How far a tone's filter is open once it has decayed: 1 stays as it is.
    pub(super) open: f64,
    /// How hard the amplifier distorts; zero for clean.
    pub(super) drive: f64,
}

impl Timbre {
    /// The same instrument in the hands of somebody else.
    pub(super) fn individual(self, random: &mut Random) -> Self {
        Self {
            rolloff: (self.rolloff + 0.22 * normal(random)).max(0.3),
            attack_s: self.attack_s * (0.5 * normal(random)).exp2(),
            decay_s: self.decay_s * (0.5 * normal(random)).exp2(),
            detune_cents: self.detune_cents * (0.5 * normal(random)).exp2(),
            vibrato_cents: self.vibrato_cents * (0.5 * normal(random)).exp2(),
            open: (self.open * (0.3 * normal(random)).exp2()).clamp(0.05, 1.0),
            drive: self.drive * (0.4 * normal(random)).exp2(),
            wave: self.wave,
        }
    }
}

/// A timbre with its tables.
#[derive(Debug, Clone)]
pub(super) struct Instrument {
    timbre: Timbre,
    vibrato_hz: f64,
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
    /// An instrument with a body of its own: each harmonic is a little stronger
    /// or weaker than the timbre has it.
    pub(super) fn new(timbre: Timbre, random: &mut Random) -> Self {
        let richest = HARMONICS[HARMONICS.len() - 1];
        let levels: Vec<f32> = (1..=richest)
            .map(|n| {
                let body = (0.5 * normal(random)).exp2();
                let present = match timbre.wave {
                    Wave::All => true,
                    Wave::Odd => n % 2 == 1,
                    Wave::Octaves => n.is_power_of_two(),
                };
                if present { (body * (n as f64).powf(-timbre.rolloff)) as f32 } else { 0.0 }
            })
            .collect();
        let tables = HARMONICS.iter().map(|&harmonics| table(&levels[..harmonics])).collect();
        Self { timbre, vibrato_hz: random.between(4.5, 6.5), tables }
    }

    /// How hard it is distorted once all its tones are there.
    pub(super) fn drive(&self) -> f32 {
        self.timbre.drive as f32
    }

    /// Adds a tone to `out`; what lies beyond its end is not heard.
    pub(super) fn play(&self, out: &mut [f32], tone: Tone, random: &mut Random) {
        let frequency = 440.0 * ((tone.pitch - 69.0) / 12.0).exp2();
        let Some(table) = self.table_for(frequency) else { return };
        let Some(out) = out.get_mut(tone.at..) else { return };
        let voices: &[f64] = if self.timbre.detune_cents > 0.0 { &[-0.5, 0.5] } else { &[0.0] };
        let level = (tone.level / voices.len() as f64) as f32;
        for voice in voices {
            let detuned = frequency * (voice * self.timbre.detune_cents / 1200.0).exp2();
            let phase = (random.bits() >> 32) as u32;
            self.play_voice(out, tone.held, table, detuned, phase, level);
        }
    }

    fn table_for(&self, frequency: f64) -> Option<&[f32]> {
        let half = f64::from(SAMPLE_RATE) / 2.0;
        let fitting = HARMONICS.iter().rposition(|&n| frequency * (n as f64) < half)?;
        Some(&self.tables[fitting])
    }

    fn play_voice(
        &self,
        out: &mut [f32],
        held: usize,
        table: &[f32],
        frequency: f64,
        mut phase: u32,
        mut level: f32,
    ) {
        /// What is left after a block of what fades with this time constant.
        fn left(time_s: f64) -> f32 {
            (-(BLOCK as f64) / (time_s * RATE)).exp() as f32
        }
        let Timbre { attack_s, decay_s, vibrato_cents, open, .. } = self.timbre;
        let whole_turn = 2_f64.powi(32);
        let step = frequency / RATE * whole_turn;
        let vibrato = (vibrato_cents / 1200.0).exp2() - 1.0;
        let swing = TAU * self.vibrato_hz / RATE;
        let rise = (BLOCK as f64 / (attack_s * RATE)).clamp(0.0, 1.0) as f32;
        let (decay, release) = (left(decay_s), left(RELEASE_S));
        let (open, closing) = (open as f32, left(decay_s / 2.0));

        let mut filter = 1.0_f32;
        let (mut attack, mut last_gain, mut state) = (0.0_f32, 0.0_f32, 0.0_f32);
        for (number, block) in out.chunks_mut(BLOCK).enumerate() {
            let played = number * BLOCK;
            let bend = if vibrato > 0.0 { vibrato * (swing * played as f64).sin() } else { 0.0 };
            let step = (step * (1.0 + bend)) as u32;
            attack = (attack + rise).min(1.0);
            level *= if played < held { decay } else { decay * release };
            let gain = level * attack;
            // From the last block's gain to this one's without a step.
            let slope = (gain - last_gain) / BLOCK as f32;
            let mut now = last_gain;
            for sample in block {
                let index = (phase >> FRACTION_BITS) as usize;
                let fraction = (phase & ((1 << FRACTION_BITS) - 1)) as f32
                    * (1.0 / (1_u32 << FRACTION_BITS) as f32);
                let wave = table[index] + (table[index + 1] - table[index]) * fraction;
                state += filter * (wave - state);
                now += slope;
                *sample += state * now;
                phase = phase.wrapping_add(step);
            }
            last_gain = gain;
            filter = open + (filter - open) * closing;
            if level < INAUDIBLE {
                return;
            }
        }
    }
}

/// One period of these harmonics, at a power of one half.
fn table(levels: &[f32]) -> Vec<f32> {
    let norm = levels.iter().map(|level| level * level).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
    let mut table = vec![0.0_f32; TABLE_LEN + 1];
    for (before, level) in levels.iter().enumerate().filter(|(_, level)| **level > 0.0) {
        for (index, sample) in table.iter_mut().enumerate() {
            *sample += level / norm * SINE[index * (before + 1) % TABLE_LEN];
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORGAN: Timbre = Timbre {
        wave: Wave::Octaves,
        rolloff: 1.0,
        attack_s: 0.01,
        decay_s: 100.0,
        detune_cents: 0.0,
        vibrato_cents: 0.0,
        open: 1.0,
        drive: 0.0,
    };

    #[test]
    fn a_tone_has_its_pitch_and_its_length() {
        let mut random = Random::new(&[1]);
        let instrument = Instrument::new(ORGAN, &mut random);
        let mut out = vec![0.0; SAMPLE_RATE as usize];
        let tone = Tone { at: 1000, held: 11_025, pitch: 69.0, level: 1.0 };
        instrument.play(&mut out, tone, &mut random);
        assert!(out[..1000].iter().all(|sample| *sample == 0.0));
        assert!(out[20_000..].iter().all(|sample| *sample == 0.0));
        let played = &out[3000..10_000];
        let power = |hz: f64| {
            let angle = |n: usize| TAU * hz * n as f64 / RATE;
            let (mut real, mut imaginary) = (0.0, 0.0);
            for (n, sample) in played.iter().enumerate() {
                real += f64::from(*sample) * angle(n).cos();
                imaginary += f64::from(*sample) * angle(n).sin();
            }
            real.hypot(imaginary) / played.len() as f64
        };
        assert!(power(440.0) > 20.0 * power(660.0));
        assert!(power(880.0) > 20.0 * power(1320.0), "an organ has no third harmonic");
    }

    #[test]
    fn what_is_too_high_or_too_late_is_not_heard() {
        let mut random = Random::new(&[1]);
        let instrument = Instrument::new(ORGAN, &mut random);
        let mut out = vec![0.0; 100];
        for tone in [
            Tone { at: 0, held: 50, pitch: 150.0, level: 1.0 },
            Tone { at: 101, held: 50, pitch: 69.0, level: 1.0 },
        ] {
            instrument.play(&mut out, tone, &mut random);
            assert!(out.iter().all(|sample| *sample == 0.0));
        }
    }
}
