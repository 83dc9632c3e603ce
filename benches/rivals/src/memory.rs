//! The memory of a worker: what is its own, and what it must touch before it measures.

use std::fs;

use logladder_bench::Heap;

/// What a process holds, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Held {
    /// Allocated by Rust code, if the program counts that. What C code allocates is not among it.
    pub(crate) heap: Option<u64>,
    /// Resident pages that belong to the process alone: heap, stacks, what the allocator has not given back.
    /// Pages of mapped files are the kernel's cache, and not among them. None where the system does not tell.
    pub(crate) anonymous: Option<u64>,
}

impl Held {
    pub(crate) fn now(heap: Option<&'static Heap>) -> Self {
        Self { heap: heap.map(|heap| heap.allocated() as u64), anonymous: anonymous() }
    }

    /// What has come since `before`.
    pub(crate) fn since(self, before: Self) -> Self {
        let more = |now: Option<u64>, before| Some(now?.saturating_sub(before?));
        Self { heap: more(self.heap, before.heap), anonymous: more(self.anonymous, before.anonymous) }
    }
}

/// `RssAnon` of `/proc/self/status`, which Linux has.
fn anonymous() -> Option<u64> {
    anonymous_of(&fs::read_to_string("/proc/self/status").ok()?)
}

fn anonymous_of(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// Touches about as much memory as a store of so many keys and its pages in the kernel's cache will take, and gives
/// it back.
///
/// On a virtual machine the first touch of a page can cost 5–11 µs, because the host must find one; whoever
/// came first would pay for all that follow.
pub(crate) fn touch_memory(keys: u32, value_len: u32) {
    const MOST: u64 = 1 << 30;
    let bytes = u64::from(keys).saturating_mul(u64::from(value_len) + 16).saturating_mul(4).min(MOST);
    let mut memory = vec![0u8; usize::try_from(bytes).unwrap_or(0)];
    memory.iter_mut().step_by(4096).for_each(|byte| *byte = 1);
    std::hint::black_box(&memory);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anonymous_pages_are_read_from_their_line_alone() {
        let status = "VmRSS:\t  900 kB\nRssAnon:\t     123 kB\nRssFile:\t 777 kB\n";
        assert_eq!(anonymous_of(status), Some(123 * 1024));
        assert_eq!(anonymous_of("VmRSS:\t  900 kB\n"), None);
    }

    #[test]
    fn what_is_allocated_between_two_looks_is_seen() {
        let before = Held::now(None);
        let touched = vec![1u8; 64 << 20];
        let more = Held::now(None).since(before);
        std::hint::black_box(&touched);
        assert_eq!(more.heap, None);
        assert!(more.anonymous.is_none_or(|bytes| bytes > 60 << 20), "{more:?}");
    }
}
