//! `data.features`: what is computed from a recording, with librosa's defaults.

use super::{Fields, Node};
use crate::data::{
    Crop, Features, MelBands, MelSettings, MfccSettings, Pad, RawSettings, Reference, Window,
};
use crate::experiment::error::Fault;

const MAX_SAMPLE_RATE_HZ: u32 = 384_000;
const MAX_FFT: u32 = 1 << 16;
const MAX_MELS: u32 = 1 << 12;
const MAX_FRAMES: u32 = 1 << 20;
const MAX_SAMPLES: u32 = 1 << 28;
const MIN_POWER: f64 = 0.01;
const MAX_POWER: f64 = 4.0;
const MAX_LIFTER: f64 = 1e6;

/// Windows by SciPy's names for them, of which the last three are one window.
const WINDOWS: [(&str, Window); 14] = [
    ("hann", Window::Hann),
    ("hamming", Window::Hamming),
    ("blackman", Window::Blackman),
    ("blackmanharris", Window::BlackmanHarris),
    ("nuttall", Window::Nuttall),
    ("flattop", Window::FlatTop),
    ("bartlett", Window::Bartlett),
    ("triang", Window::Triang),
    ("cosine", Window::Cosine),
    ("bohman", Window::Bohman),
    ("parzen", Window::Parzen),
    ("rectangular", Window::Rectangular),
    ("boxcar", Window::Rectangular),
    ("ones", Window::Rectangular),
];
/// Those that take a parameter.
const OTHER_WINDOWS: [&str; 5] = ["kaiser", "gaussian", "tukey", "exponential", "taylor"];
const CROPS: [(&str, Crop); 3] =
    [("start", Crop::Start), ("center", Crop::Center), ("end", Crop::End)];

/// Keys of [`MelBands`].
const BANDS: [&str; 10] = [
    "sample_rate",
    "n_fft",
    "hop_length",
    "win_length",
    "window",
    "n_mels",
    "fmin",
    "fmax",
    "htk",
    "power",
];
/// Keys that bring the time axis to one length.
const LENGTH: [&str; 3] = ["frames", "crop", "pad"];
const OTHER_OPTIONS: [&str; 4] = ["center", "pad_mode", "norm", "dct_type"];

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
        match self {
            Self::Mel => Features::Mel(MelSettings::LIBROSA),
            Self::Mfcc => Features::Mfcc(MfccSettings::LIBROSA),
            Self::Raw => Features::Raw(RawSettings {
                sample_rate: MelBands::LIBROSA.sample_rate,
                samples: None,
            }),
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

fn mel(node: &Node<'_>) -> Result<MelSettings, Fault> {
    let keys = [&BANDS[..], &LENGTH, &["db", "reference", "top_db"]].concat();
    let fields = node.fields("`mel`", &keys, &OTHER_OPTIONS)?;
    let mut settings = MelSettings { bands: bands(node, &fields)?, ..MelSettings::LIBROSA };
    (settings.frames, settings.crop, settings.pad) = length(&fields)?;
    if let Some(node) = fields.optional("db") {
        settings.db = node.boolean()?;
    }
    if !settings.db {
        for key in ["reference", "top_db"] {
            if let Some(node) = fields.optional(key) {
                let fault = node.fault(format!("`{key}` is for decibels, and `db` is `false`"));
                return Err(fault.self_contained().hint("leave it out, or write `db: true`"));
            }
        }
    }
    if let Some(node) = fields.optional("reference") {
        settings.reference = match node.value().as_str() {
            Some("max") => Reference::Max,
            _ => Reference::Power(node.real("`max` or a power above 0", |power| power > 0.0)?),
        };
    }
    settings.top_db = top_db(&fields)?;
    Ok(settings)
}

fn mfcc(node: &Node<'_>) -> Result<MfccSettings, Fault> {
    let keys = [&["n_mfcc"], &BANDS[..], &["lifter"], &LENGTH, &["top_db"]].concat();
    let fields = node.fields("`mfcc`", &keys, &OTHER_OPTIONS)?;
    let mut settings = MfccSettings { bands: bands(node, &fields)?, ..MfccSettings::LIBROSA };
    if let Some(node) = fields.optional("n_mfcc") {
        settings.n_mfcc = node.whole_u32(1..=MAX_MELS)?;
    }
    let (n_mfcc, n_mels) = (settings.n_mfcc, settings.bands.n_mels);
    if n_mfcc > n_mels {
        let at = fields.optional("n_mfcc").or(fields.optional("n_mels"));
        return Err(at
            .unwrap_or_else(|| node.clone())
            .fault(format!("{n_mfcc} coefficients are more than the {n_mels} mels"))
            .hint("lower `n_mfcc` or raise `n_mels`"));
    }
    if let Some(node) = fields.optional("lifter") {
        let possible = |lifter| (0.0..=MAX_LIFTER).contains(&lifter);
        settings.lifter = node.real("a number from 0 to 1000000", possible)?;
    }
    (settings.frames, settings.crop, settings.pad) = length(&fields)?;
    settings.top_db = top_db(&fields)?;
    Ok(settings)
}

/// Decibels from the loudest to the floor, or `none`.
fn top_db(fields: &Fields<'_>) -> Result<Option<f64>, Fault> {
    let Some(node) = fields.optional("top_db") else { return Ok(MelSettings::LIBROSA.top_db) };
    if node.value().is_null() || node.value().as_str() == Some("none") {
        return Ok(None);
    }
    node.real("`none` or a number of decibels, at least 0", |top_db| top_db >= 0.0).map(Some)
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
        None => Ok(MelBands::LIBROSA.sample_rate),
    }
}

/// How many frames, what is kept of more, and what is added to fewer.
fn length(fields: &Fields<'_>) -> Result<(Option<u32>, Crop, Pad), Fault> {
    let frames =
        fields.optional("frames").map(|node| node.whole_u32(1..=MAX_FRAMES)).transpose()?;
    if frames.is_none() {
        for key in ["crop", "pad"] {
            if let Some(node) = fields.optional(key) {
                let fault = node.fault(format!("`{key}` is for `frames`, which is not given"));
                return Err(fault.self_contained().hint("leave it out, or say how many `frames`"));
            }
        }
    }
    let crop = match fields.optional("crop") {
        Some(node) => node.word("crop", &CROPS, &[])?,
        None => Crop::Start,
    };
    let pad = match fields.optional("pad") {
        None => Pad::Floor,
        Some(node) if node.value().as_str() == Some("floor") => Pad::Floor,
        Some(node) => {
            let possible = |value: f64| (value as f32).is_finite();
            Pad::Value(node.real("`floor` or a number", possible)? as f32)
        }
    };
    Ok((frames, crop, pad))
}

fn bands(node: &Node<'_>, fields: &Fields<'_>) -> Result<MelBands, Fault> {
    let mut bands = MelBands::LIBROSA;
    bands.sample_rate = sample_rate(fields)?;
    if let Some(node) = fields.optional("n_fft") {
        bands.n_fft = node.whole_u32(16..=MAX_FFT)?;
    }
    if let Some(node) = fields.optional("hop_length") {
        bands.hop_length = node.whole_u32(1..=MAX_FFT)?;
    }
    if let Some(node) = fields.optional("win_length") {
        let win_length = node.whole_u32(1..=MAX_FFT)?;
        if win_length > bands.n_fft {
            let n_fft = bands.n_fft;
            return Err(node
                .fault(format!("a window of {win_length} samples is longer than `n_fft: {n_fft}`"))
                .hint("lower `win_length` or raise `n_fft`"));
        }
        bands.win_length = (win_length < bands.n_fft).then_some(win_length);
    }
    if let Some(node) = fields.optional("window") {
        bands.window = node.word("window", &WINDOWS, &OTHER_WINDOWS)?;
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
    (bands.fmin, bands.fmax) = limits(fields, bands.sample_rate)?;
    if let Some(node) = fields.optional("htk") {
        bands.htk = node.boolean()?;
    }
    if let Some(node) = fields.optional("power") {
        let possible = |power| (MIN_POWER..=MAX_POWER).contains(&power);
        bands.power = node.real("a number from 0.01 to 4", possible)?;
    }
    Ok(bands)
}

/// Where the lowest band begins, and where the highest ends, in Hz.
fn limits(fields: &Fields<'_>, sample_rate: u32) -> Result<(f64, Option<f64>), Fault> {
    let frequency = |key| {
        let read =
            |node: Node<'_>| node.real("a frequency in Hz, at least 0", |hertz| hertz >= 0.0);
        fields.optional(key).map(read).transpose()
    };
    let highest = f64::from(sample_rate) / 2.0;
    let (fmin, fmax) = (frequency("fmin")?.unwrap_or(0.0), frequency("fmax")?);
    if let Some(fmax) = fmax.filter(|&fmax| fmax > highest) {
        return Err(fields
            .required("fmax")?
            .fault(format!(
                "{fmax} Hz are above {highest}, the highest frequency at `sample_rate: {sample_rate}`"
            ))
            .hint("lower `fmax` or raise `sample_rate`"));
    }
    let upper = fmax.unwrap_or(highest);
    if fmin >= upper {
        let at = fields.optional("fmin").or(fields.optional("fmax"));
        return Err(at
            .unwrap_or_else(|| fields.node().clone())
            .fault(format!("no frequency is above `fmin`, {fmin} Hz, and below `fmax`, {upper} Hz"))
            .hint("lower `fmin` or raise `fmax`"));
    }
    Ok((fmin, fmax.filter(|&fmax| fmax < highest)))
}
