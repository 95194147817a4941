//! Transforms of any length, by a library.

use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

use super::LANES;

pub(in crate::data::features) struct Other {
    window: Vec<f64>,
    plan: Arc<dyn RealToComplex<f64>>,
}

/// Buffers of one thread.
pub(in crate::data::features) struct Buffers {
    frame: Vec<f64>,
    spectrum: Vec<Complex<f64>>,
    scratch: Vec<Complex<f64>>,
}

impl Other {
    pub(super) fn new(window: Vec<f64>) -> Self {
        let plan = RealFftPlanner::new().plan_fft_forward(window.len());
        Self { window, plan }
    }

    pub(super) fn buffers(&self) -> Buffers {
        let plan = &self.plan;
        let (frame, spectrum) = (plan.make_input_vec(), plan.make_output_vec());
        Buffers { frame, spectrum, scratch: plan.make_scratch_vec() }
    }

    /// See [`super::Transform::power`].
    pub(super) fn power(
        &self,
        frames: &[&[f32]; LANES],
        buffers: &mut Buffers,
        power: &mut [[f32; LANES]],
    ) {
        let Buffers { frame, spectrum, scratch } = buffers;
        for (lane, samples) in frames.iter().enumerate() {
            for ((value, &sample), weight) in frame.iter_mut().zip(*samples).zip(&self.window) {
                *value = f64::from(sample) * weight;
            }
            self.plan
                .process_with_scratch(frame, spectrum, scratch)
                .expect("the buffers are the plan's");
            for (power, number) in power.iter_mut().zip(&*spectrum) {
                power[lane] = number.norm_sqr() as f32;
            }
        }
    }
}
