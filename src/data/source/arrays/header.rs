//! The header of a `.npy` file: type, order and shape of the values behind it.
//!
//! The format is NumPy's, versions 1.0 to 3.0: a magic, a length, and the
//! literal of a Python dictionary. Nothing here is taken on trust: a shape is
//! only numbers until it is compared with the bytes that there are.

use std::io::{self, Read};

use super::problem::ArrayProblem;
use super::values::Values;
use crate::data::npy::MAX_ROW_RANK;

const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// Longest header that is read. NumPy itself reads 10 000 bytes unless told
/// otherwise; only structured types, which are refused, have longer ones.
const MAX_HEADER_BYTES: u32 = 1 << 16;
/// Most bytes of one row, which has to be in memory as a whole.
const MAX_ROW_BYTES: u64 = 1 << 30;

/// What is known of an array without its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) values: Values,
    /// Whether the first index runs fastest.
    pub(super) fortran: bool,
    pub(super) shape: Vec<u64>,
    /// Bytes before the values.
    pub(super) offset: u64,
}

impl Header {
    /// Reads a header.
    ///
    /// # Errors
    ///
    /// What is wrong with it, or with the type of the values.
    pub(super) fn read(reader: &mut impl Read) -> Result<Self, ArrayProblem> {
        let magic: [u8; 6] = exactly(reader)?;
        if magic != *MAGIC {
            return Err(ArrayProblem::NotNpy { is_zip: magic.starts_with(b"PK\x03\x04") });
        }
        let [major, minor]: [u8; 2] = exactly(reader)?;
        let (length, before) = match (major, minor) {
            (1, 0) => (u32::from(u16::from_le_bytes(exactly(reader)?)), 10),
            (2 | 3, 0) => (u32::from_le_bytes(exactly(reader)?), 12),
            (major, minor) => return Err(ArrayProblem::Version(major, minor)),
        };
        if length > MAX_HEADER_BYTES {
            return Err(ArrayProblem::Header(format!("it says that it has {length} bytes")));
        }
        let mut text = Vec::new();
        reader.take(u64::from(length)).read_to_end(&mut text).map_err(ArrayProblem::unreadable)?;
        if text.len() < length as usize {
            return Err(ArrayProblem::Header("it is cut off".to_owned()));
        }
        // Before version 3 it is Latin-1, which differs in names of fields only.
        let text = String::from_utf8_lossy(&text);
        let Dictionary { descr, fortran, shape } = Dictionary::parse(&text)?;
        let values = Values::parse(&descr)?;
        Ok(Self { values, fortran, shape, offset: before + u64::from(length) })
    }

    /// Refuses shapes that no array of rows has.
    ///
    /// - `most`: how many lengths a row may have
    pub(super) fn check_rows(&self, most: usize) -> Result<(), ArrayProblem> {
        debug_assert!(most <= MAX_ROW_RANK, "rows are written with fewer lengths");
        match self.shape.as_slice() {
            [] => return Err(ArrayProblem::Scalar),
            [0, ..] => return Err(ArrayProblem::NoRows),
            [_, row @ ..] if row.contains(&0) => return Err(ArrayProblem::NoValues(self.shown())),
            [_, row @ ..] if row.len() > most => {
                return Err(ArrayProblem::Rank { shape: self.shown(), most: most + 1 });
            }
            _ => {}
        }
        let too_large = || ArrayProblem::TooLarge(self.shown());
        let row_bytes = product(&self.shape[1..])
            .and_then(|values| values.checked_mul(self.values.bytes()))
            .filter(|&bytes| bytes <= MAX_ROW_BYTES)
            .ok_or_else(too_large)?;
        // Rows are counted in `usize` and `i64`, offsets in 63 bits.
        let bytes = row_bytes.checked_mul(self.rows()).and_then(|b| b.checked_add(self.offset));
        match bytes {
            Some(bytes) if i64::try_from(bytes).is_ok() && usize::try_from(bytes).is_ok() => Ok(()),
            Some(_) | None => Err(too_large()),
        }
    }

    /// The first length; the array is no scalar.
    pub(super) fn rows(&self) -> u64 {
        self.shape[0]
    }

    /// The other lengths.
    pub(super) fn row_shape(&self) -> Vec<usize> {
        self.shape[1..].iter().map(|&length| length as usize).collect()
    }

    /// Number of values in a row of an array that has been checked.
    pub(super) fn row_len(&self) -> u64 {
        self.shape[1..].iter().product()
    }

    /// Bytes of a row of an array that has been checked.
    pub(super) fn row_bytes(&self) -> u64 {
        self.row_len() * self.values.bytes()
    }

    /// Bytes of all values of an array that has been checked.
    pub(super) fn bytes(&self) -> u64 {
        self.rows() * self.row_bytes()
    }

    /// Whether the order makes no difference.
    pub(super) fn is_c_order(&self) -> bool {
        !self.fortran || self.row_len() == 1 || self.rows() == 1 && self.shape.len() <= 2
    }

    /// The shape as Python writes it.
    pub(super) fn shown(&self) -> String {
        let lengths: Vec<String> = self.shape.iter().map(u64::to_string).collect();
        match lengths.as_slice() {
            [only] => format!("({only},)"),
            lengths => format!("({})", lengths.join(", ")),
        }
    }

    /// The index of a value, counted in C order, as NumPy takes it.
    pub(super) fn index(&self, value: u64) -> String {
        let mut rest = value;
        let mut index: Vec<String> = Vec::new();
        for &length in self.shape.iter().rev() {
            index.push((rest % length.max(1)).to_string());
            rest /= length.max(1);
        }
        index.reverse();
        format!("[{}]", index.join(", "))
    }
}

/// The product of lengths, none where it is beyond 64 bits.
fn product(lengths: &[u64]) -> Option<u64> {
    lengths.iter().try_fold(1_u64, |product, &length| product.checked_mul(length))
}

fn exactly<const N: usize>(reader: &mut impl Read) -> Result<[u8; N], ArrayProblem> {
    let mut bytes = [0; N];
    match reader.read_exact(&mut bytes) {
        Ok(()) => Ok(bytes),
        Err(cause) if cause.kind() == io::ErrorKind::UnexpectedEof => {
            Err(ArrayProblem::NotNpy { is_zip: false })
        }
        Err(cause) => Err(ArrayProblem::unreadable(cause)),
    }
}

/// What a header says, which is the literal of a Python dictionary with
/// exactly these keys.
#[derive(Debug, PartialEq, Eq)]
struct Dictionary {
    descr: String,
    fortran: bool,
    shape: Vec<u64>,
}

impl Dictionary {
    fn parse(text: &str) -> Result<Self, ArrayProblem> {
        let mut literal = Literal(text.trim());
        let (mut descr, mut fortran, mut shape) = (None, None, None);
        literal.expect('{')?;
        while !literal.take('}') {
            let key = literal.string()?;
            literal.expect(':')?;
            let is_new = match key {
                "descr" => descr.replace(literal.descr()?).is_none(),
                "fortran_order" => fortran.replace(literal.boolean()?).is_none(),
                "shape" => shape.replace(literal.shape()?).is_none(),
                _ => false,
            };
            if !is_new {
                return Err(literal.problem());
            }
            if !literal.take(',') {
                literal.expect('}')?;
                break;
            }
        }
        match (literal.0, descr, fortran, shape) {
            ("", Some(descr), Some(fortran), Some(shape)) => Ok(Self { descr, fortran, shape }),
            _ => Err(literal.problem()),
        }
    }
}

/// What is left of a Python literal; without leading spaces.
struct Literal<'a>(&'a str);

impl<'a> Literal<'a> {
    fn problem(&self) -> ArrayProblem {
        let shown = |character: char| if character.is_control() { '?' } else { character };
        let rest: String = self.0.chars().take(20).map(shown).collect();
        ArrayProblem::Header(match rest.as_str() {
            "" => "`descr`, `fortran_order` and `shape` are not all there".to_owned(),
            rest => format!("unexpected `{rest}`"),
        })
    }

    fn skip(&mut self, bytes: usize) {
        self.0 = self.0[bytes..].trim_start();
    }

    fn take(&mut self, wanted: char) -> bool {
        let found = self.0.starts_with(wanted);
        if found {
            self.skip(wanted.len_utf8());
        }
        found
    }

    fn expect(&mut self, wanted: char) -> Result<(), ArrayProblem> {
        if self.take(wanted) { Ok(()) } else { Err(self.problem()) }
    }

    /// Text in quotation marks, without escapes: no type that is read has one.
    fn string(&mut self) -> Result<&'a str, ArrayProblem> {
        let quote = self.0.chars().next().filter(|quote| matches!(quote, '\'' | '"'));
        let end = quote.and_then(|quote| self.0[1..].find(quote));
        let Some(end) = end else { return Err(self.problem()) };
        let text = &self.0[1..=end];
        self.skip(end + 2);
        Ok(text)
    }

    fn descr(&mut self) -> Result<String, ArrayProblem> {
        // A list of fields.
        if self.0.starts_with(['[', '(']) {
            return Err(ArrayProblem::Structured);
        }
        self.string().map(str::to_owned)
    }

    fn boolean(&mut self) -> Result<bool, ArrayProblem> {
        for (word, value) in [("True", true), ("False", false)] {
            if self.0.starts_with(word) {
                self.skip(word.len());
                return Ok(value);
            }
        }
        Err(self.problem())
    }

    fn shape(&mut self) -> Result<Vec<u64>, ArrayProblem> {
        let mut shape = Vec::new();
        self.expect('(')?;
        while !self.take(')') {
            let end = self.0.find(|character: char| !character.is_ascii_digit());
            let digits = &self.0[..end.unwrap_or(0)];
            let Ok(length) = digits.parse() else { return Err(self.problem()) };
            self.skip(digits.len());
            // Python 2 wrote long numbers so.
            self.take('L');
            shape.push(length);
            if !self.take(',') {
                self.expect(')')?;
                break;
            }
        }
        Ok(shape)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn bytes(version: u8, text: &str) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend([version, 0]);
        match version {
            1 => bytes.extend((text.len() as u16).to_le_bytes()),
            _ => bytes.extend((text.len() as u32).to_le_bytes()),
        }
        bytes.extend(text.as_bytes());
        bytes
    }

    fn read(text: &str) -> Result<Header, ArrayProblem> {
        Header::read(&mut bytes(1, text).as_slice())
    }

    #[test]
    fn all_versions_and_ways_of_writing_are_read() {
        let usual = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }      \n";
        let header = read(usual).unwrap();
        assert_eq!(header.shape, [3, 4]);
        assert!(!header.fortran);
        assert_eq!(header.offset, 10 + usual.len() as u64);
        for version in [2, 3] {
            let other = Header::read(&mut bytes(version, usual).as_slice()).unwrap();
            assert_eq!(other, Header { offset: 12 + usual.len() as u64, ..header.clone() });
        }
        for (text, shape) in [
            ("{\"shape\":(7,),\"fortran_order\":True,\"descr\":\"<i8\"}", vec![7]),
            ("{'descr': '|u1', 'fortran_order': False, 'shape': ()}", vec![]),
            ("{ 'descr' : '>f8' , 'fortran_order' : False , 'shape' : ( 3L , 2L ) }", vec![3, 2]),
        ] {
            assert_eq!(read(text).unwrap().shape, shape, "{text}");
        }
    }

    #[test]
    fn what_is_no_header_is_refused() {
        for (text, message) in [
            ("", "`descr`, `fortran_order` and `shape` are not all there"),
            ("{}", "`descr`, `fortran_order` and `shape` are not all there"),
            ("{'descr': '<f4', 'fortran_order': False, 'shape': (3,", "all there"),
            ("{'descr': '<f4', 'fortran_order': False, 'shape': (-3,)}", "`-3,)}`"),
            ("{'descr': '<f4', 'fortran_order': False, 'shape': (3.5,)}", "`.5,)}`"),
            ("{'descr': '<f4', 'fortran_order': 1, 'shape': (3,)}", "`1, 'shape': (3,)}`"),
            ("{'descr': '<f4', 'descr': '<f4'}", "`}`"),
            ("{'descr': '<f4', 'fortran_order': False, 'shape': (3,), 'x': 1}", "`1}`"),
            ("{'descr': '<f4', 'fortran_order': False, 'shape': (3,)} x", "`x`"),
            ("{'descr': 'é", "`'é`"),
            ("[]", "`[]`"),
            (
                "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}",
                "`99999999999999999999`",
            ),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(
                error.starts_with("has a broken header: ") && error.ends_with(message),
                "{text}: {error}"
            );
        }
        let good = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }";
        let cut = &bytes(1, good)[..40];
        assert_eq!(
            Header::read(&mut &*cut).unwrap_err().to_string(),
            "has a broken header: it is cut off"
        );
        let mut long = bytes(2, good);
        long[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
        let error = Header::read(&mut long.as_slice()).unwrap_err().to_string();
        assert_eq!(error, "has a broken header: it says that it has 4294967295 bytes");
        let error = Header::read(&mut bytes(4, good).as_slice()).unwrap_err();
        assert_eq!(error, ArrayProblem::Version(4, 0));
        for (start, is_zip) in [(&b"PK\x03\x04...."[..], true), (b"RIFF....", false), (b"", false)]
        {
            let error = Header::read(&mut &*start).unwrap_err();
            assert_eq!(error, ArrayProblem::NotNpy { is_zip });
        }
    }

    #[test]
    fn shapes_are_checked_without_trust() {
        let check = |shape: &str| {
            let text = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}}}");
            read(&text).unwrap().check_rows(3).map_err(|problem| problem.to_string())
        };
        for good in ["(1,)", "(5, 1)", "(1000000000, 10)", "(3, 128, 660, 1)"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for (shape, message) in [
            ("()", "is a single value"),
            ("(0, 5)", "has no rows"),
            ("(3, 0, 2)", "has rows without values: its shape is (3, 0, 2)"),
            ("(1, 2, 3, 4, 5)", "has shape (1, 2, 3, 4, 5), and 4 lengths are the most"),
            ("(2, 4294967296)", "has shape (2, 4294967296), which is too large"),
            (
                "(18446744073709551615, 1)",
                "has shape (18446744073709551615, 1), which is too large",
            ),
            (
                "(3, 4294967296, 4294967296)",
                "has shape (3, 4294967296, 4294967296), which is too large",
            ),
        ] {
            assert_eq!(check(shape), Err(message.to_owned()));
        }
    }

    #[test]
    fn indices_are_numpys() {
        let text = "{'descr': '<f8', 'fortran_order': False, 'shape': (5, 3, 2)}";
        let header = read(text).unwrap();
        assert_eq!(header.index(0), "[0, 0, 0]");
        assert_eq!(header.index(6 * 4 + 2 + 1), "[4, 1, 1]");
        assert_eq!((header.row_len(), header.row_bytes(), header.bytes()), (6, 48, 240));
    }
}
