//! What the second process does: sets, deletes, batches, flushes, merges, syncs, a compaction, a backup, closing, dropping,
//! opening with what was left.

use std::path::Path;

use logladder_contract::second_process::say;
use logladder_engine::{Backup as _, Compact as _, Engine, Open, SyncPolicy};
use logladder_sorted_log::{Options, SortedLog, Work};

use logladder_contract::second_process::failure::{takes_no_more_and_reads_on, tell};
use logladder_contract::second_process::ledger::Ledger;
use logladder_contract::second_process::steps::{perform, step};

use Deed::{Backup, Close, Compact, Flush, Steps, Sync};

/// Some writes fill a memtable, two tables are merged, and some edits make a manifest long. It is all done by whoever
/// writes, so that each run makes the same calls.
pub(crate) fn options() -> Options {
    Options::default()
        .with_sync(SyncPolicy::Never)
        .with_work(Work::Caller)
        .with_memtable_bytes(1_500)
        .with_block_bytes(300)
        .with_table_bytes(1_000)
        .with_level0_tables(2)
        .with_levels(2_500, 2)
        .with_manifest_bytes(700)
}

/// Goes through it, until it ends or a failure ends it.
pub(crate) fn go_through(dir: &Path, seed: u64) {
    let mut ledger = Ledger::new(seed, 1);
    let sessions: [&[Deed]; 5] = [
        &[Steps(25), Sync, Flush, Steps(8), Compact, Steps(8), Close],
        &[Steps(6), Sync, Steps(2)],
        &[Steps(4), Backup, Compact, Steps(3)],
        &[Steps(6), Close],
        &[Close],
    ];
    for (number, deeds) in sessions.into_iter().enumerate() {
        let sync = if number == 3 { SyncPolicy::Always } else { SyncPolicy::Never };
        let store = match SortedLog::open(dir, options().with_sync(sync)) {
            Ok(store) => store,
            Err(error) => return tell("open", &error),
        };
        let mut session = Session { store, ledger: &mut ledger, seed, dir };
        for deed in deeds {
            if *deed == Close {
                let Session { store, .. } = session;
                if let Err(error) = Box::new(store).close() {
                    return tell("close", &error);
                }
                break;
            }
            if !session.goes_on_after(*deed) {
                return;
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Deed {
    Steps(u32),
    Sync,
    Flush,
    Compact,
    Backup,
    Close,
}

struct Session<'a> {
    store: SortedLog,
    ledger: &'a mut Ledger,
    seed: u64,
    dir: &'a Path,
}

impl Session<'_> {
    /// Does it. After an error of a write or a sync it asks for more, which must be refused, and reads everything.
    fn goes_on_after(&mut self, deed: Deed) -> bool {
        let (what, outcome) = match deed {
            Steps(count) => ("step", (0..count).try_for_each(|_| self.step())),
            Sync => ("sync", self.store.sync()),
            Flush => ("flush", self.store.flush()),
            Compact => ("compact", self.store.compact().map(drop)),
            Backup => ("backup", self.back_up()),
            Close => ("close", Ok(())),
        };
        let Err(error) = outcome else { return true };
        tell(what, &error);
        if what == "step" || what == "sync" {
            takes_no_more_and_reads_on(&self.store, self.ledger, self.seed);
            return false;
        }
        // What else failed may leave the store as it was. Then it must be that.
        self.ledger.check(&self.store, what);
        true
    }

    fn step(&mut self) -> logladder_engine::Result<()> {
        let number = self.ledger.next()[0];
        perform(&self.store, &step(self.seed, 0, number))?;
        let line = format!("done 0 {number}");
        say(&line);
        self.ledger.hear(&line);
        Ok(())
    }

    /// A backup, which then must hold what the store does.
    fn back_up(&mut self) -> logladder_engine::Result<()> {
        let copy = self.dir.with_file_name("copy");
        self.store.backup(&copy)?;
        let copy = SortedLog::open(&copy, options())?;
        self.ledger.check(&copy, "the backup");
        Ok(())
    }
}
