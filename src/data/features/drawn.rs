//! What people look at: the mel spectrogram and the MFCCs of a piece of music.
//!
//! Pictures are drawn with the settings' bands, and whole: whatever of them
//! becomes an example.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use super::bank::Scratch;
use super::filters::Scale;
use super::mel::Mel;
use super::mfcc::Mfcc;
use crate::data::source::files::MAX_FILE_BYTES;
use crate::data::source::recording;
use crate::data::{Features, MelBands, MelSettings, MfccSettings, RawSettings};

/// Numbers over time.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Picture {
    /// `[rows, frames]`, C order; the lowest frequency first.
    pub(crate) values: Vec<f32>,
    pub(crate) rows: usize,
    pub(crate) frames: usize,
}

/// What is drawn, and how.
pub(crate) struct Drawer {
    pub(crate) bands: MelBands,
    mel: Mel,
    mfcc: Mfcc,
    n_mfcc: usize,
}

impl Drawer {
    pub(crate) fn new(features: &Features) -> Self {
        let usual = MfccSettings::LIBROSA;
        let (bands, n_mfcc) = match features {
            Features::Mel(MelSettings { bands, .. }) => (*bands, usual.n_mfcc),
            Features::Mfcc(MfccSettings { bands, n_mfcc, .. }) => (*bands, *n_mfcc),
            Features::Raw(RawSettings { sample_rate, .. }) => {
                (MelBands { sample_rate: *sample_rate, ..MelBands::LIBROSA }, usual.n_mfcc)
            }
        };
        let n_mfcc = n_mfcc.min(bands.n_mels);
        Self {
            bands,
            mel: Mel::new(&MelSettings { bands, ..MelSettings::LIBROSA }),
            mfcc: Mfcc::new(&MfccSettings { bands, n_mfcc, ..usual }),
            n_mfcc: n_mfcc as usize,
        }
    }

    /// The beginning of a recording: mono, at the rate of the bands.
    ///
    /// # Errors
    ///
    /// Why it cannot be used.
    pub(crate) fn load(&self, path: &Path, seconds: f64) -> Result<Vec<f32>, String> {
        let unreadable = |cause: std::io::Error| format!("cannot be read: {cause}");
        let mut bytes = Vec::new();
        File::open(path)
            .and_then(|file| file.take(MAX_FILE_BYTES).read_to_end(&mut bytes))
            .map_err(unreadable)?;
        let mut recording =
            recording::decode(&bytes, Vec::new()).map_err(|error| error.to_string())?;
        let at_most = (seconds * f64::from(recording.sample_rate)).round() as usize;
        recording.samples.truncate(at_most);
        recording::resample(recording, self.bands.sample_rate).map_err(|error| error.to_string())
    }

    /// Decibels below the loudest band, at least -80; none where the samples
    /// make no frame.
    pub(crate) fn mel(&self, samples: &[f32]) -> Option<Picture> {
        let mut values = Vec::new();
        let frames = self.mel.append(samples, &mut Scratch::default(), &mut values).ok()?;
        Some(Picture { values, rows: self.bands.n_mels as usize, frames })
    }

    /// Cepstral coefficients; none where the samples make no frame.
    pub(crate) fn mfcc(&self, samples: &[f32]) -> Option<Picture> {
        let mut values = Vec::new();
        let frames = self.mfcc.append(samples, &mut Scratch::default(), &mut values).ok()?;
        let rows = self.n_mfcc;
        let across = (0..rows * frames).map(|at| values[at % frames * rows + at / frames]);
        Some(Picture { values: across.collect(), rows, frames })
    }

    /// Where a frequency lies in a mel spectrogram: 0 at the lower edge, 1 at
    /// the upper one; outside of that where no band reaches.
    pub(crate) fn height_of(&self, hertz: f64) -> f64 {
        // The centre of band `b` is `b + 1` steps of mel above the lowest edge.
        let scale = Scale::of(&self.bands);
        let mel_of = |hertz| scale.mel_of(hertz);
        let (lowest, highest) = (mel_of(self.bands.fmin), mel_of(self.bands.highest()));
        let step = (highest - lowest) / f64::from(self.bands.n_mels + 1);
        ((mel_of(hertz) - lowest) / step - 0.5) / f64::from(self.bands.n_mels)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::f64::consts::TAU;

    use super::*;

    #[test]
    fn a_tone_is_drawn_at_its_height() {
        let settings = RawSettings { sample_rate: 22_050, samples: None };
        let drawer = Drawer::new(&Features::Raw(settings));
        for hertz in [500.0, 1000.0, 4000.0] {
            let samples: Vec<f32> =
                (0..22_050).map(|n| (TAU * hertz * f64::from(n) / 22_050.0).sin() as f32).collect();
            let picture = drawer.mel(&samples).unwrap();
            assert_eq!((picture.rows, picture.frames), (128, 44));
            let middle = |row: &usize| picture.values[row * 44 + 22];
            let loudest = (0..128).max_by(|a, b| middle(a).total_cmp(&middle(b))).unwrap();
            let height = drawer.height_of(hertz) * 128.0;
            assert!((height - (loudest as f64 + 0.5)).abs() <= 1.0, "{hertz}: {height} {loudest}");
        }
    }

    #[test]
    fn coefficients_go_across() {
        let bands = MelBands { sample_rate: 8000, ..MelBands::LIBROSA };
        let settings = MfccSettings { bands, n_mfcc: 3, ..MfccSettings::LIBROSA };
        let drawer = Drawer::new(&Features::Mfcc(settings.clone()));
        let samples: Vec<f32> = (0..8000).map(|n| (n as f32 * 0.3).sin()).collect();
        let picture = drawer.mfcc(&samples).unwrap();
        let mfcc = Mfcc::new(&settings);
        let mut along = Vec::new();
        let frames = mfcc.append(&samples, &mut Scratch::default(), &mut along).unwrap();
        assert_eq!((picture.rows, picture.frames), (3, frames));
        assert_eq!(picture.values[picture.frames + 2], along[2 * 3 + 1]);
    }
}
