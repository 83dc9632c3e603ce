//! [`Machine`]: where a figure was measured. A figure without it says nothing.

use std::fmt;
use std::process::Command;

use serde::{Deserialize, Serialize};
use sysinfo::{Cpu, CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};

/// The machine and the build that a report comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The processor's own name.
    pub cpu: String,
    /// Logical cores that this process may use.
    pub cores: usize,
    /// Memory in bytes.
    pub memory_bytes: u64,
    /// The operating system and its kernel.
    pub os: String,
    /// The compiler, as `rustc --version` says.
    pub rustc: String,
    /// Whether the benchmark was compiled with optimisation. If not, its figures say nothing.
    pub optimised: bool,
    /// The commit of the work tree, with `+` behind it if there were changes. None outside a repository.
    pub commit: Option<String>,
}

impl Machine {
    /// This machine and this build.
    #[must_use]
    pub fn detect() -> Self {
        let wanted = RefreshKind::nothing()
            .with_cpu(CpuRefreshKind::nothing())
            .with_memory(MemoryRefreshKind::nothing().with_ram());
        let system = System::new_with_specifics(wanted).ok();
        let cpu = system.as_ref().and_then(|system| system.cpus().first()).map_or("", Cpu::brand).trim();
        let os = System::long_os_version().unwrap_or_else(|_| std::env::consts::OS.to_owned());
        let kernel = System::kernel_version().unwrap_or_default();
        Self {
            cpu: if cpu.is_empty() { std::env::consts::ARCH } else { cpu }.to_owned(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: system.as_ref().map_or(0, System::total_memory),
            os: format!("{os} {kernel}").trim().to_owned(),
            rustc: env!("LOGLADDER_RUSTC").to_owned(),
            optimised: !cfg!(debug_assertions),
            commit: commit(),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gib = self.memory_bytes >> 30;
        write!(f, "{}, {} cores, {gib} GiB; {}; {}", self.cpu, self.cores, self.os, self.rustc)?;
        if let Some(commit) = &self.commit {
            write!(f, "; commit {commit}")?;
        }
        if !self.optimised {
            write!(f, "; NOT OPTIMISED: compare nothing")?;
        }
        Ok(())
    }
}

fn commit() -> Option<String> {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| text.trim().to_owned())
    };
    let commit = git(&["rev-parse", "--short", "HEAD"])?;
    let changes = git(&["status", "--porcelain", "--untracked-files=no"])?;
    Some(if changes.is_empty() { commit } else { format!("{commit}+") })
}
