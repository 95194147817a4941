//! How preparation tells how far it is.

/// Hears how far preparation is. Phases follow one another; the steps of a
/// phase may come from several threads at once.
pub trait Progress: Sync {
    /// A phase of `total` steps begins.
    fn begin(&self, what: &str, total: u64);
    /// One step of the phase is done.
    fn step(&self);
    /// The phase is over, also when it failed.
    fn end(&self);
}

/// Says nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Quiet;

impl Progress for Quiet {
    fn begin(&self, _what: &str, _total: u64) {}

    fn step(&self) {}

    fn end(&self) {}
}

/// A phase in progress: ends when dropped, so that `?` cannot leave one open.
pub(super) struct Phase<'a>(&'a dyn Progress);

impl<'a> Phase<'a> {
    pub(super) fn begin(progress: &'a dyn Progress, what: &str, total: usize) -> Self {
        progress.begin(what, total as u64);
        Self(progress)
    }

    pub(super) fn step(&self) {
        self.0.step();
    }
}

impl Drop for Phase<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}
