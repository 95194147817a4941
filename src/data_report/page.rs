//! The page itself: one file that needs nothing else, no network and no scripts.
//!
//! It is written so that readers of XML read it, too. Texts that are passed in
//! are escaped here; figures are markup already.

use super::charts::Series;
use super::markup::escape;

const STYLE: &str = include_str!("page.css");

/// A page that is being written.
pub(super) struct Page {
    title: String,
    body: String,
}

impl Page {
    /// - `origin`: where the data come from
    pub(super) fn new(title: &str, origin: &str) -> Self {
        let (title, origin) = (escape(title), escape(origin));
        let body = format!("<h1>{title}</h1>\n<p class=\"origin\">{origin}</p>\n");
        Self { title, body }
    }

    pub(super) fn section(&mut self, heading: &str, lead: &str) {
        self.body.push_str(&format!("<h2>{}</h2>\n", escape(heading)));
        if !lead.is_empty() {
            self.body.push_str(&format!("<p class=\"lead\">{}</p>\n", escape(lead)));
        }
    }

    pub(super) fn paragraph(&mut self, text: &str) {
        self.body.push_str(&format!("<p>{}</p>\n", escape(text)));
    }

    pub(super) fn warning(&mut self, text: &str) {
        self.body.push_str(&format!("<p class=\"warning\">{}</p>\n", escape(text)));
    }

    /// Names and what they are.
    pub(super) fn facts(&mut self, facts: &[(&str, String)]) {
        self.body.push_str("<dl class=\"facts\">\n");
        for (name, value) in facts {
            let (name, value) = (escape(name), escape(value));
            self.body.push_str(&format!("<div><dt>{name}</dt><dd>{value}</dd></div>\n"));
        }
        self.body.push_str("</dl>\n");
    }

    /// A table of numbers; the first column is text.
    pub(super) fn numbers(&mut self, header: &[String], rows: &[Vec<String>], total: &[String]) {
        self.body.push_str("<div class=\"scroll\"><table>\n");
        self.head(header);
        self.body.push_str("<tbody>\n");
        rows.iter().for_each(|row| self.row(row));
        self.body.push_str("</tbody>\n");
        if !total.is_empty() {
            self.body.push_str("<tfoot>\n");
            self.row(total);
            self.body.push_str("</tfoot>\n");
        }
        self.body.push_str("</table></div>\n");
    }

    /// A table of texts.
    pub(super) fn words(&mut self, header: &[&str], rows: &[Vec<String>]) {
        self.body.push_str("<div class=\"scroll\"><table class=\"words\">\n");
        self.head(&header.iter().map(|&name| name.to_owned()).collect::<Vec<_>>());
        self.body.push_str("<tbody>\n");
        rows.iter().for_each(|row| self.row(row));
        self.body.push_str("</tbody>\n</table></div>\n");
    }

    fn head(&mut self, header: &[String]) {
        let cells: String =
            header.iter().map(|cell| format!("<th scope=\"col\">{}</th>", escape(cell))).collect();
        self.body.push_str(&format!("<thead><tr>{cells}</tr></thead>\n"));
    }

    fn row(&mut self, row: &[String]) {
        let cells: String = row.iter().map(|cell| format!("<td>{}</td>", escape(cell))).collect();
        self.body.push_str(&format!("<tr>{cells}</tr>\n"));
    }

    /// What is hidden until it is asked for.
    pub(super) fn details(&mut self, summary: &str, inside: impl FnOnce(&mut Self)) {
        self.body.push_str(&format!("<details><summary>{}</summary>\n", escape(summary)));
        inside(self);
        self.body.push_str("</details>\n");
    }

    /// Figures beside each other, as many as there is room for.
    pub(super) fn figures(&mut self, figures: &[Shown]) {
        self.body.push_str("<div class=\"figures\">\n");
        figures.iter().for_each(|figure| self.body.push_str(&figure.markup()));
        self.body.push_str("</div>\n");
    }

    /// Small pictures, each with its name.
    ///
    /// - `pictures`: name and address
    pub(super) fn gallery(&mut self, pictures: &[(String, String)]) {
        self.body.push_str("<div class=\"gallery\">\n");
        for (name, uri) in pictures {
            let name = escape(name);
            self.body.push_str(&format!(
                "<figure><h4>{name}</h4><img class=\"example\" alt=\"{name}\" src=\"{uri}\"/></figure>\n"
            ));
        }
        self.body.push_str("</div>\n");
    }

    /// A recording, with what is said of it and its figures.
    pub(super) fn recording(&mut self, class: &str, about: &str, figures: &[Shown]) {
        self.body.push_str(&format!(
            "<div class=\"recording\"><h3>{} <small>{}</small></h3>\n",
            escape(class),
            escape(about)
        ));
        if !figures.is_empty() {
            self.figures(figures);
        }
        self.body.push_str("</div>\n");
    }

    /// All of it.
    ///
    /// - `footer`: the last line
    pub(super) fn finish(self, footer: &str) -> String {
        let Self { title, body } = self;
        let footer = escape(footer);
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
             <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n{body}\
             <footer>{footer}</footer>\n</body>\n</html>\n"
        )
    }
}

/// A figure with its title and what there is to say of it.
pub(super) struct Shown {
    title: String,
    svg: String,
    caption: String,
    /// What its colours are.
    legend: Vec<(String, String)>,
}

impl Shown {
    pub(super) fn new(title: &str, svg: String, caption: &str) -> Self {
        Self { title: title.to_owned(), svg, caption: caption.to_owned(), legend: Vec::new() }
    }

    /// Names the colours.
    pub(super) fn with_legend(mut self, series: &[Series<'_>]) -> Self {
        self.legend =
            series.iter().map(|(name, class)| ((*name).to_owned(), class.clone())).collect();
        self
    }

    fn markup(&self) -> String {
        let mut text = format!("<figure><h4>{}</h4>{}", escape(&self.title), self.svg);
        if !self.caption.is_empty() || !self.legend.is_empty() {
            text.push_str("<figcaption>");
            for (name, class) in &self.legend {
                text.push_str(&format!("<span class=\"key {class}\"></span>{}", escape(name)));
            }
            if !self.legend.is_empty() && !self.caption.is_empty() {
                text.push_str("<br/>");
            }
            text.push_str(&escape(&self.caption));
            text.push_str("</figcaption>");
        }
        text.push_str("</figure>\n");
        text
    }
}
