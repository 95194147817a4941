//! The `data:` section: recordings, features and the split.

use std::path::PathBuf;

use super::error::Fault;
use super::node::{Fields, Node, shorten};
use super::search::MAX_SEED;
use crate::data::{DataSettings, MelSettings, Source, SplitSettings, SynthSettings};

const MAX_CLASSES: u32 = 10_000;
const MAX_CLIPS: u32 = 100_000;
const MAX_SECONDS: f64 = 3_600.0;
const MAX_SAMPLE_RATE_HZ: u32 = 384_000;
const MAX_FFT: u32 = 1 << 16;
const MAX_MELS: u32 = 1 << 12;
const MAX_FRAMES: u32 = 1 << 20;

/// Reads the section.
pub(super) fn read(node: &Node<'_>) -> Result<DataSettings, Fault> {
    let keys = ["audio", "synthetic", "classes", "features", "split"];
    let later = ["csv", "images", "npy", "group", "slices", "cache"];
    let fields = node.fields("`data`", &keys, &later)?;
    let source = source(&fields)?;
    let classes = match fields.optional("classes") {
        Some(node) => Some(classes(&node, &source)?),
        None => None,
    };
    let features = match fields.optional("features") {
        Some(node) => features(&node)?,
        None => librosa(),
    };
    let split = split(fields.optional("split").as_ref())?;
    Ok(DataSettings { source, classes, features, split })
}

fn source(fields: &Fields<'_>) -> Result<Source, Fault> {
    match (fields.optional("audio"), fields.optional("synthetic")) {
        (Some(node), None) => {
            let folder = node.text()?;
            if folder.is_empty() {
                return Err(node.fault("the name of the folder is empty"));
            }
            Ok(Source::Audio(PathBuf::from(folder.as_ref())))
        }
        (None, Some(node)) => synthetic(&node).map(Source::Synthetic),
        (None, None) => Err(fields.missing("audio").hint(
            "write `audio: DIR`, a folder with a folder for each class, or `synthetic: {classes: \
             10, clips: 20, seconds: 6}`",
        )),
        (Some(_), Some(node)) => {
            Err(node.fault("the data are either `audio` or `synthetic`").hint("keep one of them"))
        }
    }
}

fn synthetic(node: &Node<'_>) -> Result<SynthSettings, Fault> {
    let fields = node.fields("`synthetic`", &["classes", "clips", "seconds", "seed"], &[])?;
    let seed = match fields.optional("seed") {
        Some(node) => node.whole(0..=MAX_SEED)?,
        None => 0,
    };
    Ok(SynthSettings {
        classes: fields.required("classes")?.whole_u32(2..=MAX_CLASSES)?,
        clips: fields.required("clips")?.whole_u32(1..=MAX_CLIPS)?,
        seconds: fields
            .required("seconds")?
            .real("a number of seconds above 0, at most 3600", |seconds| {
                seconds > 0.0 && seconds <= MAX_SECONDS
            })?,
        seed,
    })
}

fn classes(node: &Node<'_>, source: &Source) -> Result<Vec<String>, Fault> {
    if let Source::Synthetic(_) = source {
        return Err(node
            .fault("synthetic data name their own classes")
            .hint("leave out `classes` here, and say how many under `synthetic`"));
    }
    let items = node.items()?;
    if items.len() < 2 || items.len() > MAX_CLASSES as usize {
        return Err(
            node.fault(format!("expected from 2 to {MAX_CLASSES} classes, found {}", items.len()))
        );
    }
    let mut classes: Vec<String> = Vec::with_capacity(items.len());
    for item in items {
        let class = item.text()?.into_owned();
        if class.is_empty() || class.contains(['/', '\\', '\0']) || class.starts_with('.') {
            let fault = item.fault(format!("`{}` cannot be a class", shorten(&class)));
            return Err(fault.hint("a class is the name of a folder in `audio`"));
        }
        if classes.contains(&class) {
            return Err(item.fault(format!("`{}` is listed twice", shorten(&class))));
        }
        classes.push(class);
    }
    classes.sort();
    Ok(classes)
}

/// What `librosa.feature.melspectrogram` does without arguments.
fn librosa() -> MelSettings {
    MelSettings {
        sample_rate: 22_050,
        n_fft: 2_048,
        hop_length: 512,
        n_mels: 128,
        frames: None,
        db: true,
    }
}

fn features(node: &Node<'_>) -> Result<MelSettings, Fault> {
    let later = ["mfcc", "chroma", "raw", "stft", "spectrogram", "tempogram"];
    if let serde_yaml::Value::String(_) = node.value() {
        node.word("feature", &[("mel", ())], &later)?;
        return Ok(librosa());
    }
    let fields = node.fields("`features`", &["mel"], &later)?;
    let node = fields.required("mel")?;
    let keys = ["sample_rate", "n_fft", "hop_length", "n_mels", "frames", "db"];
    let later = ["fmin", "fmax", "power", "pad", "win_length", "window", "center"];
    let fields = node.fields("`mel`", &keys, &later)?;
    let mut mel = librosa();
    if let Some(node) = fields.optional("sample_rate") {
        mel.sample_rate = node.whole_u32(1_000..=MAX_SAMPLE_RATE_HZ)?;
    }
    if let Some(node) = fields.optional("n_fft") {
        mel.n_fft = node.whole_u32(16..=MAX_FFT)?;
    }
    if let Some(node) = fields.optional("hop_length") {
        mel.hop_length = node.whole_u32(1..=MAX_FFT)?;
    }
    if let Some(node) = fields.optional("n_mels") {
        mel.n_mels = node.whole_u32(1..=MAX_MELS)?;
    }
    if let Some(node) = fields.optional("frames") {
        mel.frames = Some(node.whole_u32(1..=MAX_FRAMES)?);
    }
    if let Some(node) = fields.optional("db") {
        mel.db = node.boolean()?;
    }
    let bins = mel.n_fft / 2 + 1;
    if mel.n_mels > bins {
        let at = fields.optional("n_mels").unwrap_or(node);
        return Err(at
            .fault(format!(
                "{} mels are more than the {bins} bins of `n_fft: {}`",
                mel.n_mels, mel.n_fft
            ))
            .hint("lower `n_mels` or raise `n_fft`"));
    }
    Ok(mel)
}

fn split(node: Option<&Node<'_>>) -> Result<SplitSettings, Fault> {
    let mut split = SplitSettings { test: 0.2, validation: 0.1, seed: 42 };
    let Some(node) = node else {
        return Ok(split);
    };
    let fields = node.fields("`split`", &["test", "validation", "seed"], &["group", "stratify"])?;
    if let Some(node) = fields.optional("test") {
        split.test = node.real("a share in [0, 1)", |share| (0.0..1.0).contains(&share))?;
    }
    if let Some(node) = fields.optional("validation") {
        split.validation = node.real("a share in (0, 1)", |share| share > 0.0 && share < 1.0)?;
    }
    if let Some(node) = fields.optional("seed") {
        split.seed = node.whole(0..=MAX_SEED)?;
    }
    Ok(split)
}
