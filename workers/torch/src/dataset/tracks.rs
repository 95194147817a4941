//! Which examples are parts of one recording.

use std::collections::HashMap;

use tch::{Device, TchError, Tensor};

/// Which examples belong together.
#[derive(Debug)]
pub(crate) struct Tracks {
    /// `[examples]`, i64: the track of each, from 0.
    pub(crate) of_examples: Tensor,
    /// `[tracks]`, i64: the class of each.
    pub(crate) classes: Tensor,
}

impl Tracks {
    /// Numbers the tracks in the order in which they appear.
    ///
    /// - `groups`, `labels`: `[examples]`, i64, on the CPU
    pub(super) fn new(
        groups: &Tensor,
        labels: &Tensor,
        device: Device,
    ) -> Result<Option<Self>, TchError> {
        let groups = Vec::<i64>::try_from(groups)?;
        let labels = Vec::<i64>::try_from(labels)?;
        let mut numbers: HashMap<i64, usize> = HashMap::new();
        let mut of_examples = Vec::with_capacity(groups.len());
        let mut classes = Vec::new();
        for (group, label) in groups.into_iter().zip(labels) {
            let number = *numbers.entry(group).or_insert(classes.len());
            if number == classes.len() {
                classes.push(label);
            } else if classes[number] != label {
                return Ok(None);
            }
            of_examples.push(i64::try_from(number).expect("there are fewer than examples"));
        }
        if classes.len() == of_examples.len() {
            return Ok(None);
        }
        let tensor = |values: &[i64]| Tensor::f_from_slice(values)?.f_to(device);
        Ok(Some(Self { of_examples: tensor(&of_examples)?, classes: tensor(&classes)? }))
    }
}
