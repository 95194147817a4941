//! What a style of music is: for everything that a song can be, how likely that is.
//!
//! Nothing here is certain. Styles share instruments, chords, rhythms and drums
//! and differ in how often they use them, so that no single feature gives a class
//! away. A class beyond the tenth is a variation of one of the ten `styles`: other
//! weights, faster or slower, in another register and with another tone.

use super::super::random::Random;
use super::chance::{Weighted, draw};
use super::drums::Kit;
use super::instrument::Timbre;
use super::styles::STYLES;

/// One bar of sixteen steps, `x` a stroke and `.` a rest.
pub(super) type Rhythm = &'static str;
/// A chord: its root in semitones above the key, its tones above its root.
pub(super) type Chord = (i32, &'static [i32]);
/// Chords, one a bar.
pub(super) type Progression = &'static [Chord];
/// Tones that melodies use, in semitones above the key.
pub(super) type Scale = &'static [i32];

/// What the songs of one class have in common.
#[derive(Debug, Clone)]
pub(super) struct Style {
    /// Name of the class.
    pub(super) name: String,
    /// Deals the weights of all choices anew.
    pub(super) turn: usize,
    /// Beats per minute of most songs, and its standard deviation in octaves.
    pub(super) tempo: (f64, f64),
    /// How late every second step comes at least and at most, in steps.
    pub(super) swing: (f64, f64),
    pub(super) scales: Weighted<Scale>,
    pub(super) progressions: Weighted<Progression>,
    /// Lies under everything.
    pub(super) chords: Role,
    /// Carries the song.
    pub(super) bass: Role,
    /// Wanders over the scale.
    pub(super) lead: Role,
    /// Fills what is left.
    pub(super) pad: Role,
    pub(super) drums: DrumRole,
    pub(super) sound: Sound,
    /// Where songs borrow from most often.
    pub(super) neighbours: [fn() -> Style; 3],
}

/// What one musician does.
#[derive(Debug, Clone, Copy)]
pub(super) struct Role {
    /// Probability that a song has it.
    pub(super) presence: f64,
    pub(super) voices: Weighted<Timbre>,
    pub(super) rhythms: Weighted<Rhythm>,
    /// How long a tone is held, as a part of the time to the next.
    pub(super) hold: f64,
    /// Pitch of the key's root, in semitones; 60 is the middle C.
    pub(super) register: i32,
    pub(super) level_db: f64,
    /// Chords: probability that their tones come one by one. Bass: that a tone
    /// is not the root. Lead: that a tone is one of the chord.
    pub(super) freedom: f64,
}

/// What the drums do.
#[derive(Debug, Clone, Copy)]
pub(super) struct DrumRole {
    /// Probability that a song has drums.
    pub(super) presence: f64,
    pub(super) kits: Weighted<Kit>,
    pub(super) grooves: Weighted<Groove>,
    pub(super) level_db: f64,
}

/// A bar of kick, snare and hat.
#[derive(Debug, Clone, Copy)]
pub(super) struct Groove(pub(super) Rhythm, pub(super) Rhythm, pub(super) Rhythm);

/// How songs are recorded and mixed: the middle of what songs do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sound {
    /// How much louder the high is than the low.
    pub(super) tilt_db: f64,
    /// Nothing is recorded above.
    pub(super) bandwidth_hz: f64,
    /// How hard the whole is distorted.
    pub(super) drive: f64,
    /// How much the loud is brought down, from 0 to 1.
    pub(super) squeeze: f64,
    /// How long the room rings.
    pub(super) room_s: f64,
    /// How much of the room is heard.
    pub(super) wet: f64,
    /// Noise below the music.
    pub(super) hiss_db: f64,
}

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
        self.turn = variation;
        // Steps that do not meet again soon, however many variations there are.
        let turn = |irrational: f64| (variation as f64 * irrational).fract() - 0.5;
        self.tempo.0 *= turn(0.618_034).exp2();
        self.sound.bandwidth_hz *= (2.0 * turn(0.414_214)).exp2();
        self.sound.tilt_db += 16.0 * turn(0.236_068);
        self.sound.room_s *= (2.0 * turn(0.302_776)).exp2();
        let semitones = (18.0 * turn(0.732_051)).round() as i32;
        for part in [&mut self.chords, &mut self.bass, &mut self.lead, &mut self.pad] {
            part.register += semitones;
        }
    }

    /// One of the choices of this style.
    pub(super) fn draw<T: Copy>(&self, choices: Weighted<T>, random: &mut Random) -> T {
        draw(choices, self.turn, random)
    }
}
