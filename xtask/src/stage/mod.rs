//! `cargo xtask stage N`: one stage, from the operation to the bytes, the contract and the figures.

mod bytes;
mod contract;
mod figures;
mod trace;

use anyhow::Result;
use clap::Args;
use logladder::{STAGES, SyncPolicy};

use crate::climb::find;
use crate::style::{HEADING, QUIET};

/// What `cargo xtask stage` takes.
#[derive(Debug, Args)]
pub(crate) struct Stage {
    /// The stage, by number or by name: 4, or scan-log
    #[arg(value_name = "STAGE")]
    which: String,
    /// Leave out the contract and the figures, which take from seconds to many minutes
    #[arg(long)]
    quick: bool,
    /// Leave out the crash images of the contract, which take many minutes in the upper stages
    #[arg(long)]
    no_crashes: bool,
}

impl Stage {
    /// Shows the stage.
    pub(crate) fn run(&self) -> Result<()> {
        let stage = find(&self.which)?;
        anstream::println!("{HEADING}Stage {}: {}{HEADING:#} — {}", stage.number, stage.name, stage.summary);
        println!("  fixes:  {}", stage.fixes);
        println!("  hurts:  {}", stage.hurts);
        println!("  an acknowledged set survives: {}", survives(stage));

        anstream::println!(
            "\n{HEADING}Operations{HEADING:#}, and what each does to the disk {QUIET}(every write synced){QUIET:#}"
        );
        let tree = trace::run(stage)?;

        anstream::println!("\n{HEADING}The bytes on the disk{HEADING:#} after them");
        if tree.files().next().is_none() {
            println!("\n  none: this stage has no file");
        }
        bytes::print(stage, &tree);

        if !self.quick {
            anstream::println!("\n{HEADING}The contract{HEADING:#}");
            let kept = contract::run(stage, !self.no_crashes);
            anstream::println!("\n{HEADING}The figures{HEADING:#}, beside the stage below");
            figures::print(stage)?;
            kept?;
        }
        let place = format!("{}-{}", stage.number, stage.name);
        println!("\nThe code: crates/stages/{place}   The lesson: docs/src/stages/{place}.md");
        match STAGES.iter().find(|next| next.number > stage.number) {
            Some(next) => println!("Next: cargo xtask stage {}", next.number),
            None => println!("Next: cargo xtask climb"),
        }
        Ok(())
    }
}

fn survives(stage: &logladder::Stage) -> String {
    let synced = stage.durability(SyncPolicy::Always);
    let unsynced = stage.durability(SyncPolicy::Never);
    if synced == unsynced {
        synced.to_string()
    } else {
        format!("{synced} if every write is synced, {unsynced} if not")
    }
}
