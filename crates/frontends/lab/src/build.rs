//! Builds a learner's crate, into the folder that the workspace is built into.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::attended::attended;
use crate::generate::package_name;

/// What a crate is built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To be checked.
    Check,
    /// To be measured as well.
    Measure,
}

/// Builds the program of the engine `name`, whose crate is in `folder`, and gives its path. None if it does not compile: then
/// the compiler has said why. `root` is the root of this workspace.
///
/// It is built as the program is that calls this, in debug or in release: what the two share need not be compiled again. If that
/// program is ended meanwhile, so is the build.
///
/// # Errors
///
/// Cargo could not be started.
pub fn build(root: &Path, folder: &Path, name: &str, purpose: Purpose) -> io::Result<Option<PathBuf>> {
    let target = target_folder(root);
    // Cargo sets this for what it runs; the one in the path may be another.
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--manifest-path"]).arg(folder.join("Cargo.toml"));
    command.arg("--target-dir").arg(&target);
    let (flag, profile) =
        if cfg!(debug_assertions) { (None, "debug") } else { (Some("--release"), "release") };
    command.args(flag);
    if purpose == Purpose::Measure {
        command.args(["--features", "bench"]);
    }
    let status = attended(&command)?;
    let program = target.join(profile).join(package_name(name));
    Ok(status.success().then(|| program.with_extension(std::env::consts::EXE_EXTENSION)))
}

/// The folder that this program was built into.
fn target_folder(root: &Path) -> PathBuf {
    // Cargo marks that folder with this file, wherever it is.
    let is_target = |folder: &&Path| folder.join("CACHEDIR.TAG").is_file();
    let program = std::env::current_exe().unwrap_or_default();
    program.ancestors().find(is_target).map_or_else(|| root.join("target"), Path::to_path_buf)
}
