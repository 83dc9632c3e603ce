//! What the second process does: sets, deletes, batches, rotation, syncs, compaction, a backup, closing, dropping,
//! opening with what was left.

use std::path::Path;

use logladder_contract::second_process::say;
use logladder_engine::{Compact as _, Engine, Open, SyncPolicy};
use logladder_hash_log::{Compaction, HashLog, Hints, Options};

use logladder_contract::second_process::failure::{takes_no_more_and_reads_on, tell};
use logladder_contract::second_process::ledger::Ledger;
use logladder_contract::second_process::steps::{perform, step};

use Deed::{Backup, Close, Compact, Seal, Steps, Sync};

/// Goes through it, until it ends or a failure ends it.
pub(crate) fn go_through(dir: &Path, seed: u64) {
    let options = Options::default()
        .with_segment_bytes(900)
        .with_compaction(Compaction::OnDemand)
        .with_hints(Hints::Always);
    let mut ledger: Option<Ledger> = None;
    let first = [Steps(25), Sync, Seal, Steps(8), Compact, Steps(8), Close];
    let sessions: [(Options, &[Deed]); 5] = [
        (options, &first),
        (options, &[Steps(6), Sync, Steps(2)]),
        (options, &[Steps(4), Backup, Compact, Steps(3)]),
        (options.with_sync(SyncPolicy::Always), &[Steps(6), Close]),
        (options, &[Close]),
    ];
    for (options, deeds) in sessions {
        let store = match HashLog::open(dir, options) {
            Ok(store) => store,
            Err(error) => return tell("open", &error),
        };
        let ledger = ledger.get_or_insert_with(|| Ledger::new(seed, 1));
        let mut session = Session { store, ledger, seed, dir };
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
    Seal,
    Compact,
    Backup,
    Close,
}

struct Session<'a> {
    store: HashLog,
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
            Seal => ("seal", self.store.seal()),
            Compact => ("compact", self.store.compact().map(|_| ())),
            Backup => ("backup", self.back_up()),
            Close => ("close", Ok(())),
        };
        let Err(error) = outcome else { return true };
        tell(what, &error);
        if what == "step" || what == "sync" {
            takes_no_more_and_reads_on(&self.store, self.ledger, self.seed);
            return false;
        }
        // A compaction or a backup that failed may leave the store as it was. Then it must be that.
        self.ledger.check(&self.store, what);
        true
    }

    fn step(&mut self) -> logladder_engine::Result<()> {
        let number = self.ledger.next()[0];
        let changes = step(self.seed, 0, number);
        perform(&self.store, &changes)?;
        let line = format!("done 0 {number}");
        say(&line);
        self.ledger.hear(&line);
        Ok(())
    }

    /// A backup, which then must hold what the store does.
    fn back_up(&mut self) -> logladder_engine::Result<()> {
        let Some(backup) = self.store.as_backup() else { return Ok(()) };
        let copy = self.dir.with_file_name("copy");
        backup.backup(&copy)?;
        let copy = HashLog::open(&copy, Options::default().with_compaction(Compaction::OnDemand))?;
        self.ledger.check(&copy, "the backup");
        Ok(())
    }
}
