//! Bars on a terminal.
//!
//! Draws what [`super::panel`] says; knows nothing of studies.

use std::io::{self, Write};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::panel::StudyLine;

/// A bar for the study and a line for each worker, at the bottom of a terminal.
#[derive(Debug)]
pub(super) struct Bars {
    all: MultiProgress,
    /// Absent until there is something to show.
    study: Option<ProgressBar>,
    workers: Vec<ProgressBar>,
}

impl Bars {
    pub(super) fn new(target: ProgressDrawTarget) -> Self {
        let all = MultiProgress::with_draw_target(target);
        Self { all, study: None, workers: Vec::new() }
    }

    pub(super) fn show_study(&mut self, name: &str, line: &StudyLine) {
        let bar = self.study.get_or_insert_with(|| {
            let bar = ProgressBar::new(line.total)
                .with_style(style("{prefix} {bar:20} {pos}/{len} trials, {wide_msg}"))
                .with_prefix(name.to_owned());
            self.all.insert(0, bar)
        });
        bar.set_length(line.total);
        bar.set_position(line.ended);
        bar.set_message(line.text.clone());
    }

    pub(super) fn show_workers(&mut self, lines: Vec<String>) {
        while self.workers.len() > lines.len() {
            if let Some(last) = self.workers.pop() {
                last.finish_and_clear();
                self.all.remove(&last);
            }
        }
        while self.workers.len() < lines.len() {
            let line = ProgressBar::new(1).with_style(style("{wide_msg}"));
            self.workers.push(self.all.add(line));
        }
        for (bar, line) in self.workers.iter().zip(lines) {
            if bar.message() != line {
                bar.set_message(line);
            }
        }
    }

    /// Writes a line above the bars. A closed stderr is no reason to end.
    pub(super) fn line(&self, text: &str) {
        self.all.suspend(|| {
            let _ = writeln!(io::stderr().lock(), "{text}");
        });
    }

    /// Leaves the study's bar as it stands, and removes the others.
    pub(super) fn finish(&mut self) {
        self.show_workers(Vec::new());
        if let Some(study) = self.study.take() {
            study.abandon();
        }
        // Lines to come would wipe what the old one has drawn.
        self.all = MultiProgress::with_draw_target(ProgressDrawTarget::hidden());
    }
}

pub(super) fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .expect("the templates are constants of this program")
        .progress_chars("=> ")
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::{Arc, Mutex};

    use indicatif::TermLike;

    use super::*;

    /// A terminal that remembers what was written to it.
    #[derive(Debug, Clone)]
    pub(crate) struct Screen {
        width: u16,
        pub(crate) written: Arc<Mutex<String>>,
    }

    impl Screen {
        pub(crate) fn new(width: u16) -> Self {
            Self { width, written: Arc::default() }
        }

        pub(crate) fn target(&self) -> ProgressDrawTarget {
            ProgressDrawTarget::term_like(Box::new(self.clone()))
        }

        pub(crate) fn text(&self) -> String {
            self.written.lock().expect("no test panics with it").clone()
        }
    }

    impl TermLike for Screen {
        fn width(&self) -> u16 {
            self.width
        }

        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn write_line(&self, text: &str) -> io::Result<()> {
            self.write_str(text)?;
            self.write_str("\n")
        }

        fn write_str(&self, text: &str) -> io::Result<()> {
            self.written.lock().expect("no test panics with it").push_str(text);
            Ok(())
        }

        fn clear_line(&self) -> io::Result<()> {
            Ok(())
        }

        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    fn drawn(width: u16) -> String {
        let screen = Screen::new(width);
        let mut bars = Bars::new(screen.target());
        let text = "best val_accuracy 0.875 (trial 02)".to_owned();
        bars.show_study("crnn", &StudyLine { ended: 5, total: 20, text });
        bars.show_workers(vec!["local-1  größer  idle".to_owned(), "local-2  idle".to_owned()]);
        bars.show_workers(vec!["local-1  trial 03".to_owned()]);
        bars.finish();
        screen.text()
    }

    #[test]
    fn a_bar_and_a_line_a_worker_are_drawn() {
        let text = drawn(100);
        assert!(
            text.contains(
                "crnn =====>               5/20 trials, best val_accuracy 0.875 (trial 02)"
            ),
            "{text}"
        );
    }

    #[test]
    fn any_width_will_do() {
        for width in 0..60 {
            drawn(width);
        }
    }
}
