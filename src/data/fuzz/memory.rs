//! How much memory a thread takes.
//!
//! All tests of the crate run on this allocator. It counts what each thread
//! asks for, touched or not: an allocation that a system would only promise is
//! one that another refuses.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    /// Bytes taken less bytes given back. Below zero where a thread gives back
    /// what others took.
    static TAKEN: Cell<isize> = const { Cell::new(0) };
    /// The most that it has been.
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Notes a change; never fails, also while a thread ends.
fn note(change: isize) {
    let _ = TAKEN.try_with(|taken| {
        taken.set(taken.get() + change);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(taken.get())));
    });
}

// SAFETY: all is handed on to the system's allocator as it came; counting
// touches only constant-initialized cells, which allocate nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size() as isize);
        // SAFETY: the caller's promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(layout.size() as isize);
        // SAFETY: the caller's promises.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        note(-(layout.size() as isize));
        // SAFETY: the caller's promises.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(size as isize - layout.size() as isize);
        // SAFETY: the caller's promises.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// Runs something; the most bytes that this thread had taken at a time for it.
pub(super) fn peak<T>(run: impl FnOnce() -> T) -> (T, usize) {
    let before = TAKEN.get();
    PEAK.set(before);
    let result = run();
    (result, usize::try_from(PEAK.get() - before).unwrap_or(0))
}

#[test]
fn what_is_given_back_counts_too() {
    let ((), bytes) = peak(|| {
        drop(std::hint::black_box(vec![1_u8; 3000]));
        drop(std::hint::black_box(Vec::<u8>::with_capacity(5000)));
    });
    assert_eq!(bytes, 5000);
}
