//! Files that are cut off, lie, or are something else.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;

use super::testing::decode;
use super::*;

fn golden_file(name: &str) -> Vec<u8> {
    fs::read(golden::folder().join(name)).unwrap()
}

/// Writes a number over bytes of a file.
fn set<const WIDTH: usize>(bytes: &mut [u8], at: usize, number: [u8; WIDTH]) {
    bytes[at..at + WIDTH].copy_from_slice(&number);
}

/// Where something stands in a file.
fn find(bytes: &[u8], part: &[u8]) -> usize {
    bytes.windows(part.len()).position(|window| window == part).unwrap()
}

fn reason(bytes: &[u8]) -> String {
    decode(bytes.to_vec()).unwrap_err().to_string()
}

#[test]
fn plain_files_that_are_cut_off_give_what_is_there() {
    for name in ["s16.au", "s24.aiff", "six.wav", "float.au", "alaw.aiff", "long.wav"] {
        let bytes = golden_file(name);
        let whole = decode(bytes.clone()).unwrap();
        let mut read = 0;
        for length in 1..bytes.len() {
            match decode(bytes[..length].to_vec()) {
                Ok(recording) => {
                    read += 1;
                    assert!(whole.samples.starts_with(&recording.samples), "{name}: {length}");
                }
                Err(error) => assert!(read == 0, "{name}: {length}: {error}"),
            }
        }
        assert!(read >= whole.samples.len(), "{name}: {read}");
    }
}

#[test]
fn compressed_files_that_are_cut_off_give_what_is_there_or_a_reason() {
    for name in ["s16.flac", "mono.ogg", "stereo.mp3", "untold.mp3"] {
        let bytes = golden_file(name);
        let whole = decode(bytes.clone()).unwrap();
        for length in (1..bytes.len()).step_by(37) {
            match decode(bytes[..length].to_vec()) {
                // Padding at the end cannot be told from sound without the end.
                Ok(recording) => assert!(recording.samples.len() <= whole.samples.len() + 2048),
                Err(error) => assert!(!error.to_string().is_empty()),
            }
        }
    }
    assert_eq!(reason(&golden_file("s16.flac")[..30]), "FLAC is damaged: its header is cut off");
    assert_eq!(
        reason(&golden_file("mono.ogg")[..300]),
        "Ogg Vorbis is damaged: its header is cut off or damaged"
    );
    assert_eq!(
        reason(&golden_file("mono.mp3")[..100]),
        "MP3 is damaged: it ends before its first sample"
    );
}

#[test]
fn lengths_in_headers_are_not_trusted() {
    let au = golden_file("s16.au");
    let whole = decode(au.clone()).unwrap();
    for length in [u32::MAX, u32::MAX - 1, 501, 1 << 30] {
        let mut bytes = au.clone();
        set(&mut bytes, 8, length.to_be_bytes());
        assert_eq!(decode(bytes), Ok(whole.clone()), "{length}");
    }
    // A shorter length is meant: notes may follow the samples.
    let mut bytes = au.clone();
    set(&mut bytes, 8, 100_u32.to_be_bytes());
    assert_eq!(decode(bytes).unwrap().samples, whole.samples[..50]);
    let mut bytes = au.clone();
    set(&mut bytes, 4, u32::MAX.to_be_bytes());
    assert_eq!(decode(bytes), Err(RecordingError::NoSamples));

    let aiff = golden_file("s16.aiff");
    let whole = decode(aiff.clone()).unwrap();
    let length = find(&aiff, b"SSND") + 4;
    for lie in [u32::MAX, 1 << 31, 100_000] {
        let mut bytes = aiff.clone();
        set(&mut bytes, 4, lie.to_be_bytes());
        set(&mut bytes, length, lie.to_be_bytes());
        assert_eq!(decode(bytes), Ok(whole.clone()), "{lie}");
    }

    let wav = tests::wav_16(8000, &[16384; 100]);
    let mut bytes = wav.clone();
    set(&mut bytes, 40, 20_u32.to_le_bytes());
    assert_eq!(decode(bytes).unwrap().samples.len(), 10);
    // Written to a pipe, or never closed.
    for (riff, data) in [(u32::MAX, u32::MAX), (36, 0), (0, 0)] {
        let mut bytes = wav.clone();
        set(&mut bytes, 4, riff.to_le_bytes());
        set(&mut bytes, 40, data.to_le_bytes());
        assert_eq!(decode(bytes).unwrap().samples.len(), 100);
    }

    let flac = golden_file("s16.flac");
    let mut bytes = flac.clone();
    // The number of samples: four bits and four bytes.
    set(&mut bytes, 22, [0xff; 4]);
    assert_eq!(decode(bytes), decode(flac));

    // The number of frames of an MP3: more than there are, and none.
    let mp3 = golden_file("stereo.mp3");
    let frames = find(&mp3, b"Xing") + 8;
    for lie in [u32::MAX, 0] {
        let mut bytes = mp3.clone();
        set(&mut bytes, frames, lie.to_be_bytes());
        assert!(decode(bytes).is_ok_and(|recording| recording.samples.len() <= 4 * 1152), "{lie}");
    }
}

#[test]
fn lengths_in_tags_take_no_memory() {
    let mut ogg = golden_file("mono.ogg");
    // The length of the first comment: the encoder's name.
    let vendor = find(&ogg, b"\x03vorbis") + 7;
    set(&mut ogg, vendor, u32::MAX.to_le_bytes());
    testing::repair_checksums(&mut ogg);
    assert_eq!(reason(&ogg), "Ogg Vorbis is damaged: its header makes no sense");

    let mut ogg = golden_file("mono.ogg");
    // 16 bits of dimensions and 24 of entries of the first table.
    let table = find(&ogg, b"BCV") + 3;
    set(&mut ogg, table, [0xff; 5]);
    testing::repair_checksums(&mut ogg);
    assert_eq!(reason(&ogg), "Ogg Vorbis is damaged: its header makes no sense");

    // A picture before the frames that says it has four GiB.
    let mut flac = golden_file("s8.flac");
    let picture = [&[6, 0, 0, 32][..], &[0; 28], &[0xff; 4]].concat();
    flac.splice(42..42, picture);
    assert_eq!(decode(flac), decode(golden_file("s8.flac")));
}

#[test]
fn numbers_that_are_none_are_refused() {
    for (name, header) in [("float.au", 24), ("double.au", 24)] {
        for infinite in [0x7fc0_0000_u32, 0x7ff8_0000, 0x7f80_0000, 0xff80_0000, 0xfff0_0000] {
            let mut bytes = golden_file(name);
            set(&mut bytes, header, infinite.to_be_bytes());
            // Some are plain large numbers in the longer format.
            if let Ok(recording) = decode(bytes) {
                assert!(recording.samples.iter().all(|sample| sample.is_finite()), "{name}");
            }
        }
    }
    let mut bytes = golden_file("float.au");
    set(&mut bytes, 24, f32::NEG_INFINITY.to_be_bytes());
    assert_eq!(decode(bytes), Err(RecordingError::NotFinite));
    let mut bytes = golden_file("double.au");
    // Finite, but not as a float of 32 bits.
    set(&mut bytes, 24, 1e300_f64.to_be_bytes());
    assert_eq!(decode(bytes), Err(RecordingError::NotFinite));
}

#[test]
fn headers_that_make_no_sense_are_refused() {
    let mut au = golden_file("s16.au");
    set(&mut au, 20, 0_u32.to_be_bytes());
    assert_eq!(reason(&au), "AU is damaged: it has no channels");
    set(&mut au, 12, 23_u32.to_be_bytes());
    set(&mut au, 20, 1_u32.to_be_bytes());
    assert_eq!(
        reason(&au),
        "AU with ADPCM compression is not read: convert it to 16-bit WAV, or to FLAC"
    );
    let mut aiff = golden_file("s16.aiff");
    let common = find(&aiff, b"COMM") + 8;
    set(&mut aiff, common + 8, [0; 10]);
    assert_eq!(reason(&aiff), "AIFF is damaged: its sample rate makes no sense");
    assert_eq!(reason(b"FORM\0\0\0\x04AIFF"), "AIFF is damaged: it has no header");
    assert_eq!(reason(b"RIFF\x04\0\0\0WAVE"), "WAV is damaged: it has no header");
    let wav = tests::wav_16(8000, &[1]);
    assert_eq!(reason(&wav[..36]), "WAV is damaged: it has no samples");
    let mut adpcm = wav.clone();
    set(&mut adpcm, 20, 2_u16.to_le_bytes());
    assert_eq!(
        reason(&adpcm),
        "WAV with ADPCM compression is not read: convert it to 16-bit WAV, or to FLAC"
    );
}

#[test]
fn what_is_not_read_is_named() {
    let long = |start: &[u8]| [start, &[0; 600]].concat();
    let wma = b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c";
    let encrypted =
        [&wma[..], &[0; 40], b"\xfb\xb3\x11\x22\x23\xbd\xd2\x11\xb4\xb7\0\xa0"].concat();
    let opus = [&b"OggS\0\x02"[..], &[0; 22], b"OpusHead"].concat();
    let ogg_flac = [&b"OggS\0\x02"[..], &[0; 22], b"\x7fFLAC"].concat();
    for (bytes, expected) in [
        (
            long(b"\0\0\0\x20ftypM4A "),
            "MP4 or M4A (AAC or ALAC) is not read: convert it to WAV, FLAC or Ogg Vorbis",
        ),
        (
            long(b"\0\0\0\x20ftypM4P "),
            "M4A protected by DRM cannot be read: get it as WAV, FLAC or MP3",
        ),
        (
            long(&[&b"\0\0\0\x20ftypM4A "[..], b"....drms"].concat()),
            "M4A protected by DRM cannot be read: get it as WAV, FLAC or MP3",
        ),
        (long(wma), "WMA is not read: convert it to WAV, FLAC or Ogg Vorbis"),
        (encrypted, "WMA protected by DRM cannot be read: get it as WAV, FLAC or MP3"),
        (opus, "Opus is not read: convert it to WAV, FLAC or Ogg Vorbis"),
        (ogg_flac, "FLAC inside Ogg is not read: convert it to WAV, FLAC or Ogg Vorbis"),
        (long(b"\xff\xf1\x50\x80"), "AAC is not read: convert it to WAV, FLAC or Ogg Vorbis"),
        (
            long(b"\xff\xfd\x90\x00"),
            "MPEG audio, layer 2 (MP2) is not read: convert it to WAV, FLAC or Ogg Vorbis",
        ),
        (long(b"\x89PNG\r\n\x1a\n"), "not a recording: its content is a PNG image"),
        (long(b"PK\x03\x04"), "not a recording: its content is a ZIP archive"),
        (
            b"<!DOCTYPE html><html>".to_vec(),
            "not a recording: its content is a web page: perhaps a download that was refused",
        ),
        (
            b"artist;title;year\nMiles Davis;So What;1959\n".to_vec(),
            "not a recording: its content is text",
        ),
        (
            vec![0; 600],
            "not a recording: its content is zeros: perhaps a download that was cut off",
        ),
        (
            b"ID3\x04\0\0\0\0\0\x7f".to_vec(),
            "not a recording: its content is a tag (ID3) and no sound",
        ),
        (b"\x12\x34\x56".to_vec(), "not a recording, or in an unknown format"),
        (b"RIFF".to_vec(), "not a recording, or in an unknown format"),
    ] {
        assert_eq!(reason(&bytes), expected);
    }
}

#[test]
fn a_stream_of_another_kind_beside_vorbis_is_passed_over() {
    let vorbis = golden_file("mono.ogg");
    let whole = decode(vorbis.clone()).unwrap();
    let mut other = [&b"OggS\0\x02"[..], &[0; 8], b"abcd", &[0; 8], &[1, 8], b"OpusHead"].concat();
    testing::repair_checksums(&mut other);
    assert_eq!(decode([other, vorbis.clone()].concat()), Ok(whole.clone()));
    // Of streams that follow one another, the first is read.
    assert_eq!(decode([vorbis, golden_file("stereo.ogg")].concat()), Ok(whole));
}

#[test]
fn damaged_frames_become_silence_unless_they_are_many() {
    let mp3 = golden_file("untold.mp3");
    let whole = decode(mp3.clone()).unwrap().samples.len();
    // One of four frames makes no sense: that is too many.
    let mut bytes = mp3.clone();
    bytes[4..428].fill(0xff);
    assert_eq!(reason(&bytes), "MP3 is damaged: 1 of 4 frames cannot be decoded");
    // One of many is silence.
    let many = mp3.repeat(5);
    let mut bytes = many.clone();
    bytes[mp3.len() + 4..mp3.len() + 428].fill(0xff);
    let recording = decode(bytes).unwrap();
    assert_eq!(recording.samples.len(), decode(many).unwrap().samples.len());
    assert!(recording.samples[whole..whole + 1152].iter().all(|&sample| sample == 0.0));
}
