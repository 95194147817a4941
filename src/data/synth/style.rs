//! Ten invented styles of music, and what sets them apart.
//!
//! A class beyond the tenth is a variation of one of these: faster, in another
//! register and with another tone. Rhythms are written as one bar of sixteen
//! steps, `x` a stroke and `.` a rest.

use super::instrument::{Timbre, Wave};

/// Sixteen steps.
pub(super) type Rhythm = &'static str;

/// What the pieces of one class have in common.
#[derive(Debug, Clone)]
pub(super) struct Style {
    /// Name of the class.
    pub(super) name: String,
    /// Slowest and fastest, in beats per minute.
    pub(super) tempo: (f64, f64),
    /// How late every second step comes, in steps.
    pub(super) swing: f64,
    /// Semitones above the root that melodies use.
    pub(super) scale: &'static [i32],
    /// Semitones above the root of a chord.
    pub(super) chord: &'static [i32],
    /// Roots of chords, in semitones above the key.
    pub(super) roots: &'static [i32],
    /// Lies under everything.
    pub(super) harmony: Part,
    /// Carries the piece.
    pub(super) bass: Part,
    /// Wanders over the scale.
    pub(super) melody: Part,
    /// Marks the time.
    pub(super) drums: Kit,
    /// Everything passes a filter that dulls what is above, in Hz.
    pub(super) cutoff_hz: f64,
    /// How hard everything is distorted; zero for clean.
    pub(super) drive: f64,
    /// Level of the noise in the background.
    pub(super) hiss: f64,
}

/// What one instrument plays.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    pub(super) rhythm: Rhythm,
    /// How long a tone is held, in steps.
    pub(super) held: f64,
    /// Pitch of the key's root, in semitones; 60 is the middle C.
    pub(super) register: i32,
    pub(super) level: f64,
    pub(super) timbre: Timbre,
}

/// What the drums play.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kit {
    pub(super) kick: Rhythm,
    pub(super) snare: Rhythm,
    pub(super) hat: Rhythm,
    /// How long the hat rings.
    pub(super) hat_s: f64,
    pub(super) level: f64,
}

const REST: Rhythm = "................";
const WHOLE: Rhythm = "x...............";
const QUARTERS: Rhythm = "x...x...x...x...";
const EIGHTHS: Rhythm = "x.x.x.x.x.x.x.x.";
const SIXTEENTHS: Rhythm = "xxxxxxxxxxxxxxxx";
const OFFBEATS: Rhythm = "..x...x...x...x.";
const BACKBEAT: Rhythm = "....x.......x...";

const NO_DRUMS: Kit = Kit { kick: REST, snare: REST, hat: REST, hat_s: 0.02, level: 0.0 };

const MAJOR: &[i32] = &[0, 2, 4, 5, 7, 9, 11];
const MINOR: &[i32] = &[0, 2, 3, 5, 7, 8, 10];
const PENTATONIC: &[i32] = &[0, 2, 4, 7, 9];
const BLUES: &[i32] = &[0, 3, 5, 6, 7, 10];

const MAJOR_TRIAD: &[i32] = &[0, 4, 7];
const MINOR_TRIAD: &[i32] = &[0, 3, 7];
const DOMINANT: &[i32] = &[0, 4, 7, 10];
const MINOR_NINTH: &[i32] = &[0, 3, 7, 10, 14];
const FIFTH: &[i32] = &[0, 7, 12];

/// A tone that starts at once and dies.
const fn plucked(wave: Wave, rolloff: f64, decay_s: f64) -> Timbre {
    Timbre { wave, rolloff, attack_s: 0.004, decay_s, detune_cents: 0.0, vibrato_cents: 0.0 }
}

/// A tone that swells and stays.
const fn bowed(rolloff: f64, attack_s: f64, detune_cents: f64, vibrato_cents: f64) -> Timbre {
    Timbre { wave: Wave::All, rolloff, attack_s, decay_s: 8.0, detune_cents, vibrato_cents }
}

const fn part(rhythm: Rhythm, held: f64, register: i32, level: f64, timbre: Timbre) -> Part {
    Part { rhythm, held, register, level, timbre }
}

const fn kit(kick: Rhythm, snare: Rhythm, hat: Rhythm, hat_s: f64, level: f64) -> Kit {
    Kit { kick, snare, hat, hat_s, level }
}

/// Sorted by name.
const STYLES: [fn() -> Style; 10] =
    [ambient, blues, chiptune, classical, disco, folk, jazz, metal, reggae, techno];

impl Style {
    /// The style of a class.
    pub(super) fn new(class: usize) -> Self {
        let mut style = STYLES[class % STYLES.len()]();
        let variation = class / STYLES.len();
        if variation > 0 {
            style.vary(variation);
        }
        style
    }

    fn vary(&mut self, variation: usize) {
        self.name = format!("{}-{}", self.name, variation + 1);
        // Steps that do not meet again soon, however many variations there are.
        let turn = |irrational: f64| (variation as f64 * irrational).fract() - 0.5;
        let faster = turn(0.618_034).exp2();
        self.tempo = (self.tempo.0 * faster, self.tempo.1 * faster);
        self.cutoff_hz *= (2.0 * turn(0.414_214)).exp2();
        let semitones = (14.0 * turn(0.732_051)).round() as i32;
        for part in [&mut self.harmony, &mut self.bass, &mut self.melody] {
            part.register += semitones;
            part.timbre.rolloff = (part.timbre.rolloff + turn(0.236_068)).max(0.2);
        }
    }
}

fn ambient() -> Style {
    Style {
        name: "ambient".to_owned(),
        tempo: (50.0, 70.0),
        swing: 0.0,
        scale: PENTATONIC,
        chord: MINOR_NINTH,
        roots: &[0, 5, 8],
        harmony: part(WHOLE, 18.0, 52, 0.5, bowed(1.8, 0.6, 14.0, 0.0)),
        bass: part(WHOLE, 16.0, 33, 0.3, bowed(2.5, 0.4, 0.0, 0.0)),
        melody: part("x.......x.......", 8.0, 64, 0.12, bowed(2.0, 0.3, 8.0, 10.0)),
        drums: NO_DRUMS,
        cutoff_hz: 900.0,
        drive: 0.0,
        hiss: 0.012,
    }
}

fn blues() -> Style {
    Style {
        name: "blues".to_owned(),
        tempo: (78.0, 102.0),
        swing: 0.35,
        scale: BLUES,
        chord: DOMINANT,
        roots: &[0, 5, 7],
        harmony: part("..x...x...x...x.", 1.5, 52, 0.25, plucked(Wave::Octaves, 0.6, 0.6)),
        bass: part(QUARTERS, 3.5, 33, 0.55, plucked(Wave::All, 1.6, 0.5)),
        melody: part("x.x..xx.x..x.xx.", 1.6, 64, 0.5, plucked(Wave::Odd, 0.8, 0.5)),
        drums: kit("x.......x.......", BACKBEAT, "x..xx..xx..xx..x", 0.05, 0.35),
        cutoff_hz: 2800.0,
        drive: 0.6,
        hiss: 0.004,
    }
}

fn chiptune() -> Style {
    Style {
        name: "chiptune".to_owned(),
        tempo: (130.0, 160.0),
        swing: 0.0,
        scale: MAJOR,
        chord: MAJOR_TRIAD,
        roots: &[0, 5, 7, 9],
        harmony: part(SIXTEENTHS, 0.8, 72, 0.25, plucked(Wave::Odd, 0.9, 1.5)),
        bass: part(EIGHTHS, 1.8, 45, 0.35, plucked(Wave::Odd, 0.7, 2.0)),
        melody: part("x.xxx.xxx.x.xxx.", 1.0, 84, 0.45, plucked(Wave::Odd, 0.5, 2.0)),
        drums: kit(REST, BACKBEAT, REST, 0.01, 0.15),
        cutoff_hz: 11_000.0,
        drive: 0.0,
        hiss: 0.0,
    }
}

fn classical() -> Style {
    Style {
        name: "classical".to_owned(),
        tempo: (66.0, 96.0),
        swing: 0.0,
        scale: MAJOR,
        chord: MAJOR_TRIAD,
        roots: &[0, 5, 7, 9],
        harmony: part(EIGHTHS, 2.0, 60, 0.3, bowed(1.1, 0.06, 6.0, 18.0)),
        bass: part("x.......x.......", 8.0, 40, 0.3, bowed(1.3, 0.08, 4.0, 12.0)),
        melody: part("x...x.x.x...x.xx", 3.0, 76, 0.45, bowed(0.9, 0.05, 5.0, 30.0)),
        drums: NO_DRUMS,
        cutoff_hz: 5000.0,
        drive: 0.0,
        hiss: 0.002,
    }
}

fn disco() -> Style {
    Style {
        name: "disco".to_owned(),
        tempo: (112.0, 126.0),
        swing: 0.0,
        scale: MINOR,
        chord: MINOR_TRIAD,
        roots: &[0, 3, 8, 10],
        harmony: part("..x...x...x..xx.", 1.2, 60, 0.35, bowed(1.0, 0.01, 10.0, 0.0)),
        bass: part(EIGHTHS, 1.0, 36, 0.5, plucked(Wave::All, 0.8, 0.25)),
        melody: part("x...x..x..x.....", 2.0, 72, 0.2, bowed(1.0, 0.03, 12.0, 10.0)),
        drums: kit(QUARTERS, BACKBEAT, OFFBEATS, 0.12, 0.75),
        cutoff_hz: 9000.0,
        drive: 0.2,
        hiss: 0.002,
    }
}

fn folk() -> Style {
    Style {
        name: "folk".to_owned(),
        tempo: (92.0, 120.0),
        swing: 0.0,
        scale: PENTATONIC,
        chord: MAJOR_TRIAD,
        roots: &[0, 5, 7],
        harmony: part("x..x.xx.x..x.xx.", 2.0, 55, 0.45, plucked(Wave::All, 0.7, 0.35)),
        bass: part("x.......x.......", 3.0, 40, 0.35, plucked(Wave::All, 1.2, 0.5)),
        melody: part("x...x...x.x.x...", 3.0, 67, 0.35, plucked(Wave::All, 1.5, 0.6)),
        drums: NO_DRUMS,
        cutoff_hz: 7000.0,
        drive: 0.0,
        hiss: 0.003,
    }
}

fn jazz() -> Style {
    Style {
        name: "jazz".to_owned(),
        tempo: (128.0, 168.0),
        swing: 0.4,
        scale: &[0, 2, 3, 5, 7, 9, 10],
        chord: MINOR_NINTH,
        roots: &[0, 2, 5, 7, 10],
        harmony: part("x..x......x..x..", 1.5, 60, 0.25, plucked(Wave::Octaves, 1.6, 0.7)),
        bass: part(QUARTERS, 3.8, 33, 0.5, plucked(Wave::All, 2.0, 0.8)),
        melody: part("x.xxx.x..xxx.x.x", 1.4, 70, 0.3, bowed(1.6, 0.02, 0.0, 15.0)),
        drums: kit(REST, REST, "x...x.x.x...x.x.", 0.25, 0.6),
        cutoff_hz: 8000.0,
        drive: 0.0,
        hiss: 0.003,
    }
}

fn metal() -> Style {
    Style {
        name: "metal".to_owned(),
        tempo: (150.0, 190.0),
        swing: 0.0,
        scale: MINOR,
        chord: FIFTH,
        roots: &[0, 1, 3, 8],
        harmony: part("xxxxx.xxxxx.xxxx", 0.9, 40, 0.8, bowed(0.5, 0.003, 12.0, 0.0)),
        bass: part(SIXTEENTHS, 0.9, 28, 0.4, plucked(Wave::All, 0.8, 0.3)),
        melody: part("x...x...x...x...", 2.0, 64, 0.15, bowed(0.5, 0.01, 8.0, 20.0)),
        drums: kit(SIXTEENTHS, BACKBEAT, QUARTERS, 0.2, 0.6),
        cutoff_hz: 6000.0,
        drive: 6.0,
        hiss: 0.004,
    }
}

fn reggae() -> Style {
    Style {
        name: "reggae".to_owned(),
        tempo: (66.0, 80.0),
        swing: 0.1,
        scale: PENTATONIC,
        chord: MINOR_TRIAD,
        roots: &[0, 5, 7],
        harmony: part("....x.......x...", 0.8, 62, 0.55, plucked(Wave::Octaves, 0.4, 0.1)),
        bass: part("x..x..x.....x.x.", 2.5, 31, 0.9, plucked(Wave::All, 2.6, 0.7)),
        melody: part("........x..x....", 1.5, 69, 0.12, plucked(Wave::Octaves, 0.8, 0.3)),
        drums: kit("........x.......", "........x.......", OFFBEATS, 0.03, 0.4),
        cutoff_hz: 3500.0,
        drive: 0.0,
        hiss: 0.002,
    }
}

fn techno() -> Style {
    Style {
        name: "techno".to_owned(),
        tempo: (126.0, 142.0),
        swing: 0.0,
        scale: MINOR,
        chord: MINOR_TRIAD,
        roots: &[0, 0, 3],
        harmony: part("...x..x....x..x.", 0.7, 55, 0.2, plucked(Wave::All, 0.9, 0.12)),
        bass: part("..x...x...x...x.", 1.2, 31, 0.45, plucked(Wave::All, 1.8, 0.3)),
        melody: part(REST, 1.0, 72, 0.0, plucked(Wave::Odd, 1.0, 0.2)),
        drums: kit(QUARTERS, REST, SIXTEENTHS, 0.025, 1.0),
        cutoff_hz: 10_000.0,
        drive: 0.4,
        hiss: 0.001,
    }
}
