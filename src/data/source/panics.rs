//! Panics of decoders, which compute with numbers of a file that nobody
//! checked: in debug builds an overflow panics.
//!
//! A broken file must not end the whole preparation, nor fill the terminal with
//! messages that look like ours. [`contain`] makes such a panic a value and
//! keeps its message to itself; all other panics are reported as ever.

use std::cell::{Cell, RefCell};
use std::panic::{self, UnwindSafe};
use std::sync::Once;

thread_local! {
    /// Whether panics of this thread are being contained.
    static CONTAINED: Cell<bool> = const { Cell::new(false) };
    /// Where the last of them was.
    static PLACE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Runs a decoder. If it panics, the result is the place in its source.
pub(in crate::data) fn contain<T>(decoder: impl FnOnce() -> T + UnwindSafe) -> Result<T, String> {
    install();
    let outer = CONTAINED.replace(true);
    let result = panic::catch_unwind(decoder);
    CONTAINED.set(outer);
    result.map_err(|_| {
        let place = PLACE.take();
        #[cfg(test)]
        NOTED.with_borrow_mut(|noted| noted.push(place.clone()));
        place
    })
}

#[cfg(test)]
thread_local! {
    /// Places of contained panics.
    static NOTED: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Places of panics that were contained in this thread since the last call.
#[cfg(test)]
pub(in crate::data) fn take_noted() -> Vec<String> {
    NOTED.take()
}

/// Puts a filter before the hook that reports panics, once a process.
fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let report = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !CONTAINED.get() {
                return report(info);
            }
            let place = info.location().map(ToString::to_string).unwrap_or_default();
            tracing::debug!(%place, "a decoder panicked");
            PLACE.set(place);
        }));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_its_place() {
        assert_eq!(contain(|| 7), Ok(7));
        let place = contain(|| {
            let lengths: [usize; 0] = [];
            lengths[std::hint::black_box(0)]
        });
        assert!(place.is_err_and(|place| place.contains("panics.rs:")));
        assert!(!CONTAINED.get());
    }
}
