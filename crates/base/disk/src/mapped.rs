//! Memory maps: the one module with `unsafe` in it, behind two safe types.
//!
//! [`Map`] is a whole file, read-only, for files that no longer change. [`Reserve`] is a file whose space was
//! reserved ahead and that grows by copying into the map: an append without a system call, which survives the
//! death of the process because the pages belong to the kernel.
//!
//! # What the map cannot promise
//!
//! If something outside this program shortens a mapped file, touching the lost pages raises `SIGBUS` and the
//! process dies. Engines map only files in a folder that they hold the lock of, and only cut their own files
//! behind the last byte that anyone may read.

#![allow(unsafe_code)]

use std::fs;
use std::io;
use std::ops::Deref;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::real::write_all_at;

use memmap2::{Mmap, MmapOptions, MmapRaw};

/// So many bytes at once are written, and not copied.
const WRITTEN: usize = 1 << 15;

/// Full pages are mapped for reading in pieces of so many bytes, a multiple of the size of a page on every system.
const READ_STEP: usize = 1 << 16;

/// The bytes of a whole file, in place.
#[derive(Debug, Clone)]
pub struct Map(Backing);

#[derive(Debug, Clone)]
enum Backing {
    File(Arc<Mmap>),
    Memory(Arc<[u8]>),
}

impl Map {
    /// Maps a file. An empty one becomes an empty slice, since a map of no bytes is refused by some systems.
    pub(crate) fn of_file(file: &fs::File) -> io::Result<Self> {
        if file.metadata()?.len() == 0 {
            return Ok(Self::of_bytes(Arc::from([])));
        }
        // SAFETY: the map is read-only, and the engines that ask for one hold the lock of the file's folder
        // and never change or shorten a file that they have mapped. What another program may do to the file
        // is stated in the module's head.
        let map = unsafe { Mmap::map(file)? };
        Ok(Self(Backing::File(Arc::new(map))))
    }

    /// Bytes in memory, as if they were a file's.
    #[must_use]
    pub fn of_bytes(bytes: Arc<[u8]>) -> Self {
        Self(Backing::Memory(bytes))
    }
}

impl Deref for Map {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Backing::File(map) => map,
            Backing::Memory(bytes) => bytes,
        }
    }
}

/// Asks the processor to fetch `what` into its cache, and does not wait. It is only a hint: to ask for too much, or
/// where this does nothing, costs time and no more.
#[inline]
pub fn prefetch<T: ?Sized>(what: &T) {
    /// A line of the cache.
    const LINE: usize = 64;
    let start: *const i8 = std::ptr::from_ref(what).cast();
    for line in (0..size_of_val(what)).step_by(LINE) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: every x86-64 has the instruction, and it reads nothing that a program could see.
        unsafe {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            _mm_prefetch::<_MM_HINT_T0>(start.wrapping_add(line));
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = (start, line);
    }
}

/// Mapped space that fills from its start.
///
/// The bytes before `len` are published: they never change again, and any thread may read them. The bytes
/// behind it belong to whoever holds `writer`. That line is what makes the shared slice of
/// [`bytes`](Reserve::bytes) sound beside a concurrent append.
#[derive(Debug)]
pub(crate) struct Reserve {
    map: MmapRaw,
    len: AtomicUsize,
    /// So much of the map has a file behind it. Only the holder of `writer` changes it.
    usable: AtomicUsize,
    /// So much of it is mapped for reading alone.
    read_only: AtomicUsize,
    writer: Mutex<()>,
}

impl Reserve {
    /// Maps a file, empty so far, that will be of `capacity` bytes at most. The map is as long from the start; what
    /// of it can be used is for [`append`](Self::append)'s `extend` to say.
    pub(crate) fn of_file(file: &fs::File, capacity: usize) -> io::Result<Self> {
        Ok(Self::new(MmapOptions::new().len(capacity.max(1)).map_raw(file)?, 0))
    }

    /// As much memory, with no file behind it: the recording disk's.
    pub(crate) fn in_memory(capacity: usize) -> io::Result<Self> {
        // A map of no bytes is refused; one byte that is never published is as good.
        Ok(Self::new(MmapRaw::from(MmapOptions::new().len(capacity.max(1)).map_anon()?), 0))
    }

    fn new(map: MmapRaw, usable: usize) -> Self {
        let (len, read_only) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self { map, len, usable: AtomicUsize::new(usable), read_only, writer: Mutex::new(()) }
    }

    pub(crate) fn len(&self) -> usize {
        self.len.load(Ordering::Acquire)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        let len = self.len();
        // SAFETY: the map is at least `len` bytes long, with a file behind them, and lives as long as `self`. Bytes
        // before `len` are initialised, were written before `len` was released, and are never written again.
        unsafe { std::slice::from_raw_parts(self.map.as_ptr(), len) }
    }

    /// Copies `bytes` behind what is there and publishes them. Returns the offset they start at.
    ///
    /// Many bytes at once are written to `file`, if that is given: to write them takes less time than to map their pages
    /// and copy them, and who reads the map finds the same there.
    ///
    /// Where the file is too short for them, `extend` is told how long it is and how long it must be at least, and says
    /// how long it is then.
    ///
    /// # Errors
    ///
    /// They do not fit the map, or what `extend` says. Then nothing has changed.
    pub(crate) fn append(
        &self,
        bytes: &[u8],
        file: Option<&fs::File>,
        extend: impl FnOnce(usize, usize) -> io::Result<usize>,
    ) -> io::Result<usize> {
        // The lock guards nothing that a panic could leave half-done: `len` moves last.
        let _writer = self.writer.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let start = self.len.load(Ordering::Relaxed);
        if bytes.len() > self.map.len() - start {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        let end = start + bytes.len();
        let file = file.filter(|_| bytes.len() >= WRITTEN);
        let usable = self.usable.load(Ordering::Relaxed);
        if end > usable {
            let longer = extend(usable, end)?;
            if longer < end {
                return Err(io::Error::from(io::ErrorKind::StorageFull));
            }
            if file.is_none() {
                self.touch(usable, longer);
            }
            self.usable.store(longer, Ordering::Relaxed);
        }
        if let Some(file) = file {
            write_all_at(file, bytes, start as u64)?;
        } else {
            // SAFETY: `end` is within the map, as just checked, and the file reaches that far; the destination lies
            // behind the published bytes, where only the holder of `writer` reads or writes, and so cannot overlap
            // `bytes`.
            unsafe { copy_in_order(bytes, self.map.as_mut_ptr().add(start)) };
        }
        self.len.store(end, Ordering::Release);
        Ok(start)
    }

    /// Has the pages from `start` to `end` mapped, so that the first append to each does not have to wait for it: all
    /// at once they take a fraction of the time. Where the system cannot do that, each is mapped when it is needed.
    fn touch(&self, start: usize, end: usize) {
        #[cfg(target_os = "linux")]
        let _ = self.map.advise_range(memmap2::Advice::PopulateWrite, start, end - start);
        #[cfg(not(target_os = "linux"))]
        let _ = (start, end);
    }

    /// Maps the pages that are full anew, for reading alone.
    ///
    /// Of a page that can be written to, the kernel must take that away in every processor before the page goes to the
    /// disk, one page at a time, and each time it interrupts whoever runs there. Here all go at once. So this comes
    /// before a sync.
    pub(crate) fn end_writing(&self) {
        let end = self.len() / READ_STEP * READ_STEP;
        let start = self.read_only.fetch_max(end, Ordering::Relaxed);
        if !cfg!(target_os = "linux") || start >= end {
            return;
        }
        #[cfg(target_os = "linux")]
        {
            // SAFETY: the map is shared and has a file behind it, which has the bytes; who reads them meanwhile finds
            // the same there. Nobody writes before `len`, nor so on a page that ends there.
            let _ = unsafe {
                self.map.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, start, end - start)
            };
            let _ = self.map.advise_range(memmap2::Advice::PopulateRead, start, end - start);
        }
    }

    /// Hands the changed pages to the disk, and waits.
    pub(crate) fn flush(&self) -> io::Result<()> {
        match self.len() {
            0 => Ok(()),
            len => self.map.flush_range(0, len),
        }
    }
}

/// Copies `bytes` to `to` from the first to the last, eight at a time.
///
/// The copy of the standard library takes whatever order is fastest, and the C library's begins with the second part of a
/// long piece and ends with the first. Whoever is killed in the middle of it leaves a log whose last record has an end
/// and no beginning. In this order what is left is the beginning, as of a write(2): the processor shows what a thread did
/// before it was interrupted, and nothing that comes after.
///
/// # Safety
///
/// As many bytes can be written at `to`, and they do not overlap `bytes`.
unsafe fn copy_in_order(bytes: &[u8], to: *mut u8) {
    let (before, aligned) = bytes.split_at(to.align_offset(align_of::<u64>()).min(bytes.len()));
    let (words, behind) = aligned.as_chunks::<{ size_of::<u64>() }>();
    let mut at = 0;
    // SAFETY: `at` stays below the length of `bytes`, and where a word is written it is aligned: that is what `before`
    // is for.
    unsafe {
        for &byte in before {
            to.add(at).write_volatile(byte);
            at += 1;
        }
        for &word in words {
            #[allow(clippy::cast_ptr_alignment, reason = "it is aligned")]
            to.add(at).cast::<u64>().write_volatile(u64::from_ne_bytes(word));
            at += word.len();
        }
        for &byte in behind {
            to.add(at).write_volatile(byte);
            at += 1;
        }
    }
}
