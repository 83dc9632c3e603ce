//! What the worker process holds: pages, as the system sees it, and heap, as a counting allocator does.

use std::alloc::System as SystemAllocator;

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

use crate::Failure;

/// An allocator that counts. Each allocation and each release costs one atomic addition more.
pub type Heap = cap::Cap<SystemAllocator>;

/// Installs the counting allocator in a binary, under the given name, for [`worker_entry`](crate::worker_entry).
///
/// ```
/// logladder_bench::counted_heap!(HEAP);
///
/// let before = HEAP.allocated();
/// let boxed = Box::new([0u8; 1000]);
/// assert!(HEAP.allocated() >= before + 1000);
/// # drop(boxed);
/// ```
#[macro_export]
macro_rules! counted_heap {
    ($name:ident) => {
        #[global_allocator]
        static $name: $crate::Heap = $crate::Heap::new(::std::alloc::System, usize::MAX);
    };
}

/// Looks at this process.
#[derive(Debug)]
pub(crate) struct Probe {
    system: System,
    process: Pid,
    heap: Option<&'static Heap>,
}

/// What a look saw, in bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Seen {
    pub(crate) resident: u64,
    pub(crate) heap: Option<u64>,
    pub(crate) kernel_writes: u64,
}

impl Probe {
    pub(crate) fn new(heap: Option<&'static Heap>) -> Result<Self, Failure> {
        let failed = |error| Failure::system("look at this process", &error);
        let process = sysinfo::get_current_pid().map_err(failed)?;
        let mut probe = Self { system: System::new().map_err(failed)?, process, heap };
        probe.look(); // The first look allocates what later ones use.
        Ok(probe)
    }

    pub(crate) fn look(&mut self) -> Seen {
        let what = ProcessRefreshKind::nothing().with_memory().with_disk_usage();
        self.system.refresh_processes_specifics(ProcessesToUpdate::Some(&[self.process]), false, what);
        let heap = self.heap.map(|heap| heap.allocated() as u64);
        self.system.process(self.process).map_or(Seen { heap, ..Seen::default() }, |process| Seen {
            resident: process.memory(),
            heap,
            kernel_writes: process.disk_usage().total_written_bytes,
        })
    }
}

/// Touches `bytes` of memory once and gives them back.
///
/// On a virtual machine the first touch of a page can cost 5–11 µs, because the host must find one; the first
/// engine of a session would pay for all that follow.
pub(crate) fn touch(bytes: usize) {
    let mut memory = vec![0u8; bytes];
    memory.iter_mut().step_by(4096).for_each(|byte| *byte = 1);
    std::hint::black_box(&memory);
}
