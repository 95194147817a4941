//! One piece of music in a style.
//!
//! What a style leaves open is drawn at random: key, speed, chords, melody, how
//! loud each instrument is, where in the bar the recording begins, how well the
//! strokes of a rhythm are kept, and how noisy and loud the recording is.

use super::super::random::Random;
use super::SAMPLE_RATE;
use super::instrument::{Drum, Instrument, Tone};
use super::style::{Kit, Part, Rhythm, Style};

const RATE: f64 = SAMPLE_RATE as f64;
const STEPS_A_BAR: usize = 16;
const STEPS_A_BEAT: f64 = 4.0;
/// Probability that a stroke of a rhythm is left out.
const OMISSION: f64 = 0.08;
/// Tones and strokes come up to this much early or late, in steps.
const LOOSENESS: f64 = 0.06;

/// The musicians of a style, with their instruments.
pub(super) struct Band {
    style: Style,
    harmony: Instrument,
    bass: Instrument,
    melody: Instrument,
}

impl Band {
    pub(super) fn new(style: Style) -> Self {
        Self {
            harmony: Instrument::new(style.harmony.timbre),
            bass: Instrument::new(style.bass.timbre),
            melody: Instrument::new(style.melody.timbre),
            style,
        }
    }

    /// The name of their style.
    pub(super) fn name(&self) -> &str {
        &self.style.name
    }

    /// Plays a piece of `length` samples.
    pub(super) fn perform(&self, length: usize, mut random: Random) -> Vec<i16> {
        let mut piece = Piece::new(&self.style, length, &mut random);
        piece.play_harmony(self, &mut random);
        piece.play_bass(self, &mut random);
        piece.play_melody(self, &mut random);
        piece.play_drums(self.style.drums, &mut random);
        piece.finish(&self.style, &mut random)
    }
}

struct Piece {
    /// Samples of one step.
    step: f64,
    swing: f64,
    /// The recording begins so many steps after the first bar does.
    begin: f64,
    steps: usize,
    /// Semitones by which the piece is higher than written.
    key: f64,
    /// Root of each bar's chord, in semitones above the key.
    roots: Vec<i32>,
    out: Vec<f32>,
}

impl Piece {
    fn new(style: &Style, length: usize, random: &mut Random) -> Self {
        let tempo = random.between(style.tempo.0, style.tempo.1);
        let step = 60.0 / tempo / STEPS_A_BEAT * RATE;
        let begin = random.below(STEPS_A_BAR) as f64 + random.unit();
        let steps = (begin + length as f64 / step).ceil() as usize;
        let bars = steps / STEPS_A_BAR + 1;
        // Up to five semitones either way, and not quite in tune.
        let key = random.below(11) as f64 - 5.0 + random.between(-0.3, 0.3);
        let roots = (0..bars).map(|_| random.pick(style.roots)).collect();
        Self { step, swing: style.swing, begin, steps, key, roots, out: vec![0.0; length] }
    }

    /// The steps of a rhythm that are played.
    fn strokes(&self, rhythm: Rhythm, random: &mut Random) -> Vec<usize> {
        let rhythm = rhythm.as_bytes();
        (0..self.steps)
            .filter(|step| rhythm[step % STEPS_A_BAR] == b'x')
            .filter(|_| !random.chance(OMISSION))
            .collect()
    }

    /// When a step comes, in samples; negative before the recording begins.
    fn time_of(&self, step: usize, random: &mut Random) -> f64 {
        let late = if step % 2 == 1 { self.swing } else { 0.0 };
        let loose = random.between(-LOOSENESS, LOOSENESS);
        (step as f64 + late + loose - self.begin) * self.step
    }

    fn play(
        &mut self,
        part: &Part,
        instrument: &Instrument,
        step: usize,
        pitch: i32,
        level: f64,
        random: &mut Random,
    ) {
        let time = self.time_of(step, random);
        // A tone that is still held when the recording begins is heard from there on.
        let held = part.held * self.step + time.min(0.0);
        if held <= 0.0 {
            return;
        }
        let (at, held) = (time.max(0.0) as usize, held as usize);
        let pitch = f64::from(part.register + pitch) + self.key;
        let level = level * random.between(0.7, 1.0);
        instrument.play(&mut self.out, Tone { at, held, pitch, level }, random);
    }

    fn play_harmony(&mut self, Band { style, harmony, .. }: &Band, random: &mut Random) {
        let part = &style.harmony;
        let level = mixed(part.level, random) / (style.chord.len() as f64).sqrt();
        for step in self.strokes(part.rhythm, random) {
            let root = self.root(step);
            for &interval in style.chord {
                self.play(part, harmony, step, root + interval, level, random);
            }
        }
    }

    fn play_bass(&mut self, Band { style, bass, .. }: &Band, random: &mut Random) {
        let part = &style.bass;
        let level = mixed(part.level, random);
        for step in self.strokes(part.rhythm, random) {
            let interval = if random.chance(0.6) { 0 } else { random.pick(style.chord) };
            let pitch = self.root(step) + interval;
            self.play(part, bass, step, pitch, level, random);
        }
    }

    /// Walks up and down the scale.
    fn play_melody(&mut self, Band { style, melody, .. }: &Band, random: &mut Random) {
        let part = &style.melody;
        let level = mixed(part.level, random);
        let tones = style.scale.len() as i32;
        let mut degree = random.below(style.scale.len()) as i32;
        for step in self.strokes(part.rhythm, random) {
            degree = (degree + random.below(5) as i32 - 2).clamp(-tones / 2, tones + tones / 2);
            let octave = degree.div_euclid(tones);
            let pitch = style.scale[degree.rem_euclid(tones) as usize] + 12 * octave;
            self.play(part, melody, step, pitch, level, random);
        }
    }

    fn play_drums(&mut self, kit: Kit, random: &mut Random) {
        if kit.level == 0.0 {
            return;
        }
        let drums = [
            (Drum::Kick, kit.kick),
            (Drum::Snare, kit.snare),
            (Drum::Hat { decay_s: kit.hat_s }, kit.hat),
        ];
        for (drum, rhythm) in drums {
            let level = mixed(kit.level, random);
            for step in self.strokes(rhythm, random) {
                let time = self.time_of(step, random);
                if time >= 0.0 {
                    let level = level * random.between(0.7, 1.0);
                    drum.strike(&mut self.out, time as usize, level, random);
                }
            }
        }
    }

    fn root(&self, step: usize) -> i32 {
        self.roots[step / STEPS_A_BAR]
    }

    /// Filters, distorts, adds noise, and brings the whole to its loudness.
    fn finish(mut self, style: &Style, random: &mut Random) -> Vec<i16> {
        let cutoff = style.cutoff_hz * random.between(-0.4, 0.4).exp2();
        let drive = style.drive * random.between(0.7, 1.3);
        let hiss = (style.hiss * random.between(0.3, 2.0) + 1e-4) as f32;
        let loudest = random.between(0.35, 0.95) as f32;

        if drive > 0.0 {
            let gain = drive as f32 / peak(&self.out);
            self.out.iter_mut().for_each(|sample| *sample = (*sample * gain).tanh());
        }
        low_pass(&mut self.out, cutoff);
        low_pass(&mut self.out, cutoff);
        let gain = 1.0 / peak(&self.out);
        for sample in &mut self.out {
            *sample = *sample * gain + hiss * random.between(-1.0, 1.0) as f32;
        }
        let gain = loudest * f32::from(i16::MAX) / peak(&self.out);
        self.out.iter().map(|sample| (sample * gain).round() as i16).collect()
    }
}

/// A level up to 4 dB louder or softer than written.
fn mixed(level: f64, random: &mut Random) -> f64 {
    level * 10_f64.powf(random.between(-4.0, 4.0) / 20.0)
}

/// The largest sample, never zero.
fn peak(samples: &[f32]) -> f32 {
    samples.iter().fold(1e-6, |peak, sample| sample.abs().max(peak))
}

/// Takes away 6 dB an octave above the cutoff.
fn low_pass(samples: &mut [f32], cutoff_hz: f64) {
    let keep = (-std::f64::consts::TAU * cutoff_hz / RATE).exp() as f32;
    let mut last = 0.0;
    for sample in samples {
        last = *sample + (last - *sample) * keep;
        *sample = last;
    }
}
