//! The host's memory, and what its processor can do.

use std::fs;
use std::io;
use std::path::Path;

/// The share of the memory that is left to everything else: 1/16.
const RESERVE: u64 = 16;

/// How much memory this process may use, in bytes: what the machine has, or what
/// the process is limited to. `None` if nothing tells.
pub(super) fn memory_bytes() -> Option<u64> {
    let read = |path: &str| fs::read_to_string(path).ok();
    let machine = read("/proc/meminfo").and_then(|text| kibibytes(&text, "MemTotal:"));
    let limits = [libc::RLIMIT_DATA, libc::RLIMIT_AS].map(|limit| soft_limit(limit).ok().flatten());
    let groups = groups(&read).into_iter().map(|group| group.limit);
    [machine].into_iter().chain(limits).flatten().chain(groups).min()
}

/// Whether the processor, or a library on it, multiplies matrices of bf16 faster
/// than libtorch's own loops: with AVX-512 at least.
pub(super) fn has_bf16() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::is_x86_feature_detected!("avx512bf16")
        || (std::is_x86_feature_detected!("avx512f")
            && std::is_x86_feature_detected!("avx512bw")
            && std::is_x86_feature_detected!("avx512vl")
            && std::is_x86_feature_detected!("avx512dq"));
    #[cfg(target_arch = "aarch64")]
    return std::arch::is_aarch64_feature_detected!("bf16");
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    return false;
}

/// Makes allocations beyond what the machine has fail, so that training gets an
/// error. Otherwise the kernel would grant them and kill the process when it
/// uses them.
///
/// - `bytes`: what the machine has; a lower limit stays
///
/// # Errors
///
/// When the kernel refuses.
pub(super) fn limit_memory(bytes: u64) -> io::Result<()> {
    set_soft_limit(libc::RLIMIT_DATA, bytes - bytes / RESERVE)
}

/// How much memory this process may take, in bytes, with what it has already:
/// what no other process uses. `None` if nothing tells.
pub(super) fn free_bytes() -> Option<u64> {
    let read = |path: &str| fs::read_to_string(path).ok();
    let own = read("/proc/self/status").and_then(|text| kibibytes(&text, "RssAnon:")).unwrap_or(0);
    let machine = read("/proc/meminfo").and_then(|text| kibibytes(&text, "MemAvailable:"));
    let machine = machine.map(|bytes| bytes.saturating_add(own));
    let groups = groups(&read).into_iter().map(|group| {
        let others = group.used.saturating_sub(own);
        group.limit.saturating_sub(others)
    });
    groups.chain(machine).min()
}

/// A value in `/proc/meminfo` or in a process's `status`, in bytes.
fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// A control group whose processes may have only so much memory together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Group {
    /// In bytes.
    limit: u64,
    /// What its processes have that is in no file, in bytes.
    used: u64,
}

/// This process's control groups that have a limit, of version 2 or 1.
///
/// A container may see its own group as the root, or a path that is not there;
/// so all folders up to the root are looked into.
fn groups(read: &dyn Fn(&str) -> Option<String>) -> Vec<Group> {
    const ROOT: &str = "/sys/fs/cgroup";
    let Some(groups) = read("/proc/self/cgroup") else { return Vec::new() };
    let groups = groups.lines().flat_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (folder, file, in_no_file) = match parts.next() {
            Some("") => (ROOT.to_owned(), "memory.max", "anon "),
            Some(controllers) if controllers.split(',').any(|name| name == "memory") => {
                (format!("{ROOT}/memory"), "memory.limit_in_bytes", "total_rss ")
            }
            Some(_) | None => return Vec::new(),
        };
        let path = parts.next().unwrap_or("/");
        let ancestors = Path::new(path).ancestors().map(|path| path.display().to_string());
        let group = |path: String| {
            let folder = format!("{folder}{}", path.trim_end_matches('/'));
            // `max`, or a number so large that it is none.
            let limit = read(&format!("{folder}/{file}"))?.trim().parse().ok()?;
            let used = read(&format!("{folder}/memory.stat")).and_then(|text| {
                let value = text.lines().find_map(|line| line.strip_prefix(in_no_file))?;
                value.trim().parse().ok()
            });
            Some(Group { limit, used: used.unwrap_or(0) })
        };
        ancestors.filter_map(group).collect()
    });
    groups.collect()
}

#[cfg(target_env = "gnu")]
type Resource = libc::__rlimit_resource_t;
#[cfg(not(target_env = "gnu"))]
type Resource = libc::c_int;

/// A limit of this process, in bytes; `None` if there is none.
pub(super) fn soft_limit(resource: Resource) -> io::Result<Option<u64>> {
    let limit = limits(resource)?.rlim_cur;
    Ok((limit != libc::RLIM_INFINITY).then_some(limit))
}

/// Lowers a limit of this process.
fn set_soft_limit(resource: Resource, bytes: u64) -> io::Result<()> {
    let mut limits = limits(resource)?;
    limits.rlim_cur = limits.rlim_cur.min(bytes);
    // SAFETY: a plain call with a valid pointer.
    match unsafe { libc::setrlimit(resource, &raw const limits) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn limits(resource: Resource) -> io::Result<libc::rlimit> {
    let mut limits = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: a plain call with a valid pointer.
    match unsafe { libc::getrlimit(resource, &raw mut limits) } {
        0 => Ok(limits),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_memory() {
        assert!(memory_bytes().expect("it runs Linux") > 100 << 20);
    }

    #[test]
    fn numbers_are_found_by_their_names() {
        let text = "MemTotal:       24587912 kB\nMemFree:         9893120 kB\n";
        assert_eq!(kibibytes(text, "MemTotal:"), Some(24_587_912 * 1024));
        assert_eq!(kibibytes(text, "MemFree:"), Some(9_893_120 * 1024));
        assert_eq!(kibibytes(text, "MemAvailable:"), None);
    }

    #[test]
    fn all_groups_with_a_limit_count() {
        let groups = |files: &[(&str, &str)]| {
            let groups = groups(&|path| {
                let file = files.iter().find(|(name, _)| *name == path);
                file.map(|(_, text)| (*text).to_owned())
            });
            groups.into_iter().map(|group| (group.limit, group.used)).collect::<Vec<_>>()
        };
        let group = |text: &'static str| ("/proc/self/cgroup", text);
        assert_eq!(groups(&[]), []);
        let root = [group("0::/\n"), ("/sys/fs/cgroup/memory.max", "4096\n")];
        assert_eq!(groups(&root), [(4096, 0)]);
        let nested = [
            group("0::/jobs/7\n"),
            ("/sys/fs/cgroup/jobs/7/memory.max", "max\n"),
            ("/sys/fs/cgroup/jobs/7/memory.stat", "anon 17\n"),
            ("/sys/fs/cgroup/jobs/memory.max", "8192\n"),
            ("/sys/fs/cgroup/jobs/memory.stat", "anon 1000\nfile 5000\nanon_thp 3\n"),
        ];
        assert_eq!(groups(&nested), [(8192, 1000)]);
        let first = [
            group("5:cpu,cpuacct:/a\n4:memory:/a/b\n"),
            ("/sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", "100\n"),
            ("/sys/fs/cgroup/memory/a/b/memory.stat", "rss 10\ntotal_rss 30\n"),
            ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
        ];
        assert_eq!(groups(&first), [(100, 30), (9_223_372_036_854_771_712, 0)]);
    }
}
