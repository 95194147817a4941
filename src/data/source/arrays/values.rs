//! The type of an array's values, and what single values become: numbers of
//! examples, or labels.

use std::borrow::Cow;

use half::f16;

use super::problem::ArrayProblem;
use crate::data::npy::Element;

/// Longest text of a label, in bytes of the file.
const MAX_TEXT_BYTES: u64 = 1 << 16;
/// Whole numbers up to here are exact as floats.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// Type of an array's values, and the order of their bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Values {
    kind: Kind,
    big_endian: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bool,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    F16,
    F32,
    F64,
    /// So many characters of four bytes, filled up with zeros.
    Text(u32),
    /// So many bytes, filled up with zeros.
    Bytes(u32),
}

/// A label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Label<'a> {
    Number(i64),
    Text(Cow<'a, str>),
}

impl Values {
    /// Reads NumPy's name of a type: `<f4`, `|u1`, `<U10`.
    ///
    /// # Errors
    ///
    /// For types that are no numbers and no text.
    pub(super) fn parse(descr: &str) -> Result<Self, ArrayProblem> {
        let other = || ArrayProblem::Type(descr.chars().take(40).collect());
        let (order, name) = match descr.chars().next() {
            Some(order @ ('<' | '>' | '|' | '=')) => (order, &descr[1..]),
            Some(_) | None => return Err(other()),
        };
        let text = |digits: &str, width: u64| -> Result<u32, ArrayProblem> {
            let length: u32 = digits.parse().map_err(|_| other())?;
            match u64::from(length) * width {
                0 => Err(ArrayProblem::NoText),
                bytes if bytes > MAX_TEXT_BYTES => Err(ArrayProblem::LongText(length)),
                _ => Ok(length),
            }
        };
        let kind = match name {
            "b1" => Kind::Bool,
            "i1" => Kind::I8,
            "i2" => Kind::I16,
            "i4" => Kind::I32,
            "i8" => Kind::I64,
            "u1" => Kind::U8,
            "u2" => Kind::U16,
            "u4" => Kind::U32,
            "u8" => Kind::U64,
            "f2" => Kind::F16,
            "f4" => Kind::F32,
            "f8" => Kind::F64,
            _ if name.starts_with('O') => return Err(ArrayProblem::Objects),
            _ => match name.split_at_checked(1) {
                Some(("U", digits)) => Kind::Text(text(digits, 4)?),
                Some(("S", digits)) => Kind::Bytes(text(digits, 1)?),
                Some(_) | None => return Err(other()),
            },
        };
        Ok(Self { kind, big_endian: order == '>' })
    }

    /// Bytes of one value, at least 1.
    pub(super) fn bytes(self) -> u64 {
        match self.kind {
            Kind::Bool | Kind::I8 | Kind::U8 => 1,
            Kind::I16 | Kind::U16 | Kind::F16 => 2,
            Kind::I32 | Kind::U32 | Kind::F32 => 4,
            Kind::I64 | Kind::U64 | Kind::F64 => 8,
            Kind::Text(length) => 4 * u64::from(length),
            Kind::Bytes(length) => u64::from(length),
        }
    }

    /// Whether values are text.
    pub(super) fn are_text(self) -> bool {
        matches!(self.kind, Kind::Text(_) | Kind::Bytes(_))
    }

    /// Whether values are whole numbers of at most 8 bits without a sign, which
    /// stay as they are.
    pub(super) fn are_u8(self) -> bool {
        matches!(self.kind, Kind::Bool | Kind::U8)
    }

    /// Calls `take` with each number; `bytes` are whole values that are no text.
    fn each(self, bytes: &[u8], mut take: impl FnMut(f64)) {
        /// Decodes values of one type, in the order of their bytes.
        macro_rules! decode {
            ($type:ty, $convert:expr) => {{
                const BYTES: usize = size_of::<$type>();
                for value in bytes.as_chunks::<BYTES>().0 {
                    let value = if self.big_endian {
                        <$type>::from_be_bytes(*value)
                    } else {
                        <$type>::from_le_bytes(*value)
                    };
                    take($convert(value));
                }
            }};
        }
        match self.kind {
            Kind::Bool => bytes.iter().for_each(|&value| take(f64::from(u8::from(value != 0)))),
            Kind::I8 => decode!(i8, f64::from),
            Kind::I16 => decode!(i16, f64::from),
            Kind::I32 => decode!(i32, f64::from),
            Kind::I64 => decode!(i64, |value| value as f64),
            Kind::U8 => decode!(u8, f64::from),
            Kind::U16 => decode!(u16, f64::from),
            Kind::U32 => decode!(u32, f64::from),
            Kind::U64 => decode!(u64, |value| value as f64),
            Kind::F16 => decode!(f16, f16::to_f64),
            Kind::F32 => decode!(f32, f64::from),
            Kind::F64 => decode!(f64, |value| value),
            Kind::Text(_) | Kind::Bytes(_) => unreachable!("text is no number"),
        }
    }

    /// The one number in `bytes`.
    pub(super) fn number(self, bytes: &[u8]) -> f64 {
        let mut number = f64::NAN;
        self.each(bytes, |value| number = value);
        number
    }

    /// The one label in `bytes`.
    ///
    /// # Errors
    ///
    /// What stands there, where it cannot be a label.
    pub(super) fn label(self, bytes: &[u8]) -> Result<Label<'_>, String> {
        match self.kind {
            Kind::Bool | Kind::I8 | Kind::I16 | Kind::I32 | Kind::U8 | Kind::U16 | Kind::U32 => {
                Ok(Label::Number(self.number(bytes) as i64))
            }
            Kind::I64 | Kind::U64 => {
                let mut value = <[u8; 8]>::try_from(bytes).expect("values of this type have 8");
                if self.big_endian {
                    value.reverse();
                }
                let number = u64::from_le_bytes(value);
                if self.kind == Kind::U64 && i64::try_from(number).is_err() {
                    return Err(number.to_string());
                }
                Ok(Label::Number(i64::from_le_bytes(value)))
            }
            Kind::F16 | Kind::F32 | Kind::F64 => {
                let number = self.number(bytes);
                // Written so that NaN is refused.
                if number.fract() == 0.0 && number.abs() <= MAX_EXACT {
                    Ok(Label::Number(number as i64))
                } else {
                    Err(number.to_string().to_lowercase())
                }
            }
            Kind::Text(_) => self.text(bytes).map(|text| Label::Text(Cow::Owned(text))),
            Kind::Bytes(_) => {
                let end = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
                match std::str::from_utf8(&bytes[..end]) {
                    Ok("") => Err("empty".to_owned()),
                    Ok(text) => Ok(Label::Text(Cow::Borrowed(text))),
                    Err(_) => Err("not UTF-8".to_owned()),
                }
            }
        }
    }

    fn text(self, bytes: &[u8]) -> Result<String, String> {
        let code = |value: &[u8; 4]| {
            if self.big_endian { u32::from_be_bytes(*value) } else { u32::from_le_bytes(*value) }
        };
        let codes: Vec<u32> = bytes.as_chunks::<4>().0.iter().map(code).collect();
        let end = codes.iter().rposition(|&code| code != 0).map_or(0, |last| last + 1);
        if end == 0 {
            return Err("empty".to_owned());
        }
        let text: Option<String> = codes[..end].iter().map(|&code| char::from_u32(code)).collect();
        text.ok_or_else(|| "not Unicode".to_owned())
    }
}

/// What numbers of examples become.
pub(super) trait Target: Element {
    /// Appends the numbers in `bytes`, which are whole values and no text.
    ///
    /// # Errors
    ///
    /// Which of them, from 0, is not a finite number of this type.
    fn convert(values: Values, bytes: &[u8], numbers: &mut Vec<Self>) -> Result<(), usize>;
}

impl Target for u8 {
    fn convert(values: Values, bytes: &[u8], numbers: &mut Vec<Self>) -> Result<(), usize> {
        match values.kind {
            Kind::Bool => numbers.extend(bytes.iter().map(|&byte| u8::from(byte != 0))),
            _ => numbers.extend(bytes),
        }
        Ok(())
    }
}

impl Target for f32 {
    fn convert(values: Values, bytes: &[u8], numbers: &mut Vec<Self>) -> Result<(), usize> {
        let before = numbers.len();
        values.each(bytes, |value| numbers.push(value as f32));
        match numbers[before..].iter().position(|number| !number.is_finite()) {
            Some(index) => Err(index),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn floats(descr: &str, bytes: &[u8]) -> Vec<f32> {
        let mut numbers = Vec::new();
        f32::convert(Values::parse(descr).unwrap(), bytes, &mut numbers).unwrap();
        numbers
    }

    #[test]
    fn numbers_of_all_types_and_orders_become_floats() {
        assert_eq!(floats("|b1", &[0, 1, 7]), [0.0, 1.0, 1.0]);
        assert_eq!(floats("|i1", &[0xff, 5]), [-1.0, 5.0]);
        assert_eq!(floats("|u1", &[0xff, 5]), [255.0, 5.0]);
        assert_eq!(floats("<i2", &[0xfe, 0xff]), [-2.0]);
        assert_eq!(floats(">i2", &[0xff, 0xfe]), [-2.0]);
        assert_eq!(floats(">u4", &[0, 1, 0, 0]), [65536.0]);
        assert_eq!(floats("<i8", &i64::MIN.to_le_bytes()), [-9_223_372_036_854_775_808.0]);
        assert_eq!(floats(">u8", &u64::MAX.to_be_bytes()), [18_446_744_073_709_551_616.0]);
        assert_eq!(floats("<f2", &[0x00, 0x3e, 0x01, 0x00]), [1.5, 5.960_464_5e-8]);
        assert_eq!(floats(">f2", &[0x3e, 0x00]), [1.5]);
        assert_eq!(floats("<f4", &1.25_f32.to_le_bytes()), [1.25]);
        assert_eq!(floats(">f8", &0.1_f64.to_be_bytes()), [0.1]);
        let mut pixels = Vec::new();
        u8::convert(Values::parse("|b1").unwrap(), &[0, 9], &mut pixels).unwrap();
        u8::convert(Values::parse("|u1").unwrap(), &[0, 9], &mut pixels).unwrap();
        assert_eq!(pixels, [0, 1, 0, 9]);
    }

    #[test]
    fn what_is_not_finite_is_pointed_at() {
        let convert = |descr, bytes: &[u8]| {
            f32::convert(Values::parse(descr).unwrap(), bytes, &mut vec![0.0; 3])
        };
        let bytes: Vec<u8> =
            [1.0, f64::NAN, f64::INFINITY].iter().flat_map(|value| value.to_le_bytes()).collect();
        assert_eq!(convert("<f8", &bytes), Err(1));
        assert_eq!(convert("<f8", &1e300_f64.to_le_bytes()), Err(0));
        assert_eq!(convert("<f2", &[0x00, 0x7c]), Err(0));
    }

    #[test]
    fn labels_are_numbers_or_text() {
        let label = |descr: &str, bytes: &[u8]| match Values::parse(descr).unwrap().label(bytes) {
            Ok(Label::Number(number)) => number.to_string(),
            Ok(Label::Text(text)) => format!("'{text}'"),
            Err(problem) => format!("! {problem}"),
        };
        assert_eq!(label("|b1", &[1]), "1");
        assert_eq!(label("<i4", &(-3_i32).to_le_bytes()), "-3");
        assert_eq!(label("<i8", &i64::MIN.to_le_bytes()), i64::MIN.to_string());
        assert_eq!(label(">i8", &(-7_i64).to_be_bytes()), "-7");
        assert_eq!(label("<u8", &7_u64.to_le_bytes()), "7");
        assert_eq!(label("<u8", &u64::MAX.to_le_bytes()), "! 18446744073709551615");
        assert_eq!(label("<f4", &3_f32.to_le_bytes()), "3");
        assert_eq!(label("<f4", &3.5_f32.to_le_bytes()), "! 3.5");
        assert_eq!(label("<f8", &f64::NAN.to_le_bytes()), "! nan");
        assert_eq!(label("<f8", &f64::NEG_INFINITY.to_le_bytes()), "! -inf");
        assert_eq!(label("<U3", b"j\0\0\0\xe4\0\0\0\0\0\0\0"), "'jä'");
        assert_eq!(label(">U2", b"\0\0\0j\0\0\0\xe4"), "'jä'");
        assert_eq!(label("<U1", &[0; 4]), "! empty");
        assert_eq!(label("<U1", &[0xff; 4]), "! not Unicode");
        assert_eq!(label("|S4", b"jo\0\0"), "'jo'");
        assert_eq!(label("|S2", b"\xff\xfe"), "! not UTF-8");
    }

    #[test]
    fn types_of_no_use_are_refused() {
        assert_eq!(Values::parse("|O"), Err(ArrayProblem::Objects));
        assert_eq!(Values::parse("|O8"), Err(ArrayProblem::Objects));
        assert_eq!(Values::parse("<U0"), Err(ArrayProblem::NoText));
        assert_eq!(Values::parse("|S99999999"), Err(ArrayProblem::LongText(99_999_999)));
        assert_eq!(Values::parse("<U4294967295"), Err(ArrayProblem::LongText(u32::MAX)));
        for descr in ["<c8", "<M8[ns]", "<m8[s]", "|V4", "<f16", "<f3", "", "f4", "<", "<é", "<U-1"]
        {
            assert_eq!(Values::parse(descr), Err(ArrayProblem::Type(descr.to_owned())), "{descr}");
        }
    }
}
