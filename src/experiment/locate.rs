//! Lines of an experiment file: only looked up for errors.
//!
//! serde_yaml keeps no positions in its values, but it attaches one to every
//! error of a visitor. So the text is read a second time by a visitor that
//! follows the path and fails, on purpose, where it ends.

use std::collections::HashSet;
use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

use super::path::Segment;

/// Line, from 1, of a key or of an item of a list.
///
/// `None` for the empty path and for a path that is not in `text`.
pub(super) fn line_of(text: &str, path: &[Segment]) -> Option<usize> {
    if path.is_empty() {
        return None;
    }
    let mut found = false;
    let search = Follow { path, found: &mut found };
    let error = search.deserialize(serde_yaml::Deserializer::from_str(text)).err()?;
    error.location().filter(|_| found).map(|location| location.line())
}

/// Name and line of the first key that stands twice in one mapping.
pub(super) fn duplicate_key(text: &str) -> Option<(String, usize)> {
    let mut name = None;
    let error = Unique { duplicate: &mut name }
        .deserialize(serde_yaml::Deserializer::from_str(text))
        .err()?;
    name.zip(error.location().map(|location| location.line()))
}

/// Follows a path and fails where it ends.
struct Follow<'a> {
    path: &'a [Segment],
    found: &'a mut bool,
}

impl<'de> DeserializeSeed<'de> for Follow<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.path.first() {
            None => deserializer.deserialize_any(Here { found: self.found }),
            Some(Segment::Key(_)) => deserializer.deserialize_map(self),
            Some(Segment::Index(_)) => deserializer.deserialize_seq(self),
        }
    }
}

impl<'de> Visitor<'de> for Follow<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the way to a value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Some((Segment::Key(wanted), rest)) = self.path.split_first() else {
            return Err(A::Error::custom("not this way"));
        };
        let mut last = false;
        loop {
            let found = if rest.is_empty() { &mut *self.found } else { &mut last };
            let key = MatchKey { wanted, stop: rest.is_empty(), found };
            match map.next_key_seed(key)? {
                Some(true) => {
                    return map.next_value_seed(Follow { path: rest, found: self.found });
                }
                Some(false) => {
                    map.next_value::<IgnoredAny>()?;
                }
                None => return Ok(()),
            }
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let Some((Segment::Index(wanted), rest)) = self.path.split_first() else {
            return Err(A::Error::custom("not this way"));
        };
        for _ in 0..*wanted {
            if items.next_element::<IgnoredAny>()?.is_none() {
                return Ok(());
            }
        }
        items.next_element_seed(Follow { path: rest, found: self.found }).map(|_| ())
    }
}

/// Tells whether a key is the wanted one, and fails there if it is the last.
struct MatchKey<'a> {
    wanted: &'a str,
    stop: bool,
    found: &'a mut bool,
}

impl<'de> DeserializeSeed<'de> for MatchKey<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for MatchKey<'_> {
    type Value = bool;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<bool, E> {
        if key == self.wanted && self.stop {
            *self.found = true;
            return Err(E::custom("here"));
        }
        Ok(key == self.wanted)
    }
}

/// Fails at whatever value it is given.
struct Here<'a> {
    found: &'a mut bool,
}

impl Here<'_> {
    fn stop<E: Error>(self) -> Result<(), E> {
        *self.found = true;
        Err(E::custom("here"))
    }
}

impl<'de> Visitor<'de> for Here<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        self.stop()
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        self.stop()
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        self.stop()
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        self.stop()
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        self.stop()
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.stop()
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        self.stop()
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        self.stop()
    }

    /// A value with a tag.
    fn visit_enum<A: EnumAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        self.stop()
    }
}

/// Reads anything, and fails at a key that its mapping already has.
struct Unique<'a> {
    duplicate: &'a mut Option<String>,
}

impl<'de> DeserializeSeed<'de> for Unique<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Unique<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    /// A value with a tag is refused elsewhere.
    fn visit_enum<A: EnumAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        Err(A::Error::custom("a tag"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Unique { duplicate: self.duplicate })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut known = HashSet::new();
        loop {
            let key = NewKey { known: &mut known, duplicate: self.duplicate };
            if map.next_key_seed(key)?.is_none() {
                return Ok(());
            }
            map.next_value_seed(Unique { duplicate: self.duplicate })?;
        }
    }
}

/// Fails at a key that is not new.
struct NewKey<'a> {
    known: &'a mut HashSet<String>,
    duplicate: &'a mut Option<String>,
}

impl<'de> DeserializeSeed<'de> for NewKey<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for NewKey<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<(), E> {
        if self.known.insert(key.to_owned()) {
            return Ok(());
        }
        *self.duplicate = Some(key.to_owned());
        Err(E::custom("here"))
    }
}

#[cfg(test)]
mod tests {
    use serde_yaml::Value;

    use super::super::path::parse_path;
    use super::*;

    const TEXT: &str = "\
# a comment
study: x
space:
  a.b: {int: [16, 128],
        step: 16}

  c:
    choice:
      - relu
      -
      - tanh
model:
  - conv2d:
      filters:
        $c
      kernel: [3,
        4]
  - batch_norm
  - max_pool2d: 2
  - !tag flatten
base: &base
  x: 1
again: *base
1: one
";

    #[test]
    fn keys_items_and_nested_values_have_their_line() {
        let document: Value = serde_yaml::from_str(TEXT).expect("YAML");
        for (path, line) in [
            ("study", 2),
            ("space", 3),
            ("space.a.b", 4),
            ("space.a.b.int", 4),
            ("space.a.b.step", 5),
            ("space.c", 7),
            ("space.c.choice", 8),
            ("space.c.choice[0]", 9),
            ("space.c.choice[1]", 10),
            ("space.c.choice[2]", 11),
            ("model[0]", 13),
            ("model[0].conv2d", 13),
            ("model[0].conv2d.filters", 14),
            ("model[0].conv2d.kernel[0]", 16),
            ("model[0].conv2d.kernel[1]", 17),
            ("model[1]", 18),
            ("model[2].max_pool2d", 19),
            ("model[3]", 20),
            ("again", 23),
            ("1", 24),
        ] {
            let path = parse_path(path, &document).expect(path);
            assert_eq!(line_of(TEXT, &path), Some(line), "{path:?}");
        }
    }

    #[test]
    fn what_is_not_there_has_no_line() {
        for path in ["nothing", "study.x", "model[9]", "model[1].x", "space[0]"] {
            let path = parse_path(path, &Value::Null).expect(path);
            assert_eq!(line_of(TEXT, &path), None, "{path:?}");
        }
        assert_eq!(line_of(TEXT, &[]), None);
    }

    #[test]
    fn the_second_of_two_equal_keys_is_found() {
        assert_eq!(duplicate_key(TEXT), None);
        assert_eq!(duplicate_key("a: 1\nb:\n  - {c: 1,\n     c: 2}\n"), Some(("c".to_owned(), 4)));
    }
}
