//! What `climb` does to each stage: real records in, all of them read back, some deleted, closed, opened
//! again and compared once more.
//!
//! 1. *set*: every record, in the order of the input; then one sync.
//! 2. *get*: every key once, in shuffled order.
//! 3. *delete*: every tenth key.
//! 4. *check*: every key, in another order, the deleted ones too.
//! 5. Close, open, and the check again.
//!
//! Every step has a budget. A stage that is too slow is cut off and says so, and the later steps work with
//! what was loaded; their orders are shuffled, so what they reach is a fair sample.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use logladder_engine::SyncPolicy;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::input::Records;
use crate::meter::Entry;
use crate::report::{Operation, Run};
use crate::trial::{Conditions, Contents, Trial};
use crate::{Contestant, Failure, Heap, Progress};

/// How much time each step of one stage has, in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Setting all records.
    pub set_millis: u64,
    /// Reading them back.
    pub get_millis: u64,
    /// Deleting every tenth.
    pub delete_millis: u64,
    /// Comparing, after the deletes and again after reopening.
    pub check_millis: u64,
    /// The order of reading comes from it.
    pub seed: u64,
}

impl Plan {
    /// Divides `total` between `engines` engines, and each one's share between its steps. A tenth is left
    /// for starting processes, syncing, closing and opening.
    #[must_use]
    pub fn within(total: Duration, engines: usize, seed: u64) -> Self {
        let millis = u64::try_from(total.as_millis()).unwrap_or(u64::MAX);
        let share = millis / (engines.max(1) as u64);
        // At least a millisecond each: a step does one operation at least.
        let part = |percent: u64| (share / 100 * percent).max(1);
        Self {
            set_millis: part(35),
            get_millis: part(25),
            delete_millis: part(10),
            check_millis: part(10),
            seed,
        }
    }

    /// The longest one engine should take, without opening and closing.
    #[must_use]
    pub fn budget(&self) -> Duration {
        let checks = self.check_millis.saturating_mul(2);
        let steps = [self.set_millis, self.get_millis, self.delete_millis, checks];
        Duration::from_millis(steps.iter().fold(0, |sum, &millis| sum.saturating_add(millis)))
    }

    /// Measures an engine in this process, in a folder that is empty.
    ///
    /// # Errors
    ///
    /// The engine failed, or answered wrongly.
    pub fn run(
        &self,
        contestant: &Contestant,
        records: &Records,
        folder: &Path,
        heap: Option<&'static Heap>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Run, Failure> {
        let mut model = Model::new(records, self.seed);
        let all = records.entries.len() as u64;
        let conditions = Conditions { contestant, folder, heap, progress };
        // Without syncs, so that the stages differ by what they do and not by what the disk costs.
        let (mut trial, engine) = Trial::begin(conditions, "climb", SyncPolicy::Never)?;

        let budget = Duration::from_millis(self.set_millis);
        trial.phase(&*engine, Operation::Set, Some(all), budget, &mut |entry| model.next_set(entry))?;
        trial.sync(&*engine)?;
        let live = model.seal();

        let budget = Duration::from_millis(self.get_millis);
        trial.phase(&*engine, Operation::Get, Some(live), budget, &mut |entry| model.next_get(entry))?;
        trial.look();

        let budget = Duration::from_millis(self.delete_millis);
        let every_tenth = Some(live.div_ceil(10));
        trial
            .phase(&*engine, Operation::Delete, every_tenth, budget, &mut |entry| model.next_delete(entry))?;

        let budget = Duration::from_millis(self.check_millis);
        model.shuffle();
        trial.check(&*engine, "deletes", live, budget, &mut |entry| model.next_get(entry))?;
        let (engine, kept) = trial.reopen(engine, model.contents())?;
        if kept {
            model.shuffle();
            trial.check(&*engine, "reopening", live, budget, &mut |entry| model.next_get(entry))?;
        }
        trial.finish(engine)
    }
}

/// What the store must hold.
struct Model<'r> {
    entries: &'r [(Vec<u8>, Vec<u8>)],
    /// For each record, the place of the next one with the same key, which overwrites it.
    overwritten_by: Vec<usize>,
    loaded: usize,
    /// The records that were loaded and not overwritten, in the order of reading.
    order: Vec<usize>,
    next: usize,
    deleted: Vec<bool>,
    /// Where the search for the next record to delete goes on, and how many live ones it has passed.
    deleting: (usize, usize),
    user_bytes: u64,
    random: ChaCha8Rng,
}

impl<'r> Model<'r> {
    fn new(records: &'r Records, seed: u64) -> Self {
        let entries = records.entries.as_slice();
        // Filled with something other than zero, which the system would only promise: memory that is touched
        // later would count as the engine's.
        let mut overwritten_by = vec![usize::MAX; entries.len()];
        let mut last: HashMap<&[u8], usize> = HashMap::with_capacity(entries.len());
        for (place, (key, _)) in entries.iter().enumerate() {
            if let Some(earlier) = last.insert(key, place) {
                overwritten_by[earlier] = place;
            }
        }
        let mut order: Vec<usize> = (1..=entries.len()).collect();
        order.clear();
        let mut deleted = vec![true; entries.len()];
        deleted.fill(false);
        Self {
            entries,
            overwritten_by,
            loaded: 0,
            order,
            next: 0,
            deleted,
            deleting: (0, 0),
            user_bytes: 0,
            random: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    fn next_set(&mut self, entry: &mut Entry) -> bool {
        let Some((key, value)) = self.entries.get(self.loaded) else { return false };
        self.loaded += 1;
        self.user_bytes += (key.len() + value.len()) as u64;
        entry.assign(key, value);
        true
    }

    /// Nothing more will be loaded. Returns how many keys there are.
    fn seal(&mut self) -> u64 {
        let loaded = self.loaded;
        self.order.extend((0..loaded).filter(|&place| self.overwritten_by[place] >= loaded));
        self.shuffle();
        self.order.len() as u64
    }

    fn shuffle(&mut self) {
        self.order.shuffle(&mut self.random);
        self.next = 0;
    }

    fn next_get(&mut self, entry: &mut Entry) -> bool {
        let Some(&place) = self.order.get(self.next) else { return false };
        self.next += 1;
        let (key, value) = &self.entries[place];
        entry.assign(key, value);
        entry.present = !self.deleted[place];
        true
    }

    fn next_delete(&mut self, entry: &mut Entry) -> bool {
        let (mut place, mut passed) = self.deleting;
        while place < self.loaded {
            let is_live = self.overwritten_by[place] >= self.loaded;
            let is_tenth = passed.is_multiple_of(10);
            passed += usize::from(is_live);
            place += 1;
            if is_live && is_tenth {
                self.deleting = (place, passed);
                self.deleted[place - 1] = true;
                let key = &self.entries[place - 1].0;
                self.user_bytes += key.len() as u64;
                entry.assign(key, b"");
                return true;
            }
        }
        self.deleting = (place, passed);
        false
    }

    fn contents(&self) -> Contents {
        let live = self.order.iter().filter(|&&place| !self.deleted[place]);
        let (keys, bytes) = live.fold((0, 0), |(keys, bytes), &place| {
            let (key, value) = &self.entries[place];
            (keys + 1, bytes + (key.len() + value.len()) as u64)
        });
        Contents { live_keys: keys, live_bytes: bytes, user_bytes: self.user_bytes }
    }
}
