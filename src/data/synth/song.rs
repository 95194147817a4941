//! A song: everything about it that stays the same from its first bar to its last.
//!
//! All of it is drawn from the distributions of its style, or now and then from
//! those of another one: key, speed, chords, who plays, on what, in which
//! rhythms, how it is built, and how it is recorded. So two slices of one song
//! have more in common than two songs of one style, as in music.

use super::super::random::Random;
use super::chance::{STEPS_A_BAR, Strokes, normal, strokes, varied};
use super::drums::Drums;
use super::instrument::Instrument;
use super::style::{Progression, Role, Scale, Sound, Style};
use super::styles::STYLES;

/// Sections of a song are of these kinds: say verse, chorus and bridge.
pub(super) const SECTION_KINDS: usize = 3;
/// Bars after which a melody comes again.
pub(super) const MOTIF_BARS: usize = 2;

/// Probability that a song borrows from another style.
const CROSSING: f64 = 0.2;
/// Probability that such a song borrows a given thing.
const BORROWED: f64 = 0.35;
/// Probability that it borrows from a neighbour, and not from anywhere.
const NEIGHBOURLY: f64 = 0.7;
/// How much players change a written rhythm.
const VARIATION: f64 = 0.12;
/// Sections are about so long.
const SECTION_S: f64 = 9.0;
const BEATS_A_BAR: f64 = 4.0;
/// Songs are built like one of these, again and again.
const FORMS: [&[usize]; 5] =
    [&[0, 0, 1, 0], &[0, 1], &[0, 1, 0, 2], &[0, 0, 1, 2], &[0, 1, 1, 2, 1]];

/// A song.
pub(super) struct Song {
    /// Beats per minute.
    pub(super) tempo: f64,
    /// How late every second step comes, in steps.
    pub(super) swing: f64,
    /// How early or late tones and strokes come at most, in steps.
    pub(super) looseness: f64,
    /// Probability that a stroke is left out.
    pub(super) omission: f64,
    /// Semitones by which the song is higher than written.
    pub(super) key: f64,
    pub(super) scale: Scale,
    pub(super) bars_a_section: usize,
    /// Kinds of the sections, in order, again and again.
    pub(super) form: &'static [usize],
    pub(super) sections: [Section; SECTION_KINDS],
    pub(super) parts: Vec<Part>,
    pub(super) drums: Option<DrumPart>,
    /// As this song is recorded.
    pub(super) sound: Sound,
}

/// What sections of one kind have in common.
pub(super) struct Section {
    pub(super) progression: Progression,
    /// The chord that the progression begins with.
    pub(super) first_chord: usize,
    pub(super) level_db: f64,
}

/// What a musician does in the chords, the bass, or the melody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Playing {
    /// All tones of a chord at once.
    Chords,
    /// One tone of the chord after the other.
    Arpeggio,
    /// The root, mostly.
    Bass,
    /// Tones of the scale.
    Lead,
}

/// A musician.
pub(super) struct Part {
    pub(super) playing: Playing,
    pub(super) instrument: Instrument,
    /// For each kind of section; nothing where it rests.
    pub(super) strokes: [Strokes; SECTION_KINDS],
    /// For each kind of section, for each step of [`MOTIF_BARS`]: of a melody
    /// the degree of the scale, of a bass and of a broken chord its tone.
    pub(super) motifs: [Vec<i32>; SECTION_KINDS],
    /// How long a tone is held, as a part of the time to the next.
    pub(super) hold: f64,
    /// Pitch of the key's root, in semitones.
    pub(super) register: i32,
    /// Chords have their tones above this one, so many semitones above the root.
    pub(super) inversion: i32,
    pub(super) level_db: f64,
    /// Of a melody: probability that a tone is one of the chord.
    pub(super) consonance: f64,
}

/// The drummer.
pub(super) struct DrumPart {
    pub(super) drums: Drums,
    /// Kick, snare and hat for each kind of section.
    pub(super) grooves: [[Strokes; 3]; SECTION_KINDS],
    /// Of kick, snare and hat.
    pub(super) levels_db: [f64; 3],
    /// Probability that a section ends with a fill.
    pub(super) fills: f64,
    pub(super) level_db: f64,
}

/// A style, and perhaps another that a song borrows from.
struct Lineup<'a> {
    own: &'a Style,
    guest: Option<Style>,
}

impl<'a> Lineup<'a> {
    fn new(own: &'a Style, random: &mut Random) -> Self {
        let guest = random.chance(CROSSING).then(|| {
            let near = random.chance(NEIGHBOURLY);
            let style = if near { random.pick(&own.neighbours) } else { random.pick(&STYLES) };
            style()
        });
        Self { own, guest }
    }

    /// The style that decides the next thing.
    fn style(&self, random: &mut Random) -> &Style {
        match &self.guest {
            Some(guest) if random.chance(BORROWED) => guest,
            Some(_) | None => self.own,
        }
    }
}

impl Song {
    /// A song in a style.
    pub(super) fn new(style: &Style, random: &mut Random) -> Self {
        let lineup = Lineup::new(style, random);
        let (middle, spread) = lineup.style(random).tempo;
        let tempo = (middle * (spread * normal(random)).exp2()).clamp(45.0, 220.0);
        let (straight, swung) = lineup.style(random).swing;
        let scale = {
            let style = lineup.style(random);
            style.draw(style.scales, random)
        };
        let bars = SECTION_S * tempo / 60.0 / BEATS_A_BAR;
        Self {
            tempo,
            swing: random.between(straight, swung),
            looseness: random.between(0.0, 0.12),
            omission: random.between(0.0, 0.12),
            // Up to six semitones either way, and not quite in tune.
            key: random.below(12) as f64 - 6.0 + random.between(-0.4, 0.4),
            scale,
            bars_a_section: [2, 4, 8].into_iter().rfind(|&few| few as f64 <= bars).unwrap_or(1),
            form: random.pick(&FORMS),
            sections: sections(&lineup, random),
            parts: parts(&lineup, random),
            drums: DrumPart::new(&lineup, random),
            sound: sound(lineup.style(random).sound, random),
        }
    }
}

fn sections(lineup: &Lineup<'_>, random: &mut Random) -> [Section; SECTION_KINDS] {
    let style = lineup.style(random);
    [(); SECTION_KINDS].map(|()| {
        let progression = style.draw(style.progressions, random);
        Section {
            progression,
            first_chord: if random.chance(0.7) { 0 } else { random.below(progression.len()) },
            level_db: random.between(-4.0, 0.0),
        }
    })
}

fn parts(lineup: &Lineup<'_>, random: &mut Random) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut add = |playing, role: fn(&Style) -> Role, rests: f64, random: &mut Random| {
        let style = lineup.style(random);
        let role = role(style);
        if random.chance(role.presence) {
            parts.push(Part::new(playing, style, &role, rests, random));
        }
    };
    add(Playing::Chords, |style| style.chords, 0.0, random);
    add(Playing::Bass, |style| style.bass, 0.15, random);
    add(Playing::Lead, |style| style.lead, 0.3, random);
    add(Playing::Chords, |style| style.pad, 0.3, random);
    if parts.is_empty() {
        // Somebody has to play.
        let Style { chords, .. } = lineup.own;
        parts.push(Part::new(Playing::Chords, lineup.own, chords, 0.0, random));
    }
    parts
}

impl Part {
    /// - `rests`: probability that it rests in a kind of section
    fn new(playing: Playing, style: &Style, role: &Role, rests: f64, random: &mut Random) -> Self {
        let timbre = style.draw(role.voices, random).individual(random);
        let playing = match playing {
            Playing::Chords if random.chance(role.freedom) => Playing::Arpeggio,
            other => other,
        };
        let mut bar = varied(strokes(style.draw(role.rhythms, random)), VARIATION, random);
        let mut first = true;
        let strokes = [(); SECTION_KINDS].map(|()| {
            // Some sections have another rhythm, some a rest; the first has neither.
            if !first && random.chance(0.35) {
                bar = varied(strokes(style.draw(role.rhythms, random)), VARIATION, random);
            }
            let rest = !first && random.chance(rests);
            first = false;
            if rest { 0 } else { bar }
        });
        Self {
            playing,
            instrument: Instrument::new(timbre, random),
            strokes,
            motifs: [(); SECTION_KINDS].map(|()| motif(playing, role.freedom, random)),
            hold: (role.hold * (0.4 * normal(random)).exp2()).clamp(0.1, 1.5),
            register: role.register + (2.0 * normal(random)).round() as i32,
            inversion: random.pick(&[0, 0, 3, 7]),
            level_db: role.level_db + 1.8 * normal(random),
            consonance: role.freedom,
        }
    }
}

/// What is played on each step of a few bars, if anything is.
fn motif(playing: Playing, freedom: f64, random: &mut Random) -> Vec<i32> {
    let mut now = 0;
    let up = random.chance(0.5);
    (0..MOTIF_BARS * STEPS_A_BAR)
        .map(|step| match playing {
            Playing::Chords => 0,
            Playing::Arpeggio => {
                if up {
                    step as i32
                } else {
                    -(step as i32)
                }
            }
            Playing::Bass => {
                if random.chance(freedom) {
                    random.below(4) as i32
                } else {
                    0
                }
            }
            Playing::Lead => {
                now = (now + random.below(5) as i32 - 2).clamp(-4, 9);
                now
            }
        })
        .collect()
}

impl DrumPart {
    fn new(lineup: &Lineup<'_>, random: &mut Random) -> Option<Self> {
        let style = lineup.style(random);
        let role = style.drums;
        if !random.chance(role.presence) {
            return None;
        }
        let bar = |random: &mut Random| {
            let groove = style.draw(role.grooves, random);
            [groove.0, groove.1, groove.2].map(|rhythm| varied(strokes(rhythm), VARIATION, random))
        };
        let first = bar(random);
        let grooves = [(); SECTION_KINDS].map(|()| match random.unit() {
            other if other < 0.25 => bar(random),
            bare if bare < 0.37 => [0, first[1], first[2]],
            bare if bare < 0.47 => [first[0], first[1], 0],
            _ => first,
        });
        Some(Self {
            drums: Drums::new(style.draw(role.kits, random), random),
            grooves,
            levels_db: [0.0, -2.0, -8.0].map(|level| level + 3.0 * normal(random)),
            fills: random.between(0.1, 0.8),
            level_db: role.level_db + 1.8 * normal(random),
        })
    }
}

/// The sound of a song near that of its style.
fn sound(middle: Sound, random: &mut Random) -> Sound {
    let Sound { tilt_db, bandwidth_hz, drive, squeeze, room_s, wet, hiss_db } = middle;
    // Some recordings are old, or come over a bad line.
    let old = random.chance(0.12);
    let bandwidth_hz = if old { bandwidth_hz.min(4500.0) } else { bandwidth_hz };
    Sound {
        tilt_db: tilt_db + 2.0 * normal(random),
        bandwidth_hz: (bandwidth_hz * (0.3 * normal(random)).exp2()).clamp(1500.0, 10_500.0),
        drive: drive * (0.7 * normal(random)).exp2(),
        squeeze: (squeeze + 0.15 * normal(random)).clamp(0.0, 0.9),
        room_s: (room_s * (0.5 * normal(random)).exp2()).clamp(0.1, 5.0),
        wet: (wet * (0.6 * normal(random)).exp2()).min(0.7),
        hiss_db: hiss_db + 5.0 * normal(random) + if old { 12.0 } else { 0.0 },
    }
}
