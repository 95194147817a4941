//! What is wrong with a layer, before it is known where it stands, and the
//! checks that many layers share.

use super::display_shape;
use crate::v1::{Padding, Size};

/// What is wrong, before it is known where.
pub(super) struct Fault {
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

impl Fault {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Something on the wire that only another version knows.
    pub(super) fn unknown(what: &str) -> Self {
        Self::new(format!("this version of sweep does not know its {what}"))
    }

    pub(super) fn empty(input: &[u32]) -> Self {
        Self::new(format!("its input {} is empty", display_shape(input)))
    }

    pub(super) fn too_small(window: &str, input: &[u32]) -> Self {
        Self::new(format!("{window} is larger than its input {}", display_shape(input)))
            .hint("use `padding: same`, or pool less before it")
    }
}

/// Height, width and channels.
pub(super) fn image(layer: &str, input: &[u32]) -> Result<[u32; 3], Fault> {
    <[u32; 3]>::try_from(input).map_err(|_| {
        let hint = match input.len() {
            2 => {
                "put it before `to_sequence` and recurrent layers, use the layer for one \
                 dimension, or add `reshape: [height, width, 1]` before it"
            }
            _ => "put it before `flatten`, `to_sequence`, recurrent layers and `dense`",
        };
        needs(layer, "(height, width, channels)", input).hint(hint)
    })
}

/// Time steps and channels.
pub(super) fn sequence(layer: &str, input: &[u32]) -> Result<[u32; 2], Fault> {
    <[u32; 2]>::try_from(input).map_err(|_| {
        let hint = match input.len() {
            3 => "add `to_sequence` before it, or use the layer for two dimensions",
            1 => {
                "put it before `flatten` and `dense`, and set `return_sequences: true` on a \
                 recurrent layer before it"
            }
            _ => "add `reshape: [time, channels]` before it",
        };
        needs(layer, "(time, channels)", input).hint(hint)
    })
}

pub(super) fn needs(layer: &str, shape: &str, input: &[u32]) -> Fault {
    let layer = if layer.contains(' ') { layer.to_owned() } else { format!("`{layer}`") };
    Fault::new(format!("{layer} needs an input {shape}, but its input is {}", display_shape(input)))
}

pub(super) fn size(option: &str, size: Option<Size>) -> Result<[u32; 2], Fault> {
    let Some(Size { height, width }) = size else {
        return Err(Fault::new(format!("`{option}` is missing")));
    };
    positive(option, height)?;
    positive(option, width)?;
    Ok([height, width])
}

pub(super) fn positive(option: &str, value: u32) -> Result<(), Fault> {
    if value == 0 {
        return Err(Fault::new(format!("`{option}` must be at least 1")));
    }
    Ok(())
}

/// A share of values to drop.
pub(super) fn share(option: &str, value: f64) -> Result<(), Fault> {
    if (0.0..1.0).contains(&value) {
        return Ok(());
    }
    Err(Fault::new(format!("`{option}` is {value}, but must be from 0 to less than 1")))
}

pub(super) fn padding(value: i32) -> Result<Padding, Fault> {
    Padding::try_from(value)
        .map_err(|_| Fault::new(format!("this version of sweep does not know padding {value}")))
}

pub(super) fn last(shape: &[u32]) -> u32 {
    shape.last().copied().expect("an empty shape is refused before any layer")
}
