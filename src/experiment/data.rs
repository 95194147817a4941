//! The `data:` section: where examples come from, what is computed from
//! recordings, and the split.
//!
//! What belongs to another source than the one given is refused, never ignored.

mod arrays;
mod features;
mod split;

use std::path::PathBuf;

pub(super) use self::split::executions;

use super::error::Fault;
use super::names::all_of;
use super::node::{Fields, Node, shorten};
use super::search::MAX_SEED;
use crate::data::{
    Channels, DataError, DataSettings, ImageSettings, Origin, RecordingSettings, Slices, Source,
    SynthSettings, TableSettings,
};

const MAX_CLASSES: u32 = 10_000;
const MAX_CLIPS: u32 = 100_000;
const MAX_SECONDS: f64 = 3_600.0;
const MAX_SLICES: u32 = 10_000;
const MAX_COLUMNS: u32 = 1 << 20;
const MAX_IMAGE_SIDE: u32 = 4_096;

/// Keys of which one says where the data come from.
const SOURCES: [&str; 5] = ["audio", "synthetic", "csv", "images", "npy"];
/// Keys that say what is made of recordings.
const OF_RECORDINGS: [&str; 4] = ["clip", "slice", "slices", "features"];
const LATER: [&str; 1] = ["cache"];
/// Words for what the network does instead, from the examples to train on only.
const SCALINGS: [&str; 5] = ["scale", "scaling", "scaler", "normalize", "normalization"];

/// Reads the section.
pub(super) fn read(node: &Node<'_>) -> Result<DataSettings, Fault> {
    let keys: Vec<&str> = [&SOURCES[..], &["classes"], &OF_RECORDINGS, &["split"]].concat();
    if let Some((key, value)) = SCALINGS.iter().find_map(|key| Some((key, node.value().get(key)?)))
    {
        let fault = node.child(key, value).fault(format!("`{key}` is not a matter of the data"));
        return Err(fault.self_contained().hint(
            "put `normalization` or `min_max_scaling` first into `model`: they take their numbers \
             of the examples to train on only, and the model keeps them",
        ));
    }
    let fields = node.fields("`data`", &keys, &LATER)?;
    let source = source(&fields)?;
    let classes = match fields.optional("classes") {
        Some(node) => Some(classes(&node, &source)?),
        None => None,
    };
    let split = split::read(fields.optional("split").as_ref())?;
    let settings = DataSettings { source, classes, split };
    match settings.check() {
        Ok(()) => Ok(settings),
        Err(error) => Err(impossible(&fields, &error)),
    }
}

/// The fault of values that are possible, each by itself, but not together.
fn impossible(fields: &Fields<'_>, error: &DataError) -> Fault {
    let DataError::Settings { field, problem, .. } = error else {
        return fields.node().fault(error.to_string());
    };
    let mut at = fields.node().clone();
    for key in field.split('.') {
        let Some(value) = at.value().get(key) else { break };
        at = at.child(key, value);
    }
    let fault = at.fault(problem.clone());
    match error.hint() {
        Some(hint) => fault.hint(hint),
        None => fault,
    }
}

fn source(fields: &Fields<'_>) -> Result<Source, Fault> {
    let given: Vec<&str> =
        SOURCES.into_iter().filter(|key| fields.optional(key).is_some()).collect();
    if let [_, second, ..] = given.as_slice() {
        let node = fields.required(second)?;
        let fault = node.fault("the data come from one source, and another is given, too");
        return Err(fault.hint(format!("keep one of {}", all_of(&given))));
    }
    if let Some(node) = fields.optional("audio") {
        return recordings(fields, Origin::Folder(path(&node, "folder")?));
    }
    if let Some(node) = fields.optional("synthetic") {
        return recordings(fields, Origin::Synthetic(synthetic(&node)?));
    }
    if let Some(node) = fields.optional("csv") {
        return others(fields, Source::Table(table(&node)?));
    }
    if let Some(node) = fields.optional("images") {
        return others(fields, Source::Images(images(&node)?));
    }
    if let Some(node) = fields.optional("npy") {
        return others(fields, Source::Arrays(arrays::read(&node)?));
    }
    Err(fields.missing("audio").hint(
        "write `audio: DIR`, a folder with a folder for each class, `images`, `csv` or `npy`, or \
         `synthetic: {classes: 10, clips: 20, seconds: 6}`",
    ))
}

fn path(node: &Node<'_>, what: &str) -> Result<PathBuf, Fault> {
    let path = node.text()?;
    if path.is_empty() {
        return Err(node.fault(format!("the name of the {what} is empty")));
    }
    Ok(PathBuf::from(path.as_ref()))
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
        seconds: seconds(&fields.required("seconds")?)?,
        seed,
    })
}

fn seconds(node: &Node<'_>) -> Result<f64, Fault> {
    node.real("a number of seconds above 0, at most 3600", |seconds| {
        seconds > 0.0 && seconds <= MAX_SECONDS
    })
}

fn recordings(fields: &Fields<'_>, origin: Origin) -> Result<Source, Fault> {
    let clip = fields.optional("clip").map(|node| seconds(&node)).transpose()?;
    let slices = slices(fields)?;
    let features = features::read(fields.optional("features").as_ref())?;
    Ok(Source::Recordings(RecordingSettings { origin, clip, slices, features }))
}

/// A source of no recordings, where nothing is said about recordings.
fn others(fields: &Fields<'_>, source: Source) -> Result<Source, Fault> {
    let key = source.key();
    for of_recordings in OF_RECORDINGS {
        if let Some(node) = fields.optional(of_recordings) {
            let message = format!("`{of_recordings}` is for recordings, and the data are `{key}`");
            return Err(node.fault(message).self_contained().hint("leave it out"));
        }
    }
    Ok(source)
}

fn table(node: &Node<'_>) -> Result<TableSettings, Fault> {
    let mut table = TableSettings {
        file: PathBuf::new(),
        label: "label".to_owned(),
        drop: Vec::new(),
        columns: None,
    };
    if !node.value().is_mapping() {
        table.file = path(node, "file")?;
        return Ok(table);
    }
    let fields = node.fields("`csv`", &["file", "label", "drop", "columns"], &[])?;
    let file = fields.optional("file");
    let missing = || fields.missing("file").hint("write `csv: {file: features.csv}`");
    table.file = path(&file.ok_or_else(missing)?, "file")?;
    if let Some(node) = fields.optional("label") {
        table.label = node.text()?.into_owned();
    }
    if let Some(node) = fields.optional("drop") {
        let example = || match node.text() {
            Ok(column) => format!("write `drop: [{}]`", shorten(&column)),
            Err(_) => "write `drop: [filename]`".to_owned(),
        };
        for item in node.items().map_err(|fault| fault.hint(example()))? {
            let column = item.text()?.into_owned();
            if column == table.label {
                let fault = item.fault(format!("`{}` is the column of labels", shorten(&column)));
                return Err(fault.hint("it is no feature anyway"));
            }
            if table.drop.contains(&column) {
                return Err(item.fault(format!("`{}` is listed twice", shorten(&column))));
            }
            table.drop.push(column);
        }
        table.drop.sort();
    }
    if let Some(node) = fields.optional("columns") {
        table.columns = Some(node.whole_u32(1..=MAX_COLUMNS)?);
    }
    Ok(table)
}

fn images(node: &Node<'_>) -> Result<ImageSettings, Fault> {
    let example = "write `images: {folder: DIR, size: [256, 256]}`";
    let fields = match node.fields("`images`", &["folder", "size", "channels"], &[]) {
        Err(fault) if !node.value().is_mapping() => return Err(fault.hint(example)),
        fields => fields?,
    };
    let required = |key| fields.optional(key).ok_or_else(|| fields.missing(key).hint(example));
    let folder = path(&required("folder")?, "folder")?;
    let (height, width) = size(&required("size")?)?;
    let channels = match fields.optional("channels") {
        None => Channels::Rgb,
        Some(node) => match node.whole(1..=4)? {
            1 => Channels::Gray,
            3 => Channels::Rgb,
            other => {
                let fault = node.fault(format!("images have 1 channel or 3, not {other}"));
                return Err(fault.hint("write `channels: 1` for brightness, `3` for colours"));
            }
        },
    };
    Ok(ImageSettings { folder, height, width, channels })
}

/// One number for both, or height and width.
fn size(node: &Node<'_>) -> Result<(u32, u32), Fault> {
    let side = |node: &Node<'_>| node.whole_u32(1..=MAX_IMAGE_SIDE);
    if !node.value().is_sequence() {
        let both = side(node)?;
        return Ok((both, both));
    }
    match node.items()?.as_slice() {
        [height, width] => Ok((side(height)?, side(width)?)),
        items => Err(node
            .fault(format!("expected one number or two, found {}", items.len()))
            .hint("write `256` or `[256, 256]`: height, width")),
    }
}

fn slices(fields: &Fields<'_>) -> Result<Slices, Fault> {
    match (fields.optional("slice"), fields.optional("slices")) {
        (None, None) => Ok(Slices::Whole),
        (Some(node), None) => {
            let example = "write `slice: {seconds: 3}`";
            let fields = match node.fields("`slice`", &["seconds"], &["overlap", "hop"]) {
                Err(fault) if !node.value().is_mapping() => return Err(fault.hint(example)),
                fields => fields?,
            };
            let node = fields
                .optional("seconds")
                .ok_or_else(|| fields.missing("seconds").hint(example))?;
            Ok(Slices::Seconds(seconds(&node)?))
        }
        (None, Some(node)) => match node.whole_u32(1..=MAX_SLICES) {
            Err(fault) if node.value().is_mapping() => {
                Err(fault.hint("write `slice: {seconds: 3}` for slices of one length"))
            }
            count => Ok(Slices::Count(count?)),
        },
        (Some(_), Some(node)) => Err(node
            .fault("`slice` gives the length of slices, and `slices` their number")
            .hint("keep one of them")),
    }
}

fn classes(node: &Node<'_>, source: &Source) -> Result<Vec<String>, Fault> {
    if source.key() == "synthetic" {
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
        let is_folder = !class.contains(['/', '\\', '\0']) && !class.starts_with('.');
        let (possible, hint) = match source {
            Source::Recordings(_) | Source::Images(_) if is_hidden(&class) => (
                false,
                "a folder whose name begins with a dot is hidden, and no class: rename it".into(),
            ),
            Source::Recordings(_) | Source::Images(_) => {
                (is_folder, format!("a class is the name of a folder in `{}`", source.key()))
            }
            Source::Arrays(_) => (true, "a class is a value of `y`, or one of `names`".to_owned()),
            Source::Table(table) => {
                (class.trim() == class, format!("a class is a value of column `{}`", table.label))
            }
        };
        if class.is_empty() || !possible {
            let fault = item.fault(format!("`{}` cannot be a class", shorten(&class)));
            return Err(fault.hint(hint));
        }
        if classes.contains(&class) {
            return Err(item.fault(format!("`{}` is listed twice", shorten(&class))));
        }
        classes.push(class);
    }
    classes.sort();
    Ok(classes)
}

/// Whether this is the name of a folder, but a hidden one.
fn is_hidden(class: &str) -> bool {
    class.starts_with('.') && !class.starts_with("..") && !class.contains(['/', '\\', '\0'])
}
