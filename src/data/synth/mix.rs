//! From what was played to what was recorded: room, distortion, equalizer,
//! compression, noise and loudness.

use std::f32::consts::TAU;

use super::super::random::Random;
use super::chance::normal;
use super::style::Sound;
use super::{RATE, SAMPLE_RATE};

const RATE_F32: f32 = SAMPLE_RATE as f32;
/// Samples for which the compressor's gain is aimed at one value: 3 ms.
const BLOCK: usize = 64;
/// Below this the music is as good as silent, and stays so.
const SILENCE: f32 = 1e-4;

/// A gain from decibels.
pub(super) fn from_db(db: f64) -> f32 {
    10_f64.powf(db / 20.0) as f32
}

/// The largest sample, never zero.
fn peak(samples: &[f32]) -> f32 {
    samples.iter().fold(SILENCE, |peak, sample| sample.abs().max(peak))
}

/// Root mean square of what is not silent, never zero.
pub(super) fn loudness(samples: &[f32]) -> f32 {
    let (mut power, mut heard) = (0.0_f64, 0_usize);
    for block in samples.chunks(BLOCK) {
        let block_power: f32 = block.iter().map(|sample| sample * sample).sum();
        if block_power > SILENCE * SILENCE * BLOCK as f32 {
            power += f64::from(block_power);
            heard += block.len();
        }
    }
    ((power / heard.max(1) as f64).sqrt() as f32).max(SILENCE)
}

/// A guitar amplifier: the loud is bent, and the fizz above is taken away.
pub(super) fn amplify(samples: &mut [f32], drive: f32) {
    let gain = drive / loudness(samples);
    samples.iter_mut().for_each(|sample| *sample = bent(*sample * gain));
    let mut cabinet = Equalizer { bands: vec![Biquad::low_pass(4200.0), Biquad::high_pass(70.0)] };
    cabinet.pass(samples);
}

/// Close to a hyperbolic tangent, and odd, smooth and within ±1 like it.
fn bent(sample: f32) -> f32 {
    let x = sample.clamp(-3.0, 3.0);
    x * (27.0 + x * x) / (27.0 + 9.0 * x * x)
}

/// Records what was played.
///
/// Returns samples of 16 bits whose loudest is anywhere from a third of the
/// range to nearly all of it.
pub(super) fn record(mut music: Vec<f32>, sound: &Sound, random: &mut Random) -> Vec<i16> {
    Room::new(sound.room_s, random).pass(&mut music, sound.wet as f32);
    if sound.drive > 0.05 {
        let gain = sound.drive as f32 / loudness(&music);
        music.iter_mut().for_each(|sample| *sample = bent(*sample * gain));
    }
    Equalizer::of_song(sound, random).pass(&mut music);
    compress(&mut music, sound.squeeze as f32);
    let gain = 1.0 / peak(&music);
    let noise = Noise::new(sound, random);
    noise.add(&mut music, gain, random);
    let loudest = random.between(0.35, 0.97) as f32 * f32::from(i16::MAX);
    let gain = loudest / peak(&music);
    music.iter().map(|sample| (sample * gain).round() as i16).collect()
}

/// A filter of second order (Bristow-Johnson's cookbook), transposed form II.
#[derive(Debug, Clone, Copy)]
struct Biquad {
    b: [f32; 3],
    a: [f32; 2],
    state: [f32; 2],
}

impl Biquad {
    fn new(b: [f64; 3], a: [f64; 3]) -> Self {
        let scaled = |value: f64| (value / a[0]) as f32;
        Self { b: b.map(scaled), a: [scaled(a[1]), scaled(a[2])], state: [0.0; 2] }
    }

    /// Cosine of the angle, and how wide the filter is.
    fn shape(hz: f64, q: f64) -> (f64, f64) {
        let angle = std::f64::consts::TAU * hz / RATE;
        (angle.cos(), angle.sin() / (2.0 * q))
    }

    fn low_pass(hz: f64) -> Self {
        let (cos, alpha) = Self::shape(hz, 0.707);
        let side = (1.0 - cos) / 2.0;
        Self::new([side, 2.0 * side, side], [1.0 + alpha, -2.0 * cos, 1.0 - alpha])
    }

    fn high_pass(hz: f64) -> Self {
        let (cos, alpha) = Self::shape(hz, 0.707);
        let side = (1.0 + cos) / 2.0;
        Self::new([side, -2.0 * side, side], [1.0 + alpha, -2.0 * cos, 1.0 - alpha])
    }

    fn peaking(hz: f64, q: f64, db: f64) -> Self {
        let (cos, alpha) = Self::shape(hz, q);
        let root = 10_f64.powf(db / 40.0);
        Self::new(
            [1.0 + alpha * root, -2.0 * cos, 1.0 - alpha * root],
            [1.0 + alpha / root, -2.0 * cos, 1.0 - alpha / root],
        )
    }

    fn high_shelf(hz: f64, db: f64) -> Self {
        let (cos, alpha) = Self::shape(hz, 0.5);
        let a = 10_f64.powf(db / 40.0);
        let root = 2.0 * a.sqrt() * alpha;
        let (plus, minus) = (a + 1.0, a - 1.0);
        Self::new(
            [
                a * (plus + minus * cos + root),
                -2.0 * a * (minus + plus * cos),
                a * (plus + minus * cos - root),
            ],
            [plus - minus * cos + root, 2.0 * (minus - plus * cos), plus - minus * cos - root],
        )
    }

    fn next(&mut self, sample: f32) -> f32 {
        let out = self.b[0] * sample + self.state[0];
        self.state[0] = self.b[1] * sample - self.a[0] * out + self.state[1];
        self.state[1] = self.b[2] * sample - self.a[1] * out;
        out
    }
}

/// Filters, one after the other.
struct Equalizer {
    bands: Vec<Biquad>,
}

impl Equalizer {
    /// The tone of a style with the peaks and holes of one recording.
    fn of_song(sound: &Sound, random: &mut Random) -> Self {
        let mut peak = |low: f64, high: f64| {
            let hz = low * (high / low).powf(random.unit());
            Biquad::peaking(hz, random.between(0.7, 1.6), 2.5 * normal(random))
        };
        let bands = vec![
            peak(80.0, 300.0),
            peak(300.0, 1200.0),
            peak(1000.0, 3000.0),
            peak(2500.0, 7000.0),
            Biquad::high_shelf(900.0, sound.tilt_db),
            Biquad::low_pass(sound.bandwidth_hz),
            Biquad::high_pass(random.between(20.0, 90.0)),
        ];
        Self { bands }
    }

    fn pass(&mut self, samples: &mut [f32]) {
        // Two at a time: enough to keep the processor busy, few enough for its registers.
        for bands in self.bands.chunks_mut(2) {
            match bands {
                [first, second] => {
                    for sample in &mut *samples {
                        *sample = second.next(first.next(*sample));
                    }
                }
                single => {
                    for sample in &mut *samples {
                        *sample = single.iter_mut().fold(*sample, |now, band| band.next(now));
                    }
                }
            }
        }
    }
}

/// Brings the loud down: after a loud moment the gain recovers slowly.
fn compress(samples: &mut [f32], squeeze: f32) {
    let threshold = 0.7 * loudness(samples);
    let (attack, release) = (0.3, BLOCK as f32 / (0.25 * RATE_F32));
    let (mut level, mut gain) = (0.0_f32, 1.0_f32);
    for block in samples.chunks_mut(BLOCK) {
        let now =
            (block.iter().map(|sample| sample * sample).sum::<f32>() / block.len() as f32).sqrt();
        level += (now - level) * if now > level { attack } else { release };
        let wanted = if level > threshold { (threshold / level).powf(squeeze) } else { 1.0 };
        let slope = (wanted - gain) / BLOCK as f32;
        for sample in block {
            gain += slope;
            *sample *= gain;
        }
    }
}

/// A delay that is fed back.
struct Delay {
    line: Vec<f32>,
    at: usize,
}

impl Delay {
    fn new(samples: usize) -> Self {
        Self { line: vec![0.0; samples.max(1)], at: 0 }
    }

    fn read(&self) -> f32 {
        self.line[self.at]
    }

    fn write(&mut self, sample: f32) {
        self.line[self.at] = sample;
        self.at += 1;
        if self.at == self.line.len() {
            self.at = 0;
        }
    }
}

/// A room after Schroeder: parallel combs that dull, then two all-pass filters.
struct Room {
    /// With the gain of its feedback.
    combs: [(Delay, f32); 4],
    dulled: [f32; 4],
    passes: [Delay; 2],
    /// How much of the high each reflection keeps.
    bright: f32,
}

impl Room {
    fn new(seconds: f64, random: &mut Random) -> Self {
        let size = random.between(0.7, 1.3);
        let comb = |delay_s: f64| {
            let delay_s = delay_s * size;
            let gain = 10_f64.powf(-3.0 * delay_s / seconds) as f32;
            (Delay::new((delay_s * RATE) as usize), gain)
        };
        let pass = |delay_s: f64| Delay::new((delay_s * size * RATE) as usize);
        Self {
            combs: [0.0297, 0.0371, 0.0411, 0.0437].map(comb),
            dulled: [0.0; 4],
            passes: [0.005, 0.0017].map(pass),
            bright: random.between(0.35, 0.8) as f32,
        }
    }

    fn pass(mut self, samples: &mut [f32], wet: f32) {
        for sample in samples {
            let dry = *sample;
            let mut sum = 0.0;
            for ((delay, gain), dulled) in self.combs.iter_mut().zip(&mut self.dulled) {
                let echo = delay.read();
                *dulled += self.bright * (echo - *dulled);
                delay.write(dry + *gain * *dulled);
                sum += echo;
            }
            for delay in &mut self.passes {
                let echo = delay.read();
                let fed = sum - 0.7 * echo;
                delay.write(fed);
                sum = echo + 0.7 * fed;
            }
            *sample = dry + wet * 0.5 * sum;
        }
    }
}

/// What a recording has beside the music.
struct Noise {
    hiss: f32,
    /// How much of the hiss's high is kept.
    bright: f32,
    /// Level and pitch of the mains.
    hum: (f32, f32),
    /// Probability of a crackle in a block.
    crackle: f64,
}

impl Noise {
    fn new(sound: &Sound, random: &mut Random) -> Self {
        let hum = if random.chance(0.2) { random.between(-52.0, -36.0) } else { -120.0 };
        Self {
            hiss: from_db(sound.hiss_db),
            bright: random.between(0.2, 1.0) as f32,
            hum: (from_db(hum), if random.chance(0.5) { 50.0 } else { 60.0 }),
            crackle: if random.chance(0.12) { random.between(0.005, 0.06) } else { 0.0 },
        }
    }

    /// Adds the noise to music that is brought to a peak of 1 first.
    fn add(&self, samples: &mut [f32], gain: f32, random: &mut Random) {
        let (hum, hum_hz) = self.hum;
        let (mut hiss, mut crackle) = (0.0_f32, 0.0_f32);
        // Of the mains, straight lines from block to block: they are slow enough.
        let (mut angle, mut mains) = (0.0_f32, 0.0_f32);
        for block in samples.chunks_mut(BLOCK) {
            let click = if random.chance(self.crackle) { random.below(BLOCK) } else { BLOCK };
            angle = (angle + TAU * hum_hz * BLOCK as f32 / RATE_F32) % TAU;
            let next = hum * (angle.sin() + 0.4 * (3.0 * angle).sin());
            let slope = (next - mains) / BLOCK as f32;
            for (index, sample) in block.iter_mut().enumerate() {
                mains += slope;
                // The upper bits, as a number in [-1, 1).
                let white = (random.bits() >> 32) as u32 as i32 as f32 * 2_f32.powi(-31);
                hiss += self.bright * (white - hiss);
                if index == click {
                    crackle = 0.4 * white;
                }
                *sample = *sample * gain + self.hiss * hiss + mains + crackle;
                crackle *= 0.7;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Level of a sine after a filter, in decibels.
    fn response_db(mut band: Biquad, hz: f32) -> f64 {
        let sine: Vec<f32> = (0..22_050).map(|n| (TAU * hz * n as f32 / RATE_F32).sin()).collect();
        let out: Vec<f32> = sine.iter().map(|sample| band.next(*sample)).collect();
        f64::from(20.0 * (loudness(&out[2000..]) / loudness(&sine[2000..])).log10())
    }

    #[test]
    fn filters_have_their_gains() {
        assert!((response_db(Biquad::peaking(1000.0, 1.0, 6.0), 1000.0) - 6.0).abs() < 0.1);
        assert!(response_db(Biquad::peaking(1000.0, 1.0, 6.0), 60.0).abs() < 0.2);
        assert!((response_db(Biquad::low_pass(1000.0), 1000.0) + 3.0).abs() < 0.1);
        assert!(response_db(Biquad::low_pass(1000.0), 4000.0) < -23.0);
        assert!(response_db(Biquad::high_pass(1000.0), 250.0) < -23.0);
        assert!((response_db(Biquad::high_shelf(900.0, 8.0), 9000.0) - 8.0).abs() < 0.4);
        assert!(response_db(Biquad::high_shelf(900.0, 8.0), 50.0).abs() < 0.4);
    }

    #[test]
    fn a_compressor_brings_the_loud_nearer_to_the_soft() {
        let loud_then_soft = |n: usize| if n < 20_000 { 1.0 } else { 0.1 };
        let music: Vec<f32> = (0..60_000)
            .map(|n| loud_then_soft(n) * (TAU * 440.0 * n as f32 / RATE_F32).sin())
            .collect();
        let ratio = |music: &[f32]| loudness(&music[10_000..20_000]) / loudness(&music[50_000..]);
        let mut squeezed = music.clone();
        compress(&mut squeezed, 0.8);
        assert!((ratio(&music) - 10.0).abs() < 0.1);
        assert!(ratio(&squeezed) < 7.0, "{}", ratio(&squeezed));
        let mut same = music.clone();
        compress(&mut same, 0.0);
        assert_eq!(same, music);
    }

    #[test]
    fn a_room_rings_on() {
        let mut click = vec![0.0; 22_050];
        click[0] = 1.0;
        Room::new(2.0, &mut Random::new(&[1])).pass(&mut click, 0.5);
        let early = loudness(&click[2000..4000]);
        let late = loudness(&click[12_000..14_000]);
        assert!(click[0] == 1.0 && early > 5.0 * late && late > SILENCE, "{early} {late}");
    }

    #[test]
    fn silence_is_recorded_as_noise_and_no_more() {
        let sound = Sound {
            tilt_db: 0.0,
            bandwidth_hz: 8000.0,
            drive: 0.5,
            squeeze: 0.5,
            room_s: 1.0,
            wet: 0.2,
            hiss_db: -60.0,
        };
        for seed in 0..5 {
            let recorded = record(vec![0.0; 1000], &sound, &mut Random::new(&[seed]));
            assert_eq!(recorded.len(), 1000);
            assert!(recorded.iter().any(|sample| *sample != 0));
        }
    }
}
