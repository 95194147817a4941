//! Drawing with SVG: shapes, text and axes. Every text is escaped here.

use std::fmt::Write as _;

use super::markup::{escape, shown};

/// Width of every figure, in its own units.
pub(super) const WIDTH: f64 = 420.0;

/// Width of a letter at the size of labels, about.
const LETTER: f64 = 6.2;

/// A drawing that grows with the page.
pub(super) struct Figure {
    height: f64,
    label: String,
    body: String,
}

/// Where a text begins, or ends, or has its middle.
#[derive(Debug, Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

impl Figure {
    /// - `label`: what it shows, for those who do not see it
    pub(super) fn new(label: &str, height: f64) -> Self {
        Self { height, label: label.to_owned(), body: String::new() }
    }

    pub(super) fn text(&mut self, (x, y): (f64, f64), anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let text = escape(text);
        let _ = write!(
            self.body,
            r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{text}</text>"#
        );
    }

    pub(super) fn line(&mut self, from: (f64, f64), to: (f64, f64), class: &str) {
        let ((x1, y1), (x2, y2)) = (from, to);
        let _ = write!(
            self.body,
            r#"<line class="{class}" x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}"/>"#
        );
    }

    /// - `about`: what is told where one points at it
    pub(super) fn rectangle(
        &mut self,
        (x, y): (f64, f64),
        (width, height): (f64, f64),
        class: &str,
        about: &str,
    ) {
        let (width, height) = (width.max(0.0), height.max(0.0));
        let _ = write!(
            self.body,
            r#"<rect class="{class}" x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}">"#
        );
        let _ = write!(self.body, "<title>{}</title></rect>", escape(about));
    }

    /// - `corners`: of an area
    pub(super) fn area(&mut self, corners: impl Iterator<Item = (f64, f64)>, class: &str) {
        let _ = write!(self.body, r#"<path class="{class}" d=""#);
        for (index, (x, y)) in corners.enumerate() {
            let _ = write!(self.body, "{}{x:.1} {y:.1}", if index == 0 { "M" } else { "L" });
        }
        self.body.push_str(r#"Z"/>"#);
    }

    /// - `uri`: a picture, stretched to the size
    pub(super) fn image(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), uri: &str) {
        let _ = write!(
            self.body,
            r#"<image x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" preserveAspectRatio="none" href="{uri}"/>"#
        );
    }

    /// A horizontal axis with its ticks, and lines up from them.
    ///
    /// - `marks`: where the ticks are
    /// - `top`: where the lines end
    pub(super) fn axis_below(
        &mut self,
        scale: &Scale,
        marks: &[f64],
        (top, bottom): (f64, f64),
        name: &str,
    ) {
        for &tick in marks {
            let x = scale.at(tick);
            self.line((x, top), (x, bottom + 3.0), "grid");
            self.text((x, bottom + 14.0), Anchor::Middle, &number(tick));
        }
        self.line((scale.from, bottom), (scale.to, bottom), "axis");
        self.text((scale.to, bottom + 26.0), Anchor::End, name);
    }

    /// The element.
    pub(super) fn finish(self) -> String {
        format!(
            r#"<svg viewBox="0 0 {WIDTH} {:.0}" role="img" aria-label="{}">{}</svg>"#,
            self.height,
            escape(&self.label),
            self.body
        )
    }
}

/// From numbers to places.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) from: f64,
    pub(super) to: f64,
}

impl Scale {
    /// - `numbers`: the least and the greatest
    /// - `places`: theirs
    pub(super) fn new(numbers: (f64, f64), places: (f64, f64)) -> Self {
        let ((low, high), (from, to)) = (numbers, places);
        // A single number is in the middle.
        let (low, high) = if high > low { (low, high) } else { (low - 0.5, low + 0.5) };
        Self { low, high, from, to }
    }

    pub(super) fn ticks(&self) -> Vec<f64> {
        ticks(self.low, self.high, 6)
    }

    pub(super) fn at(&self, number: f64) -> f64 {
        let share = (number - self.low) / (self.high - self.low);
        self.from + share.clamp(0.0, 1.0) * (self.to - self.from)
    }
}

/// Round numbers from `low` to `high`, about so many.
pub(super) fn ticks(low: f64, high: f64, about: usize) -> Vec<f64> {
    let rough = (high - low) / about as f64;
    if !(rough > 0.0 && rough.is_finite()) {
        return vec![low];
    }
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|step| *step >= rough * 0.999)
        .unwrap_or(10.0 * power);
    let first = (low / step - 1e-9).ceil();
    (0..)
        .map(|index| (first + f64::from(index)) * step)
        .take_while(|tick| *tick <= high + step * 1e-9)
        .take(4 * about)
        .collect()
}

/// A number for people: four digits at most, where they say enough.
pub(super) fn number(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() {
        return if value.is_nan() { "-" } else { "∞" }.to_owned();
    }
    if size == 0.0 {
        return "0".to_owned();
    }
    if !(1e-4..1e7).contains(&size) {
        return format!("{value:.2e}");
    }
    let decimals = (3 - size.log10().floor() as i32).clamp(0, 7) as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') {
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    text
}

/// A label cut to a width, and how wide it is.
pub(super) fn label(text: &str) -> (String, f64) {
    let (text, columns) = shown(text, 20);
    (text, columns as f64 * LETTER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round() {
        assert_eq!(ticks(0.0, 30.0, 6), [0.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0]);
        assert_eq!(ticks(-80.0, 0.0, 4), [-80.0, -60.0, -40.0, -20.0, 0.0]);
        assert_eq!(ticks(0.13, 0.17, 4).len(), 5);
        assert_eq!(ticks(2.0, 2.0, 4), [2.0]);
        assert!(ticks(-1e300, 1e300, 5).len() > 2);
    }

    #[test]
    fn numbers_are_short() {
        for (value, text) in [
            (0.0, "0"),
            (22_050.0, "22050"),
            (0.25, "0.25"),
            (-1.5, "-1.5"),
            (12.3456, "12.35"),
            (0.000_012, "1.20e-5"),
            (3e9, "3.00e9"),
            (f64::NAN, "-"),
        ] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn text_is_escaped() {
        let mut figure = Figure::new("a \"b\" <c>", 10.0);
        figure.text((0.0, 0.0), Anchor::Start, "<script>");
        figure.rectangle((0.0, 0.0), (1.0, 1.0), "bar", "a & b");
        let text = figure.finish();
        assert!(text.contains("aria-label=\"a &quot;b&quot; &lt;c&gt;\""), "{text}");
        assert!(text.contains(">&lt;script&gt;</text>"), "{text}");
        assert!(text.contains("<title>a &amp; b</title>"), "{text}");
    }
}
