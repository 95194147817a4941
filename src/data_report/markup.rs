//! Text within a page: names of files and classes may hold anything.

use std::borrow::Cow;

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Text as content or as the value of an attribute.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other if is_hidden(other) => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}

/// What shows nothing, or turns round what follows: characters that no page may
/// hold, and those that a name could hide behind.
fn is_hidden(character: char) -> bool {
    let turns = matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let never = matches!(character, '\u{fffe}' | '\u{ffff}');
    character.is_control() || turns || never
}

/// Text of one line, at most so many columns wide, and how wide it is. Hidden
/// characters are shown as such.
pub(crate) fn shown(text: &str, at_most: usize) -> (String, usize) {
    let text: Cow<'_, str> = match text.contains(is_hidden) {
        true => text.replace(is_hidden, "\u{fffd}").into(),
        false => text.into(),
    };
    let width = text.width();
    if width <= at_most {
        return (text.into_owned(), width);
    }
    let (mut cut, mut width) = (String::new(), 1);
    for character in text.chars() {
        width += character.width().unwrap_or(0);
        if width > at_most {
            break;
        }
        cut.push(character);
    }
    cut.push('…');
    let width = cut.width();
    (cut, width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_markup_means_is_escaped() {
        assert_eq!(
            escape("<img src='x' onerror=\"a&&b\">\0\u{1b}\u{202e}é"),
            "&lt;img src=&#39;x&#39; onerror=&quot;a&amp;&amp;b&quot;&gt;\u{fffd}\u{fffd}\u{fffd}é"
        );
    }

    #[test]
    fn text_is_cut_by_its_width() {
        assert_eq!(shown("blues", 5), ("blues".to_owned(), 5));
        assert_eq!(shown("country", 5), ("coun…".to_owned(), 5));
        assert_eq!(shown("日本語", 6), ("日本語".to_owned(), 6));
        assert_eq!(shown("日本語", 5), ("日本…".to_owned(), 5));
        assert_eq!(shown("日本語", 4), ("日…".to_owned(), 3));
        assert_eq!(shown("a\nb\u{1b}[31m", 9), ("a\u{fffd}b\u{fffd}[31m".to_owned(), 8));
    }
}
