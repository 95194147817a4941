//! What is measured of a recording: loudness, zero crossings, and where its
//! spectrum has its centre.
//!
//! They are librosa's `rms`, `zero_crossing_rate` and `spectral_centroid` with
//! `center=False`, averaged over frames of 2048 samples, 512 apart.

use std::f64::consts::TAU;

use realfft::RealFftPlanner;

/// Samples of a frame, and from one frame to the next.
const FRAME: usize = 2048;
const HOP: usize = 512;

/// What is measured of a recording.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Measures {
    /// Root of the mean of squares; full scale is 1.
    pub(super) loudness: f64,
    /// Share of samples at which the sign changes.
    pub(super) crossings: f64,
    /// Mean frequency, weighted by magnitude, in Hz; of frames that are not silent.
    pub(super) centroid_hz: f64,
}

/// Measures a recording. What is shorter than a frame is filled with silence.
///
/// - `samples`: mono, in [-1, 1]
pub(super) fn measure(samples: &[f32], sample_rate: u32) -> Measures {
    let mut filled = Vec::new();
    let samples = match samples.len() < FRAME {
        true => {
            filled.extend_from_slice(samples);
            filled.resize(FRAME, 0.0);
            &filled[..]
        }
        false => samples,
    };
    let plan = RealFftPlanner::<f64>::new().plan_fft_forward(FRAME);
    let (mut weighed, mut spectrum) = (plan.make_input_vec(), plan.make_output_vec());
    let window: Vec<f64> =
        (0..FRAME).map(|n| 0.5 - 0.5 * (TAU * n as f64 / FRAME as f64).cos()).collect();
    let (mut loudness, mut crossings, mut centroid) = (0.0, 0.0, 0.0);
    let (mut frames, mut audible) = (0.0, 0.0);
    for frame in samples.windows(FRAME).step_by(HOP) {
        frames += 1.0;
        let energy: f64 = frame.iter().map(|&sample| f64::from(sample).powi(2)).sum();
        loudness += (energy / FRAME as f64).sqrt();
        let changes = frame.windows(2).filter(|pair| (pair[0] < 0.0) != (pair[1] < 0.0)).count();
        crossings += changes as f64 / FRAME as f64;
        for ((value, &sample), weight) in weighed.iter_mut().zip(frame).zip(&window) {
            *value = f64::from(sample) * weight;
        }
        plan.process(&mut weighed, &mut spectrum).expect("the buffers are the plan's");
        let (mut moment, mut sum) = (0.0, 0.0);
        for (bin, value) in spectrum.iter().enumerate() {
            let magnitude = value.norm_sqr().sqrt();
            moment += bin as f64 * magnitude;
            sum += magnitude;
        }
        if sum > 0.0 {
            audible += 1.0;
            centroid += moment / sum * f64::from(sample_rate) / FRAME as f64;
        }
    }
    let centroid_hz = if audible > 0.0 { centroid / audible } else { 0.0 };
    Measures { loudness: loudness / frames, crossings: crossings / frames, centroid_hz }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_is_where_it_is() {
        let tone: Vec<f32> = (0..22_050)
            .map(|n| (TAU * 1000.0 * f64::from(n) / 22_050.0).sin() as f32 * 0.5)
            .collect();
        let Measures { loudness, crossings, centroid_hz } = measure(&tone, 22_050);
        assert!((loudness - 0.5 / 2.0_f64.sqrt()).abs() < 1e-3, "{loudness}");
        assert!((crossings - 2000.0 / 22_050.0).abs() < 1e-3, "{crossings}");
        assert!((centroid_hz - 1000.0).abs() < 5.0, "{centroid_hz}");
    }

    #[test]
    fn silence_and_a_click_are_measured() {
        let silence = measure(&[0.0; 5000], 8000);
        assert_eq!(silence, Measures { loudness: 0.0, crossings: 0.0, centroid_hz: 0.0 });
        let short = measure(&[1.0], 8000);
        assert!(short.loudness > 0.0 && short.loudness < 0.1);
        assert_eq!(measure(&[], 8000), silence);
    }
}
