//! `data.features`: what is computed from a recording, with librosa's defaults.

use super::{Fields, Node};
use crate::data::{Features, MelBands, MelSettings, MfccSettings, RawSettings};
use crate::experiment::error::Fault;

const MAX_SAMPLE_RATE_HZ: u32 = 384_000;
const MAX_FFT: u32 = 1 << 16;
const MAX_MELS: u32 = 1 << 12;
const MAX_FRAMES: u32 = 1 << 20;
const MAX_SAMPLES: u32 = 1 << 28;

#[derive(Debug, Clone, Copy)]
enum Kind {
    Mel,
    Mfcc,
    Raw,
}

const KINDS: [(&str, Kind); 3] = [("mel", Kind::Mel), ("mfcc", Kind::Mfcc), ("raw", Kind::Raw)];
const LATER: [&str; 4] = ["chroma", "stft", "spectrogram", "tempogram"];

/// Reads `features`, a word or a word with options; absent: a mel spectrogram.
pub(super) fn read(node: Option<&Node<'_>>) -> Result<Features, Fault> {
    let Some(node) = node else { return Ok(Kind::Mel.defaults()) };
    if let serde_yaml::Value::String(_) = node.value() {
        return Ok(node.word("feature", &KINDS, &LATER)?.defaults());
    }
    let fields = node.fields("`features`", &KINDS.map(|(key, _)| key), &LATER)?;
    let mut given = KINDS.iter().filter_map(|&(key, kind)| Some((kind, fields.optional(key)?)));
    let Some((kind, options)) = given.next() else {
        return Err(fields.missing("mel").hint("write `features: mel`, `mfcc` or `raw`"));
    };
    if let Some((_, second)) = given.next() {
        return Err(second.fault("one kind of features is computed").hint("keep one of them"));
    }
    kind.read(&options)
}

impl Kind {
    fn defaults(self) -> Features {
        let bands = librosa();
        match self {
            Self::Mel => Features::Mel(MelSettings { bands, frames: None, db: true }),
            Self::Mfcc => Features::Mfcc(MfccSettings { bands, n_mfcc: 20, frames: None }),
            Self::Raw => {
                Features::Raw(RawSettings { sample_rate: bands.sample_rate, samples: None })
            }
        }
    }

    fn read(self, node: &Node<'_>) -> Result<Features, Fault> {
        match self {
            Self::Mel => mel(node).map(Features::Mel),
            Self::Mfcc => mfcc(node).map(Features::Mfcc),
            Self::Raw => raw(node).map(Features::Raw),
        }
    }
}

/// What `librosa.feature.melspectrogram` does without arguments.
fn librosa() -> MelBands {
    MelBands { sample_rate: 22_050, n_fft: 2_048, hop_length: 512, n_mels: 128 }
}

fn mel(node: &Node<'_>) -> Result<MelSettings, Fault> {
    let keys = ["sample_rate", "n_fft", "hop_length", "n_mels", "frames", "db"];
    let later = ["fmin", "fmax", "power", "pad", "win_length", "window", "center"];
    let fields = node.fields("`mel`", &keys, &later)?;
    Ok(MelSettings {
        bands: bands(node, &fields)?,
        frames: frames(&fields)?,
        db: fields.optional("db").map_or(Ok(true), |node| node.boolean())?,
    })
}

fn mfcc(node: &Node<'_>) -> Result<MfccSettings, Fault> {
    let keys = ["sample_rate", "n_mfcc", "n_fft", "hop_length", "n_mels", "frames"];
    let later = ["fmin", "fmax", "power", "pad", "win_length", "window", "center", "lifter"];
    let fields = node.fields("`mfcc`", &keys, &later)?;
    let bands = bands(node, &fields)?;
    let n_mfcc = match fields.optional("n_mfcc") {
        Some(node) => node.whole_u32(1..=MAX_MELS)?,
        None => 20,
    };
    if n_mfcc > bands.n_mels {
        let at = fields.optional("n_mfcc").or(fields.optional("n_mels"));
        return Err(at
            .unwrap_or_else(|| node.clone())
            .fault(format!("{n_mfcc} coefficients are more than the {} mels", bands.n_mels))
            .hint("lower `n_mfcc` or raise `n_mels`"));
    }
    Ok(MfccSettings { bands, n_mfcc, frames: frames(&fields)? })
}

fn raw(node: &Node<'_>) -> Result<RawSettings, Fault> {
    let fields = node.fields("`raw`", &["sample_rate", "samples"], &[])?;
    let samples = match fields.optional("samples") {
        Some(node) => Some(node.whole_u32(1..=MAX_SAMPLES)?),
        None => None,
    };
    Ok(RawSettings { sample_rate: sample_rate(&fields)?, samples })
}

fn sample_rate(fields: &Fields<'_>) -> Result<u32, Fault> {
    match fields.optional("sample_rate") {
        Some(node) => node.whole_u32(1_000..=MAX_SAMPLE_RATE_HZ),
        None => Ok(librosa().sample_rate),
    }
}

fn frames(fields: &Fields<'_>) -> Result<Option<u32>, Fault> {
    fields.optional("frames").map(|node| node.whole_u32(1..=MAX_FRAMES)).transpose()
}

fn bands(node: &Node<'_>, fields: &Fields<'_>) -> Result<MelBands, Fault> {
    let mut bands = librosa();
    bands.sample_rate = sample_rate(fields)?;
    if let Some(node) = fields.optional("n_fft") {
        bands.n_fft = node.whole_u32(16..=MAX_FFT)?;
    }
    if let Some(node) = fields.optional("hop_length") {
        bands.hop_length = node.whole_u32(1..=MAX_FFT)?;
    }
    if let Some(node) = fields.optional("n_mels") {
        bands.n_mels = node.whole_u32(1..=MAX_MELS)?;
    }
    let bins = bands.n_fft / 2 + 1;
    if bands.n_mels > bins {
        let at = fields.optional("n_mels").unwrap_or_else(|| node.clone());
        return Err(at
            .fault(format!(
                "{} mels are more than the {bins} bins of `n_fft: {}`",
                bands.n_mels, bands.n_fft
            ))
            .hint("lower `n_mels` or raise `n_fft`"));
    }
    Ok(bands)
}
