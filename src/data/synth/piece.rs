//! A song as it is played: when each tone and each stroke comes.
//!
//! The recording begins anywhere in the song. Nobody keeps the time or the
//! rhythm quite; sections change who plays what.

use super::super::random::Random;
use super::RATE;
use super::chance::{STEPS_A_BAR, gap};
use super::drums::strike;
use super::instrument::Tone;
use super::mix::{amplify, from_db, loudness};
use super::song::{DrumPart, MOTIF_BARS, Part, Playing, Section, Song};

const STEPS_A_BEAT: f64 = 4.0;
/// Steps of a fill at the most.
const FILL_STEPS: usize = 8;

/// Where a step is in a song.
#[derive(Clone, Copy)]
struct Place {
    step_of_bar: usize,
    /// Since its section began.
    bar_of_section: usize,
    /// Kind of its section.
    kind: usize,
}

struct Piece<'a> {
    song: &'a Song,
    /// Samples of one step.
    step: f64,
    /// The recording begins so many steps after the song does.
    begin: f64,
    /// From the bar of `begin` to the end.
    steps: std::ops::Range<usize>,
}

/// Plays a song for `length` samples; at least one part is heard.
pub(super) fn perform(song: &Song, length: usize, random: &mut Random) -> Vec<f32> {
    let piece = Piece::new(song, length, random);
    let mut out = vec![0.0; length];
    let mut part_out = vec![0.0; length];
    for part in &song.parts {
        part_out.fill(0.0);
        piece.play(part, &mut part_out, random);
        if part.instrument.drive() > 0.0 {
            amplify(&mut part_out, part.instrument.drive());
        }
        add(&mut out, &part_out, part.level_db);
    }
    if let Some(drums) = &song.drums {
        part_out.fill(0.0);
        piece.drum(drums, &mut part_out, random);
        add(&mut out, &part_out, drums.level_db);
    }
    out
}

/// Adds a part at its level.
fn add(out: &mut [f32], part: &[f32], level_db: f64) {
    let gain = from_db(level_db) / loudness(part);
    for (sample, added) in out.iter_mut().zip(part) {
        *sample += gain * added;
    }
}

impl<'a> Piece<'a> {
    fn new(song: &'a Song, length: usize, random: &mut Random) -> Self {
        let step = 60.0 / song.tempo / STEPS_A_BEAT * RATE;
        let bars = song.form.len() * song.bars_a_section;
        let begin = random.below(bars * STEPS_A_BAR) as f64 + random.unit();
        let first = begin as usize / STEPS_A_BAR * STEPS_A_BAR;
        let last = (begin + length as f64 / step).ceil() as usize;
        Self { song, step, begin, steps: first..last + 1 }
    }

    fn place(&self, step: usize) -> Place {
        let bar = step / STEPS_A_BAR;
        let section = bar / self.song.bars_a_section;
        Place {
            step_of_bar: step % STEPS_A_BAR,
            bar_of_section: bar % self.song.bars_a_section,
            kind: self.song.form[section % self.song.form.len()],
        }
    }

    /// When a step comes, in samples; negative before the recording begins.
    fn time_of(&self, step: usize, random: &mut Random) -> f64 {
        let late = if step % 2 == 1 { self.song.swing } else { 0.0 };
        let loose = random.between(-self.song.looseness, self.song.looseness);
        (step as f64 + late + loose - self.begin) * self.step
    }

    fn play(&self, part: &Part, out: &mut [f32], random: &mut Random) {
        for step in self.steps.clone() {
            let place = self.place(step);
            let strokes = part.strokes[place.kind];
            if strokes >> place.step_of_bar & 1 == 0 || random.chance(self.song.omission) {
                continue;
            }
            let time = self.time_of(step, random);
            // A tone that is still held when the recording begins is heard from there on.
            let held = gap(strokes, place.step_of_bar) as f64 * part.hold * self.step;
            let held = held + time.min(0.0);
            if held <= 0.0 {
                continue;
            }
            let (at, held) = (time.max(0.0) as usize, held as usize);
            let section = &self.song.sections[place.kind];
            let accent = if place.step_of_bar.is_multiple_of(4) { 1.0 } else { 0.85 };
            let level = f64::from(from_db(section.level_db)) * accent * random.between(0.75, 1.0);
            let mut sound = |pitch: i32, level: f64| {
                let pitch = f64::from(part.register + pitch) + self.song.key;
                part.instrument.play(out, Tone { at, held, pitch, level }, random);
            };
            let (root, tones) = chord(section, place);
            let motif = &part.motifs[place.kind];
            let bar = place.bar_of_section % MOTIF_BARS;
            let drawn = motif[bar * STEPS_A_BAR + place.step_of_bar];
            match part.playing {
                Playing::Chords => {
                    let level = level / (tones.len() as f64).sqrt();
                    for tone in tones {
                        let inverted = if *tone < part.inversion { 12 } else { 0 };
                        sound(root + tone + inverted, level);
                    }
                }
                Playing::Arpeggio | Playing::Bass => sound(root + chord_tone(tones, drawn), level),
                Playing::Lead => sound(self.melody(root, tones, drawn, part, place), level),
            }
        }
    }

    /// A tone of the scale, or the nearest one of the chord where the melody
    /// rests on it.
    fn melody(&self, root: i32, tones: &[i32], degree: i32, part: &Part, place: Place) -> i32 {
        let scale = self.song.scale;
        let count = scale.len() as i32;
        let pitch = scale[degree.rem_euclid(count) as usize] + 12 * degree.div_euclid(count);
        // The same steps in every repetition, or there would be no melody.
        let turn = (place.step_of_bar * 7 + place.kind * 3) % STEPS_A_BAR;
        if turn as f64 >= part.consonance * STEPS_A_BAR as f64 {
            return pitch;
        }
        let above = |tone: &i32| (root + tone - pitch + 6).rem_euclid(12) - 6;
        pitch + tones.iter().map(above).min_by_key(|distance| distance.abs()).unwrap_or(0)
    }

    fn drum(&self, part: &DrumPart, out: &mut [f32], random: &mut Random) {
        let last_bar = self.song.bars_a_section - 1;
        let mut fill_from = STEPS_A_BAR;
        for step in self.steps.clone() {
            let Place { step_of_bar, bar_of_section, kind } = self.place(step);
            if step_of_bar == 0 {
                let fills = bar_of_section == last_bar && random.chance(part.fills);
                let steps = if fills { 2 + random.below(FILL_STEPS - 1) } else { 0 };
                fill_from = STEPS_A_BAR - steps;
            }
            let section_db = self.song.sections[kind].level_db;
            let mut hit = |drum: &[f32], level_db: f64, random: &mut Random| {
                let time = self.time_of(step, random);
                if time >= 0.0 {
                    let level = from_db(level_db + section_db) * random.between(0.7, 1.0) as f32;
                    strike(out, drum, time as usize, level);
                }
            };
            if step_of_bar == 0 && bar_of_section == 0 && random.chance(part.fills) {
                hit(&part.drums.crash, part.levels_db[2] + 3.0, random);
            }
            if step_of_bar >= fill_from {
                if random.chance(0.8) {
                    let second = random.chance(0.5);
                    let drum = if second { &part.drums.tom } else { &part.drums.snare };
                    hit(drum, part.levels_db[1], random);
                }
                continue;
            }
            let drums = [&part.drums.kick, &part.drums.snare, &part.drums.hat];
            let struck = drums.into_iter().zip(part.levels_db).zip(part.grooves[kind]);
            for ((drum, level_db), strokes) in struck {
                if strokes >> step_of_bar & 1 == 1 && !random.chance(self.song.omission) {
                    hit(drum, level_db, random);
                }
            }
        }
    }
}

/// The chord at a place.
fn chord(section: &Section, place: Place) -> (i32, &'static [i32]) {
    let index = section.first_chord + place.bar_of_section;
    section.progression[index % section.progression.len()]
}

/// The tone of this number, octaves above or below where there are too few.
fn chord_tone(tones: &[i32], number: i32) -> i32 {
    let count = tones.len() as i32;
    // Broken chords go over two octaves and begin again.
    let number = number.rem_euclid(2 * count);
    tones[(number % count) as usize] + 12 * (number / count)
}
