//! What a file is, by its content.
//!
//! The first bytes decide. What is not read is named, so that a reader of the
//! list of skipped files knows what to convert, or what lies in the wrong place.

use std::fmt;

/// A format that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::data) enum Format {
    /// RIFF WAVE, also big-endian and with 64-bit lengths.
    Wav,
    /// AIFF and AIFC.
    Aiff,
    /// Sun and NeXT audio, either byte order.
    Au,
    /// FLAC, without Ogg.
    Flac,
    /// Vorbis in Ogg.
    Vorbis,
    /// MPEG audio, layer 3.
    Mp3,
}

impl fmt::Display for Format {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Wav => "WAV",
            Self::Aiff => "AIFF",
            Self::Au => "AU",
            Self::Flac => "FLAC",
            Self::Vorbis => "Ogg Vorbis",
            Self::Mp3 => "MP3",
        })
    }
}

/// Content that is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(in crate::data) enum Foreign {
    /// Audio in a format that is not read.
    #[error("{0} is not read: convert it to WAV, FLAC or Ogg Vorbis")]
    Audio(&'static str),
    /// Audio that cannot be converted either.
    #[error("{0} protected by DRM cannot be read: get it as WAV, FLAC or MP3")]
    Protected(&'static str),
    /// No audio.
    #[error("not a recording: its content is {0}")]
    Other(&'static str),
    /// No format that is known here.
    #[error("not a recording, or in an unknown format")]
    Unknown,
}

/// How far into a file something is searched that may lie anywhere in its
/// header.
const HEADER_BYTES: usize = 1 << 16;

/// Beginnings that settle the matter: bytes, and where they stand.
const AUDIO: [(usize, &[u8], &str); 15] = [
    (4, b"ftyp", "MP4 or M4A (AAC or ALAC)"),
    (0, b"ADIF", "AAC"),
    (0, b"caff", "Core Audio (CAF)"),
    (0, b"MAC ", "Monkey's Audio"),
    (0, b"wvpk", "WavPack"),
    (0, b"#!AMR", "AMR"),
    (0, b"MPCK", "Musepack"),
    (0, b"MP+", "Musepack"),
    (0, b"TTA1", "TTA"),
    (0, b"DSD ", "DSD"),
    (0, b"FRM8", "DSD"),
    (0, b"riff\x2e\x91\xcf\x11", "Wave64"),
    (0, b"Creative Voice File", "VOC"),
    (0, b"NIST_1A", "NIST SPHERE"),
    (0, b".RMF", "RealAudio"),
];

const OTHER: [(usize, &[u8], &str); 16] = [
    (0, b"MThd", "MIDI, which holds notes and no sound"),
    (0, b"\x1a\x45\xdf\xa3", "a Matroska or WebM video"),
    (8, b"AVI ", "an AVI video"),
    (0, b"FLV\x01", "a Flash video"),
    (0, b"\x89PNG", "a PNG image"),
    (0, b"\xff\xd8\xff", "a JPEG image"),
    (0, b"GIF8", "a GIF image"),
    (8, b"WEBP", "a WebP image"),
    (0, b"%PDF", "a PDF document"),
    (0, b"PK\x03\x04", "a ZIP archive"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"7z\xbc\xaf", "a 7z archive"),
    (0, b"Rar!", "a RAR archive"),
    (0, b"\x93NUMPY", "a NumPy array"),
    (0, b"SQLite format 3", "a SQLite database"),
    (0, b"version https://git-lfs", "a Git LFS pointer: fetch the file with `git lfs pull`"),
];

/// The object that begins every ASF file.
const ASF: &[u8] = b"\x30\x26\xb2\x75\x8e\x66\xcf\x11";
/// ASF's objects for encrypted content: its first form, and the extended one.
const ASF_ENCRYPTED: [&[u8]; 2] =
    [b"\xfb\xb3\x11\x22\x23\xbd\xd2\x11", b"\x14\xe6\x8a\x29\x22\x26\x17\x4c"];

/// Tells what a file is.
pub(super) fn identify(bytes: &[u8]) -> Result<Format, Foreign> {
    let content = &bytes[id3_len(bytes).min(bytes.len())..];
    let is =
        |at: usize, magic: &[u8]| content.get(at..).is_some_and(|rest| rest.starts_with(magic));
    if (is(0, b"RIFF") || is(0, b"RIFX") || is(0, b"RF64")) && is(8, b"WAVE") {
        return Ok(Format::Wav);
    }
    if is(0, b"FORM") && (is(8, b"AIFF") || is(8, b"AIFC")) {
        return Ok(Format::Aiff);
    }
    if is(0, b".snd") || is(0, b"dns.") {
        return Ok(Format::Au);
    }
    if is(0, b"fLaC") {
        return Ok(Format::Flac);
    }
    if is(0, b"OggS") {
        return ogg(content);
    }
    let head = &content[..content.len().min(HEADER_BYTES)];
    if is(0, ASF) {
        let encrypted = ASF_ENCRYPTED.iter().any(|object| holds(head, object));
        return Err(if encrypted { Foreign::Protected("WMA") } else { Foreign::Audio("WMA") });
    }
    // An encrypted track of MP4 has this type.
    if is(4, b"ftyp") && (is(8, b"M4P") || holds(head, b"drms")) {
        return Err(Foreign::Protected("M4A"));
    }
    let listed = |list: &[(usize, &[u8], &'static str)]| {
        list.iter().find(|(at, magic, _)| is(*at, magic)).map(|&(_, _, name)| name)
    };
    if let Some(name) = listed(&AUDIO) {
        return Err(Foreign::Audio(name));
    }
    if let Some(name) = listed(&OTHER) {
        return Err(Foreign::Other(name));
    }
    mpeg(content).unwrap_or_else(|| Err(guess(content, bytes)))
}

/// What an Ogg file holds: the first page of each stream, all of which stand at
/// the beginning, names its codec.
fn ogg(content: &[u8]) -> Result<Format, Foreign> {
    const CODECS: [(&[u8], &str); 5] = [
        (b"OpusHead", "Opus"),
        (b"\x7fFLAC", "FLAC inside Ogg"),
        (b"Speex   ", "Speex"),
        (b"\x80theora", "an Ogg video without Vorbis"),
        (b"CELT    ", "CELT"),
    ];
    let head = &content[..content.len().min(HEADER_BYTES)];
    if holds(head, b"\x01vorbis") {
        return Ok(Format::Vorbis);
    }
    let known = CODECS.iter().find(|(magic, _)| holds(head, magic));
    Err(Foreign::Audio(known.map_or("Ogg with an unknown codec", |&(_, name)| name)))
}

/// What MPEG audio, or AAC in its clothes, a file holds; none if neither.
fn mpeg(content: &[u8]) -> Option<Result<Format, Foreign>> {
    // Some writers leave zeros between tag and sound.
    let zeros = content.iter().take(HEADER_BYTES).take_while(|&&byte| byte == 0).count();
    let &[first, second, third, ..] = &content[zeros..] else { return None };
    if first != 0xff || second & 0xe0 != 0xe0 {
        return None;
    }
    let (version, layer) = (second >> 3 & 3, second >> 1 & 3);
    let (bitrate, rate) = (third >> 4, third >> 2 & 3);
    // Both are reserved values.
    if version == 1 || (layer != 0 && (bitrate == 15 || rate == 3)) {
        return None;
    }
    Some(match layer {
        0 if second & 0xf0 == 0xf0 => Err(Foreign::Audio("AAC")),
        0 => return None,
        1 => Ok(Format::Mp3),
        2 => Err(Foreign::Audio("MPEG audio, layer 2 (MP2)")),
        _ => Err(Foreign::Audio("MPEG audio, layer 1 (MP1)")),
    })
}

/// What cannot be told by its first bytes.
fn guess(content: &[u8], bytes: &[u8]) -> Foreign {
    if content.len() < bytes.len() {
        return Foreign::Other("a tag (ID3) and no sound");
    }
    if bytes.iter().all(|&byte| byte == 0) {
        return Foreign::Other("zeros: perhaps a download that was cut off");
    }
    let head = &bytes[..bytes.len().min(512)];
    let start: Vec<u8> =
        head.trim_ascii_start().iter().take(9).map(u8::to_ascii_lowercase).collect();
    if start.starts_with(b"<!doctype") || start.starts_with(b"<html") {
        return Foreign::Other("a web page: perhaps a download that was refused");
    }
    // The head may end within a character.
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => "",
    };
    let printable = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t');
    if head.len() >= 16 && !text.is_empty() && text.chars().all(printable) {
        return Foreign::Other("text");
    }
    Foreign::Unknown
}

/// Length of the ID3v2 tags in front of the content.
fn id3_len(bytes: &[u8]) -> usize {
    let mut start = 0_usize;
    while let Some(&[b'I', b'D', b'3', _, _, flags, a, b, c, d]) =
        bytes.get(start..).and_then(|rest| rest.first_chunk::<10>())
    {
        // Seven bits a byte, so that no byte looks like a frame of MPEG.
        let length = [a, b, c, d].iter().fold(0, |sum, &byte| sum << 7 | usize::from(byte & 0x7f));
        let footer = if flags & 0x10 == 0 { 0 } else { 10 };
        start += 10 + length + footer;
    }
    start
}

/// The bytes without ID3v2 tags at the front.
pub(super) fn without_id3(bytes: &[u8]) -> &[u8] {
    &bytes[id3_len(bytes).min(bytes.len())..]
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
