//! Settings of glibc's allocator for training on a CPU.
//!
//! An activation of a convolutional network takes hundreds of megabytes. As
//! glibc comes, every such block is mapped anew, page by page, and unmapped a
//! moment later; that takes longer than the arithmetic. With these settings
//! blocks are kept and reused, in huge pages: a training step of a small
//! convolutional network takes a third of the time.
//!
//! On other C libraries nothing is done.

/// Makes glibc keep freed memory, in huge pages.
///
/// To be called before the first thread starts and the first tensor is made.
/// glibc reads the huge-page setting when a process starts; where it is absent,
/// the process therefore replaces itself, once, with its own program.
pub(crate) fn keep_big_blocks() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        glibc::replace_process_with_huge_pages();
        glibc::keep_freed_memory();
    }
}

/// Gives memory that is free back to the system: after an execution that took
/// more of it than the next one is likely to need.
pub(crate) fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    glibc::give_back();
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod glibc {
    use std::env;
    use std::ffi::OsString;
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    /// The variable that glibc reads when a process starts.
    const TUNABLES: &str = "GLIBC_TUNABLES";

    /// The tunable that asks for transparent huge pages.
    const HUGE_PAGES: &str = "glibc.malloc.hugetlb";

    /// Present in the process that has replaced the first one, so that it does
    /// not replace itself again.
    const REPLACED: &str = "SWEEP_WORKER_REPLACED";

    /// How much the heap grows at a time, in bytes: many times a small block,
    /// little against a training step.
    const GROWTH_BYTES: libc::c_int = 64 << 20;

    pub(super) fn replace_process_with_huge_pages() {
        if env::var_os(REPLACED).is_some() {
            return;
        }
        let Some(tunables) = with_huge_pages(env::var_os(TUNABLES)) else { return };
        let Ok(program) = env::current_exe() else { return };
        let mut arguments = env::args_os();
        let mut command = Command::new(program);
        if let Some(name) = arguments.next() {
            command.arg0(name);
        }
        // Returns only if it failed: then training is slower, and nothing else.
        let _failed = command.args(arguments).env(TUNABLES, tunables).env(REPLACED, "1").exec();
    }

    /// The tunables with huge pages added; `None` if they speak of them already.
    pub(super) fn with_huge_pages(tunables: Option<OsString>) -> Option<OsString> {
        let tunables = tunables.unwrap_or_default();
        if tunables.to_string_lossy().contains(HUGE_PAGES) {
            return None;
        }
        let mut all = tunables;
        if !all.is_empty() {
            all.push(":");
        }
        all.push(HUGE_PAGES);
        all.push("=1");
        Some(all)
    }

    pub(super) fn keep_freed_memory() {
        let settings = [
            // Big blocks come from the heap too, where they are reused. (The
            // threshold of mapped blocks does the same only in newer versions.)
            (libc::M_MMAP_MAX, 0),
            // The heap is never given back.
            (libc::M_TRIM_THRESHOLD, -1),
            (libc::M_TOP_PAD, GROWTH_BYTES),
            // The heaps of other threads are too small for big blocks, which
            // would be mapped after all; training has a thread of its own.
            (libc::M_ARENA_MAX, 1),
        ];
        for (parameter, value) in settings {
            // SAFETY: mallopt takes two plain numbers; no other thread runs yet.
            // A refused setting is worth only speed.
            unsafe { libc::mallopt(parameter, value) };
        }
    }

    pub(super) fn give_back() {
        // SAFETY: takes a plain number; whatever is in use stays.
        unsafe { libc::malloc_trim(0) };
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn huge_pages_are_added_to_what_is_there() {
            let add = |tunables: &str| with_huge_pages(Some(tunables.into()));
            assert_eq!(with_huge_pages(None), Some("glibc.malloc.hugetlb=1".into()));
            assert_eq!(
                add("glibc.malloc.check=1"),
                Some("glibc.malloc.check=1:glibc.malloc.hugetlb=1".into())
            );
            assert_eq!(add("glibc.malloc.hugetlb=0"), None);
        }
    }
}
