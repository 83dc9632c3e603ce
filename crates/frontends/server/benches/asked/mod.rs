//! What every benchmark of the server can be asked on the command line.

use std::path::{Path, PathBuf};

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct Asked {
    /// Where every figure is written as JSON; a relative path counts from the root of the workspace
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Do everything for a moment: shows that it works, and measures nothing
    #[arg(long)]
    pub(crate) test: bool,
    /// What `cargo bench` hands to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

impl Asked {
    /// The file for the figures, if one is named.
    pub(crate) fn json(&self) -> Option<PathBuf> {
        // `cargo bench` starts this in the package's folder, wherever it was called.
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(3).unwrap_or(Path::new("."));
        self.json.as_ref().map(|path| workspace.join(path))
    }
}
