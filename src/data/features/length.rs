//! Bringing the time axis to one length.

use crate::data::{Crop, Pad};

/// Which frames of an example are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kept {
    /// Frames before the first that is kept.
    pub(super) skipped: usize,
    /// How many are kept.
    pub(super) kept: usize,
    /// How many are added at the end.
    pub(super) added: usize,
}

/// Which frames are kept of `all`, if so many are wanted.
pub(super) fn kept(all: usize, wanted: Option<u32>, crop: Crop) -> Kept {
    let wanted = wanted.map_or(all, |wanted| wanted as usize);
    let kept = all.min(wanted);
    let skipped = match crop {
        Crop::Start => 0,
        Crop::Center => (all - kept) / 2,
        Crop::End => all - kept,
    };
    Kept { skipped, kept, added: wanted - kept }
}

/// What is added: a number, or where there is none, `floor`.
pub(super) fn padding(pad: Pad, floor: f32) -> f32 {
    match pad {
        Pad::Floor => floor,
        Pad::Value(value) => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crops_keep_what_they_say() {
        let of = |all, wanted, crop| {
            let Kept { skipped, kept, added } = kept(all, wanted, crop);
            (skipped, kept, added)
        };
        assert_eq!(of(10, None, Crop::End), (0, 10, 0));
        assert_eq!(of(10, Some(4), Crop::Start), (0, 4, 0));
        assert_eq!(of(10, Some(5), Crop::Center), (2, 5, 0));
        assert_eq!(of(10, Some(4), Crop::Center), (3, 4, 0));
        assert_eq!(of(10, Some(4), Crop::End), (6, 4, 0));
        for crop in [Crop::Start, Crop::Center, Crop::End] {
            assert_eq!(of(10, Some(12), crop), (0, 10, 2));
        }
    }
}
