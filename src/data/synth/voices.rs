//! The instruments that there are. Styles share them, as genres do.

use super::instrument::{Timbre, Wave};

/// A tone that starts at once, dies, and dulls while it dies.
const fn plucked(wave: Wave, rolloff: f64, decay_s: f64, open: f64) -> Timbre {
    Timbre {
        wave,
        rolloff,
        attack_s: 0.004,
        decay_s,
        detune_cents: 0.0,
        vibrato_cents: 0.0,
        open,
        drive: 0.0,
    }
}

/// A tone that swells and stays.
const fn held(
    wave: Wave,
    rolloff: f64,
    attack_s: f64,
    detune_cents: f64,
    vibrato_cents: f64,
) -> Timbre {
    Timbre {
        wave,
        rolloff,
        attack_s,
        decay_s: 8.0,
        detune_cents,
        vibrato_cents,
        open: 1.0,
        drive: 0.0,
    }
}

/// Through an amplifier.
const fn driven(timbre: Timbre, drive: f64) -> Timbre {
    Timbre { drive, ..timbre }
}

use Wave::{All, Octaves, Odd};

pub(super) const PIANO: Timbre = plucked(All, 1.3, 0.9, 0.3);
pub(super) const ELECTRIC_PIANO: Timbre = plucked(Octaves, 1.4, 0.8, 0.5);
pub(super) const ORGAN: Timbre = held(Octaves, 0.5, 0.01, 3.0, 8.0);
pub(super) const ACCORDION: Timbre = held(All, 0.8, 0.04, 14.0, 0.0);
pub(super) const NYLON_GUITAR: Timbre = plucked(All, 1.5, 0.45, 0.25);
pub(super) const STEEL_GUITAR: Timbre = plucked(All, 0.9, 0.6, 0.3);
pub(super) const CLEAN_GUITAR: Timbre = plucked(All, 1.1, 0.7, 0.5);
pub(super) const OVERDRIVEN_GUITAR: Timbre = driven(plucked(All, 0.9, 1.6, 0.7), 2.5);
pub(super) const DISTORTED_GUITAR: Timbre = driven(held(All, 0.7, 0.003, 10.0, 0.0), 7.0);
pub(super) const MANDOLIN: Timbre = plucked(All, 0.8, 0.25, 0.4);
pub(super) const HARP: Timbre = plucked(Octaves, 1.8, 0.6, 0.6);
pub(super) const BELLS: Timbre = plucked(Octaves, 0.5, 1.2, 0.6);

pub(super) const STRINGS: Timbre = held(All, 1.1, 0.09, 10.0, 14.0);
pub(super) const VIOLIN: Timbre = held(All, 0.9, 0.05, 0.0, 26.0);
pub(super) const CHOIR: Timbre = held(All, 1.6, 0.2, 12.0, 14.0);
pub(super) const BRASS: Timbre = held(All, 0.8, 0.03, 6.0, 6.0);
pub(super) const SAXOPHONE: Timbre = held(All, 1.0, 0.03, 0.0, 18.0);
pub(super) const FLUTE: Timbre = held(All, 2.4, 0.05, 0.0, 14.0);
pub(super) const CLARINET: Timbre = held(Odd, 1.3, 0.03, 0.0, 6.0);
pub(super) const HARMONICA: Timbre = held(Odd, 0.8, 0.03, 4.0, 16.0);

pub(super) const PULSE: Timbre = plucked(Odd, 0.7, 2.0, 1.0);
pub(super) const TRIANGLE: Timbre = plucked(Odd, 2.0, 2.0, 1.0);
pub(super) const SAW: Timbre = held(All, 0.9, 0.006, 15.0, 0.0);
pub(super) const SYNTH_PLUCK: Timbre = plucked(All, 0.9, 0.16, 0.2);
pub(super) const PAD: Timbre = held(All, 1.8, 0.5, 14.0, 0.0);
pub(super) const WARM_PAD: Timbre = held(All, 2.4, 0.7, 10.0, 6.0);

pub(super) const UPRIGHT_BASS: Timbre = plucked(All, 2.0, 0.7, 0.4);
pub(super) const FINGERED_BASS: Timbre = plucked(All, 1.6, 0.8, 0.4);
pub(super) const PICKED_BASS: Timbre = plucked(All, 1.1, 0.6, 0.4);
pub(super) const SYNTH_BASS: Timbre = plucked(All, 0.9, 0.35, 0.2);
pub(super) const PULSE_BASS: Timbre = plucked(Odd, 0.9, 1.5, 1.0);
pub(super) const SUB_BASS: Timbre = held(All, 2.8, 0.01, 0.0, 0.0);
pub(super) const CELLO: Timbre = held(All, 1.4, 0.08, 4.0, 12.0);
