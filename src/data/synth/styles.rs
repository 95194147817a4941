//! Ten invented styles of music, as tables.

use super::chance::Weighted;
use super::drums::{ACOUSTIC, BRUSHES, CHIP, DEEP, HANDS, MACHINE, ROCK};
use super::instrument::Timbre;
use super::style::Rhythm;
use super::style::{DrumRole, Groove, Progression, Role, Scale, Sound, Style};
use super::voices::{
    ACCORDION, BELLS, BRASS, CELLO, CHOIR, CLARINET, CLEAN_GUITAR, DISTORTED_GUITAR,
    ELECTRIC_PIANO, FINGERED_BASS, FLUTE, HARMONICA, HARP, MANDOLIN, NYLON_GUITAR, ORGAN,
    OVERDRIVEN_GUITAR, PAD, PIANO, PICKED_BASS, PULSE, PULSE_BASS, SAW, SAXOPHONE, STEEL_GUITAR,
    STRINGS, SUB_BASS, SYNTH_BASS, SYNTH_PLUCK, TRIANGLE, UPRIGHT_BASS, VIOLIN, WARM_PAD,
};

/// Sorted by name.
pub(super) const STYLES: [fn() -> Style; 10] =
    [ambient, blues, chiptune, classical, disco, folk, jazz, metal, reggae, techno];

const REST: Rhythm = "................";
const WHOLE: Rhythm = "x...............";
const HALVES: Rhythm = "x.......x.......";
const QUARTERS: Rhythm = "x...x...x...x...";
const EIGHTHS: Rhythm = "x.x.x.x.x.x.x.x.";
const SIXTEENTHS: Rhythm = "xxxxxxxxxxxxxxxx";
const OFFBEATS: Rhythm = "..x...x...x...x.";
const BACKBEAT: Rhythm = "....x.......x...";
const SHUFFLE: Rhythm = "x..xx..xx..xx..x";
const GALLOP: Rhythm = "x.xxx.xxx.xxx.xx";
const TRESILLO: Rhythm = "x..x..x.x..x..x.";
const STRUM: Rhythm = "x...x.xx..x.x.xx";
const CHARLESTON: Rhythm = "x.....x.........";
const STABS: Rhythm = "...x..x....x..x.";
const SKANK: Rhythm = "....x.......x...";
const LINE: Rhythm = "x.x...x.x.xx..x.";
const BUSY: Rhythm = "x.xxx.x..xxx.x.x";
const SPARSE: Rhythm = "x.....x.....x...";
const LATE: Rhythm = "........x..x..x.";
const ONE_DROP: Rhythm = "........x.......";

const MAJOR: Scale = &[0, 2, 4, 5, 7, 9, 11];
const MINOR: Scale = &[0, 2, 3, 5, 7, 8, 10];
const DORIAN: Scale = &[0, 2, 3, 5, 7, 9, 10];
const PHRYGIAN: Scale = &[0, 1, 3, 5, 7, 8, 10];
const PENTATONIC: Scale = &[0, 2, 4, 7, 9];
const MINOR_PENTATONIC: Scale = &[0, 3, 5, 7, 10];
const BLUE: Scale = &[0, 3, 5, 6, 7, 10];

const MAJ: &[i32] = &[0, 4, 7];
const MIN: &[i32] = &[0, 3, 7];
const DOM: &[i32] = &[0, 4, 7, 10];
const MAJ7: &[i32] = &[0, 4, 7, 11];
const MIN7: &[i32] = &[0, 3, 7, 10];
const NINTH: &[i32] = &[0, 3, 10, 14];
const SUS: &[i32] = &[0, 5, 7];
const FIFTH: &[i32] = &[0, 7, 12];

const POP: Progression = &[(0, MAJ), (7, MAJ), (9, MIN), (5, MAJ)];
const THREE_CHORDS: Progression = &[(0, MAJ), (5, MAJ), (0, MAJ), (7, MAJ)];
const CADENCE: Progression = &[(0, MAJ), (2, MIN), (7, DOM), (0, MAJ)];
const CIRCLE: Progression = &[(0, MIN), (5, MIN), (10, MAJ), (3, MAJ)];
const DESCENT: Progression = &[(0, MIN), (10, MAJ), (8, MAJ), (7, MAJ)];
const MINOR_LOOP: Progression = &[(0, MIN), (8, MAJ), (3, MAJ), (10, MAJ)];
const MINOR_PAIR: Progression = &[(0, MIN), (0, MIN), (5, MIN), (0, MIN)];
const TWELVE: Progression = &[
    (0, DOM),
    (5, DOM),
    (0, DOM),
    (0, DOM),
    (5, DOM),
    (5, DOM),
    (0, DOM),
    (0, DOM),
    (7, DOM),
    (5, DOM),
    (0, DOM),
    (7, DOM),
];
const DOMINANTS: Progression = &[(0, DOM), (0, DOM), (5, DOM), (0, DOM)];
const TWO_FIVE: Progression = &[(2, MIN7), (7, DOM), (0, MAJ7), (9, MIN7)];
const MODAL: Progression = &[(0, NINTH), (0, NINTH), (1, NINTH), (0, NINTH)];
const POWER: Progression = &[(0, FIFTH), (3, FIFTH), (5, FIFTH), (1, FIFTH)];
const POWER_LOOP: Progression = &[(0, FIFTH), (8, FIFTH), (10, FIFTH), (0, FIFTH)];
const STILL: Progression = &[(0, NINTH), (0, NINTH), (8, MAJ7), (8, MAJ7)];
const OPEN: Progression = &[(0, SUS), (5, SUS), (0, MAJ), (7, SUS)];
const DRONE: Progression = &[(0, MIN)];

const FOUR: Groove = Groove(QUARTERS, BACKBEAT, OFFBEATS);
const FOUR_BARE: Groove = Groove(QUARTERS, REST, OFFBEATS);
const FOUR_FAST: Groove = Groove(QUARTERS, BACKBEAT, SIXTEENTHS);
const BEAT: Groove = Groove("x.......x.x.....", BACKBEAT, EIGHTHS);
const BEAT_SLOW: Groove = Groove("x.....x.........", ONE_DROP, EIGHTHS);
const BEAT_LOOSE: Groove = Groove("x..x......x.....", "....x..x.x..x...", EIGHTHS);
const SHUFFLED: Groove = Groove(HALVES, BACKBEAT, SHUFFLE);
const RIDE: Groove = Groove("x.........x.....", "......x.......x.", "x...x..xx...x..x");
const RIDE_SOFT: Groove = Groove(REST, BACKBEAT, "x...x..xx...x..x");
const DOUBLE: Groove = Groove(SIXTEENTHS, BACKBEAT, QUARTERS);
const BLAST: Groove = Groove(EIGHTHS, OFFBEATS, EIGHTHS);
const DROP: Groove = Groove(ONE_DROP, ONE_DROP, OFFBEATS);
const STEPPERS: Groove = Groove(QUARTERS, ONE_DROP, EIGHTHS);
const BREAK: Groove = Groove("x.x.......xx....", "....x..x.x..x..x", EIGHTHS);
const PULSED: Groove = Groove(HALVES, REST, QUARTERS);
const SHAKEN: Groove = Groove(REST, REST, EIGHTHS);

/// What a role is, in the order of [`Role`]'s fields.
const fn role(
    presence: f64,
    voices: Weighted<Timbre>,
    rhythms: Weighted<Rhythm>,
    hold: f64,
    register: i32,
    level_db: f64,
    freedom: f64,
) -> Role {
    Role { presence, voices, rhythms, hold, register, level_db, freedom }
}

const fn sound(
    tilt_db: f64,
    bandwidth_hz: f64,
    drive: f64,
    squeeze: f64,
    room: (f64, f64),
    hiss_db: f64,
) -> Sound {
    let (room_s, wet) = room;
    Sound { tilt_db, bandwidth_hz, drive, squeeze, room_s, wet, hiss_db }
}

fn ambient() -> Style {
    Style {
        name: "ambient".to_owned(),
        turn: 0,
        tempo: (70.0, 0.30),
        swing: (0.0, 0.05),
        scales: &[(4, PENTATONIC), (2, MINOR), (2, MAJOR), (1, DORIAN)],
        progressions: &[(5, STILL), (3, OPEN), (2, DRONE), (1, MINOR_LOOP)],
        chords: role(
            0.95,
            &[(4, PAD), (3, WARM_PAD), (2, CHOIR), (2, STRINGS), (1, ELECTRIC_PIANO), (1, PIANO)],
            &[(5, WHOLE), (3, HALVES), (1, SPARSE), (1, EIGHTHS)],
            1.05,
            52,
            0.0,
            0.25,
        ),
        bass: role(
            0.7,
            &[(4, SUB_BASS), (2, CELLO), (2, SYNTH_BASS), (1, UPRIGHT_BASS)],
            &[(5, WHOLE), (3, HALVES), (1, QUARTERS)],
            1.0,
            33,
            -3.0,
            0.1,
        ),
        lead: role(
            0.7,
            &[(3, BELLS), (2, FLUTE), (2, PIANO), (2, HARP), (1, SYNTH_PLUCK), (1, VIOLIN)],
            &[(4, SPARSE), (3, HALVES), (2, LATE), (1, LINE)],
            1.2,
            67,
            -8.0,
            0.5,
        ),
        pad: role(
            0.8,
            &[(3, WARM_PAD), (3, PAD), (2, CHOIR), (1, STRINGS)],
            &[(1, WHOLE)],
            1.1,
            60,
            -5.0,
            0.0,
        ),
        drums: DrumRole {
            presence: 0.3,
            kits: &[(3, DEEP), (2, HANDS), (2, MACHINE)],
            grooves: &[(3, PULSED), (3, SHAKEN), (1, BEAT_SLOW), (1, FOUR_BARE)],
            level_db: -9.0,
        },
        sound: sound(-5.0, 6500.0, 0.1, 0.2, (2.6, 0.45), -48.0),
        neighbours: [classical, techno, chiptune],
    }
}

fn blues() -> Style {
    Style {
        name: "blues".to_owned(),
        turn: 0,
        tempo: (92.0, 0.28),
        swing: (0.1, 0.42),
        scales: &[(5, BLUE), (3, MINOR_PENTATONIC), (1, MAJOR), (1, DORIAN)],
        progressions: &[(5, TWELVE), (3, DOMINANTS), (1, THREE_CHORDS), (1, MINOR_PAIR)],
        chords: role(
            0.95,
            &[(3, CLEAN_GUITAR), (3, OVERDRIVEN_GUITAR), (3, PIANO), (2, ORGAN), (2, STEEL_GUITAR)],
            &[(3, SHUFFLE), (2, OFFBEATS), (2, QUARTERS), (2, CHARLESTON), (1, BACKBEAT)],
            0.6,
            53,
            -3.0,
            0.05,
        ),
        bass: role(
            0.95,
            &[(4, FINGERED_BASS), (3, UPRIGHT_BASS), (2, PICKED_BASS)],
            &[(5, QUARTERS), (3, SHUFFLE), (1, EIGHTHS)],
            0.85,
            33,
            0.0,
            0.45,
        ),
        lead: role(
            0.9,
            &[
                (4, OVERDRIVEN_GUITAR),
                (3, HARMONICA),
                (2, CLEAN_GUITAR),
                (1, SAXOPHONE),
                (1, PIANO),
            ],
            &[(3, "x.x..xx.x..x.xx."), (2, LATE), (2, LINE), (1, BUSY)],
            0.8,
            64,
            -1.0,
            0.35,
        ),
        pad: role(0.2, &[(3, ORGAN), (1, BRASS)], &[(2, WHOLE), (1, HALVES)], 1.0, 57, -8.0, 0.0),
        drums: DrumRole {
            presence: 0.85,
            kits: &[(4, ACOUSTIC), (2, ROCK), (2, BRUSHES)],
            grooves: &[(5, SHUFFLED), (2, BEAT), (1, RIDE), (1, BEAT_SLOW)],
            level_db: -3.0,
        },
        sound: sound(-2.0, 6500.0, 0.5, 0.3, (0.7, 0.18), -44.0),
        neighbours: [jazz, folk, metal],
    }
}

fn chiptune() -> Style {
    Style {
        name: "chiptune".to_owned(),
        turn: 0,
        tempo: (138.0, 0.22),
        swing: (0.0, 0.1),
        scales: &[(4, MAJOR), (3, MINOR), (2, PENTATONIC), (1, PHRYGIAN)],
        progressions: &[(3, POP), (3, MINOR_LOOP), (2, THREE_CHORDS), (2, DESCENT), (1, CIRCLE)],
        chords: role(
            0.95,
            &[(5, PULSE), (2, TRIANGLE), (2, SYNTH_PLUCK), (1, SAW)],
            &[(4, SIXTEENTHS), (3, EIGHTHS), (1, TRESILLO), (1, OFFBEATS)],
            0.7,
            67,
            -4.0,
            0.75,
        ),
        bass: role(
            0.95,
            &[(4, PULSE_BASS), (3, TRIANGLE), (2, SYNTH_BASS)],
            &[(4, EIGHTHS), (2, TRESILLO), (2, QUARTERS), (1, GALLOP)],
            0.7,
            43,
            -2.0,
            0.25,
        ),
        lead: role(
            0.95,
            &[(5, PULSE), (2, TRIANGLE), (2, SAW), (1, BELLS)],
            &[(3, LINE), (3, BUSY), (2, EIGHTHS), (1, STRUM)],
            0.8,
            76,
            0.0,
            0.45,
        ),
        pad: role(0.15, &[(2, PULSE), (1, SAW)], &[(1, WHOLE), (1, HALVES)], 1.0, 64, -9.0, 0.0),
        drums: DrumRole {
            presence: 0.8,
            kits: &[(5, CHIP), (2, MACHINE)],
            grooves: &[(3, BEAT), (2, FOUR), (2, BREAK), (1, FOUR_FAST)],
            level_db: -6.0,
        },
        sound: sound(3.0, 9000.0, 0.2, 0.3, (0.3, 0.06), -58.0),
        neighbours: [techno, disco, metal],
    }
}

fn classical() -> Style {
    Style {
        name: "classical".to_owned(),
        turn: 0,
        tempo: (88.0, 0.38),
        swing: (0.0, 0.03),
        scales: &[(5, MAJOR), (4, MINOR), (1, DORIAN)],
        progressions: &[(4, CADENCE), (3, CIRCLE), (2, THREE_CHORDS), (2, DESCENT)],
        chords: role(
            0.95,
            &[(4, STRINGS), (3, PIANO), (2, HARP), (1, CHOIR), (1, BRASS), (1, NYLON_GUITAR)],
            &[(3, EIGHTHS), (3, QUARTERS), (2, HALVES), (2, WHOLE), (1, SIXTEENTHS)],
            0.95,
            59,
            -2.0,
            0.4,
        ),
        bass: role(
            0.8,
            &[(5, CELLO), (2, UPRIGHT_BASS), (1, PIANO)],
            &[(4, HALVES), (3, QUARTERS), (2, WHOLE)],
            0.95,
            38,
            -3.0,
            0.25,
        ),
        lead: role(
            0.9,
            &[(4, VIOLIN), (2, FLUTE), (2, CLARINET), (2, PIANO), (1, CHOIR), (1, BRASS)],
            &[(3, "x...x.x.x...x.xx"), (2, HALVES), (2, LINE), (2, EIGHTHS)],
            0.95,
            73,
            0.0,
            0.5,
        ),
        pad: role(
            0.5,
            &[(4, STRINGS), (2, CHOIR), (1, BRASS)],
            &[(2, WHOLE), (1, HALVES)],
            1.0,
            55,
            -6.0,
            0.0,
        ),
        drums: DrumRole {
            presence: 0.08,
            kits: &[(1, ACOUSTIC), (1, HANDS)],
            grooves: &[(1, PULSED), (1, SHAKEN)],
            level_db: -10.0,
        },
        sound: sound(-2.0, 8000.0, 0.05, 0.1, (2.0, 0.35), -50.0),
        neighbours: [ambient, folk, jazz],
    }
}

fn disco() -> Style {
    Style {
        name: "disco".to_owned(),
        turn: 0,
        tempo: (117.0, 0.14),
        swing: (0.0, 0.12),
        scales: &[(4, MINOR), (3, DORIAN), (2, MAJOR), (2, MINOR_PENTATONIC)],
        progressions: &[(3, CIRCLE), (3, MINOR_LOOP), (2, TWO_FIVE), (2, POP), (1, MINOR_PAIR)],
        chords: role(
            0.95,
            &[(3, CLEAN_GUITAR), (3, ELECTRIC_PIANO), (2, STRINGS), (2, PIANO), (2, BRASS)],
            &[(3, "..x...x...x..xx."), (3, STRUM), (2, OFFBEATS), (2, STABS), (1, SIXTEENTHS)],
            0.5,
            60,
            -3.0,
            0.05,
        ),
        bass: role(
            1.0,
            &[(4, FINGERED_BASS), (3, PICKED_BASS), (2, SYNTH_BASS)],
            &[(4, EIGHTHS), (2, GALLOP), (2, TRESILLO), (1, OFFBEATS)],
            0.7,
            36,
            0.0,
            0.5,
        ),
        lead: role(
            0.8,
            &[(3, STRINGS), (3, BRASS), (2, SAXOPHONE), (2, SAW), (1, FLUTE)],
            &[(3, "x...x..x..x....."), (2, LINE), (2, SPARSE), (1, LATE)],
            0.8,
            70,
            -4.0,
            0.45,
        ),
        pad: role(
            0.6,
            &[(4, STRINGS), (2, PAD), (1, ORGAN)],
            &[(3, WHOLE), (1, HALVES)],
            1.0,
            64,
            -7.0,
            0.0,
        ),
        drums: DrumRole {
            presence: 1.0,
            kits: &[(4, ACOUSTIC), (3, MACHINE), (1, ROCK)],
            grooves: &[(5, FOUR), (3, FOUR_FAST), (1, BEAT), (1, BREAK)],
            level_db: 0.0,
        },
        sound: sound(1.0, 8500.0, 0.3, 0.5, (0.8, 0.15), -52.0),
        neighbours: [techno, reggae, jazz],
    }
}

fn folk() -> Style {
    Style {
        name: "folk".to_owned(),
        turn: 0,
        tempo: (104.0, 0.28),
        swing: (0.0, 0.25),
        scales: &[(4, MAJOR), (3, PENTATONIC), (2, DORIAN), (1, MINOR)],
        progressions: &[(4, THREE_CHORDS), (3, POP), (2, OPEN), (1, DESCENT), (1, CADENCE)],
        chords: role(
            1.0,
            &[(5, STEEL_GUITAR), (3, NYLON_GUITAR), (2, ACCORDION), (1, PIANO), (1, MANDOLIN)],
            &[(4, STRUM), (3, EIGHTHS), (2, "x..x.xx.x..x.xx."), (1, QUARTERS)],
            0.9,
            55,
            0.0,
            0.35,
        ),
        bass: role(
            0.65,
            &[(4, UPRIGHT_BASS), (3, FINGERED_BASS), (1, CELLO)],
            &[(5, HALVES), (2, QUARTERS), (1, TRESILLO)],
            0.8,
            36,
            -3.0,
            0.35,
        ),
        lead: role(
            0.85,
            &[
                (3, VIOLIN),
                (2, FLUTE),
                (2, HARMONICA),
                (2, MANDOLIN),
                (2, NYLON_GUITAR),
                (1, ACCORDION),
            ],
            &[(3, "x...x...x.x.x..."), (3, EIGHTHS), (2, LINE), (1, SPARSE)],
            0.9,
            69,
            -2.0,
            0.4,
        ),
        pad: role(
            0.2,
            &[(2, ACCORDION), (1, STRINGS), (1, CHOIR)],
            &[(1, WHOLE)],
            1.0,
            57,
            -9.0,
            0.0,
        ),
        drums: DrumRole {
            presence: 0.35,
            kits: &[(4, HANDS), (3, BRUSHES), (2, ACOUSTIC)],
            grooves: &[(3, SHAKEN), (3, PULSED), (2, BEAT), (1, SHUFFLED)],
            level_db: -7.0,
        },
        sound: sound(-1.0, 7500.0, 0.1, 0.15, (0.9, 0.2), -46.0),
        neighbours: [blues, classical, reggae],
    }
}

fn jazz() -> Style {
    Style {
        name: "jazz".to_owned(),
        turn: 0,
        tempo: (128.0, 0.36),
        swing: (0.12, 0.45),
        scales: &[(4, DORIAN), (3, MAJOR), (2, BLUE), (1, MINOR)],
        progressions: &[(5, TWO_FIVE), (3, MODAL), (1, TWELVE), (1, CIRCLE)],
        chords: role(
            0.85,
            &[(4, PIANO), (2, ELECTRIC_PIANO), (2, CLEAN_GUITAR), (1, ORGAN), (1, NYLON_GUITAR)],
            &[(4, CHARLESTON), (3, "x..x......x..x.."), (2, STABS), (1, QUARTERS)],
            0.6,
            59,
            -5.0,
            0.05,
        ),
        bass: role(
            1.0,
            &[(6, UPRIGHT_BASS), (3, FINGERED_BASS)],
            &[(6, QUARTERS), (2, TRESILLO), (1, HALVES)],
            0.95,
            34,
            -1.0,
            0.7,
        ),
        lead: role(
            0.95,
            &[(4, SAXOPHONE), (2, PIANO), (2, BRASS), (2, CLEAN_GUITAR), (1, FLUTE), (1, CLARINET)],
            &[(4, BUSY), (3, LINE), (2, EIGHTHS), (1, LATE)],
            0.85,
            68,
            0.0,
            0.3,
        ),
        pad: role(
            0.15,
            &[(2, BRASS), (1, STRINGS)],
            &[(2, WHOLE), (1, HALVES)],
            0.9,
            60,
            -9.0,
            0.0,
        ),
        drums: DrumRole {
            presence: 0.9,
            kits: &[(5, BRUSHES), (3, ACOUSTIC)],
            grooves: &[(5, RIDE), (3, RIDE_SOFT), (1, SHUFFLED), (1, BREAK)],
            level_db: -4.0,
        },
        sound: sound(-2.0, 7500.0, 0.1, 0.15, (0.9, 0.2), -46.0),
        neighbours: [blues, classical, disco],
    }
}

fn metal() -> Style {
    Style {
        name: "metal".to_owned(),
        turn: 0,
        tempo: (142.0, 0.32),
        swing: (0.0, 0.05),
        scales: &[(4, MINOR), (3, PHRYGIAN), (2, MINOR_PENTATONIC), (1, BLUE)],
        progressions: &[(4, POWER), (4, POWER_LOOP), (1, DESCENT), (1, DRONE)],
        chords: role(
            1.0,
            &[(6, DISTORTED_GUITAR), (3, OVERDRIVEN_GUITAR), (1, SAW)],
            &[(3, GALLOP), (3, EIGHTHS), (2, "xxxxx.xxxxx.xxxx"), (1, TRESILLO), (1, WHOLE)],
            0.75,
            41,
            0.0,
            0.0,
        ),
        bass: role(
            0.95,
            &[(5, PICKED_BASS), (2, FINGERED_BASS), (1, SYNTH_BASS)],
            &[(4, EIGHTHS), (3, GALLOP), (1, QUARTERS)],
            0.8,
            29,
            -2.0,
            0.1,
        ),
        lead: role(
            0.55,
            &[(5, OVERDRIVEN_GUITAR), (3, DISTORTED_GUITAR), (1, VIOLIN), (1, ORGAN)],
            &[(3, SIXTEENTHS), (2, LINE), (2, QUARTERS), (1, SPARSE)],
            0.9,
            65,
            -4.0,
            0.4,
        ),
        pad: role(0.2, &[(2, CHOIR), (2, STRINGS), (1, PAD)], &[(1, WHOLE)], 1.0, 57, -9.0, 0.0),
        drums: DrumRole {
            presence: 1.0,
            kits: &[(6, ROCK), (1, ACOUSTIC)],
            grooves: &[(3, DOUBLE), (2, BLAST), (3, BEAT), (1, BEAT_SLOW)],
            level_db: -1.0,
        },
        sound: sound(1.0, 8000.0, 0.9, 0.6, (0.6, 0.12), -44.0),
        neighbours: [blues, chiptune, techno],
    }
}

fn reggae() -> Style {
    Style {
        name: "reggae".to_owned(),
        turn: 0,
        tempo: (76.0, 0.20),
        swing: (0.0, 0.25),
        scales: &[(4, MINOR), (3, MAJOR), (2, PENTATONIC), (1, DORIAN)],
        progressions: &[(3, MINOR_PAIR), (3, THREE_CHORDS), (2, CIRCLE), (2, POP)],
        chords: role(
            1.0,
            &[(4, CLEAN_GUITAR), (3, ORGAN), (2, PIANO), (1, ELECTRIC_PIANO), (1, STEEL_GUITAR)],
            &[(5, SKANK), (3, OFFBEATS), (2, "....x.x.....x.x."), (1, STABS)],
            0.3,
            60,
            -3.0,
            0.0,
        ),
        bass: role(
            1.0,
            &[(4, FINGERED_BASS), (3, SUB_BASS), (1, UPRIGHT_BASS), (1, SYNTH_BASS)],
            &[(4, "x..x..x.....x.x."), (3, TRESILLO), (1, LINE), (1, LATE)],
            0.8,
            32,
            2.0,
            0.4,
        ),
        lead: role(
            0.55,
            &[(3, BRASS), (2, SAXOPHONE), (2, ORGAN), (2, HARMONICA), (1, CLEAN_GUITAR)],
            &[(3, LATE), (3, SPARSE), (2, "........x..x...."), (1, LINE)],
            0.7,
            67,
            -5.0,
            0.5,
        ),
        pad: role(
            0.3,
            &[(4, ORGAN), (1, STRINGS), (1, PAD)],
            &[(2, WHOLE), (1, HALVES)],
            0.9,
            57,
            -9.0,
            0.0,
        ),
        drums: DrumRole {
            presence: 0.95,
            kits: &[(4, ACOUSTIC), (2, HANDS), (1, DEEP), (1, MACHINE)],
            grooves: &[(5, DROP), (3, STEPPERS), (1, BEAT_SLOW), (1, BEAT_LOOSE)],
            level_db: -2.0,
        },
        sound: sound(-3.0, 7000.0, 0.2, 0.3, (1.3, 0.25), -48.0),
        neighbours: [disco, blues, folk],
    }
}

fn techno() -> Style {
    Style {
        name: "techno".to_owned(),
        turn: 0,
        tempo: (130.0, 0.12),
        swing: (0.0, 0.15),
        scales: &[(5, MINOR), (3, PHRYGIAN), (1, MINOR_PENTATONIC), (1, DORIAN)],
        progressions: &[(5, DRONE), (3, MINOR_PAIR), (2, MINOR_LOOP), (1, STILL)],
        chords: role(
            0.85,
            &[(4, SYNTH_PLUCK), (3, SAW), (2, PULSE), (1, ELECTRIC_PIANO), (1, PAD)],
            &[(4, STABS), (3, OFFBEATS), (2, TRESILLO), (1, SIXTEENTHS)],
            0.5,
            55,
            -5.0,
            0.3,
        ),
        bass: role(
            1.0,
            &[(5, SYNTH_BASS), (3, SUB_BASS), (1, PULSE_BASS)],
            &[(4, OFFBEATS), (3, SIXTEENTHS), (2, "..xx..xx..xx..xx"), (1, TRESILLO)],
            0.7,
            33,
            -1.0,
            0.15,
        ),
        lead: role(
            0.5,
            &[(3, SYNTH_PLUCK), (3, SAW), (2, PULSE), (1, BELLS)],
            &[(3, SIXTEENTHS), (2, TRESILLO), (2, LINE), (1, SPARSE)],
            0.6,
            66,
            -6.0,
            0.5,
        ),
        pad: role(0.5, &[(3, PAD), (2, WARM_PAD), (1, CHOIR)], &[(1, WHOLE)], 1.0, 57, -9.0, 0.0),
        drums: DrumRole {
            presence: 1.0,
            kits: &[(5, MACHINE), (3, DEEP)],
            grooves: &[(4, FOUR_BARE), (3, FOUR_FAST), (2, FOUR), (1, BREAK)],
            level_db: 2.0,
        },
        sound: sound(0.0, 9000.0, 0.5, 0.6, (0.9, 0.15), -56.0),
        neighbours: [disco, chiptune, ambient],
    }
}
