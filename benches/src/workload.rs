//! [`Workload`]: synthetic keys and values, the same for every engine because they come from a seed.
//!
//! The order: set; get; get of absent keys; look at memory; close and open again; compare; delete; compare.
//! The workload keeps, for each key, how often it was set; the value is a function of the seed, the key and
//! that number, so that any value read can be compared with what it must be, at no cost of memory.

use std::io::Write as _;
use std::time::Duration;

use logladder_engine::SyncPolicy;
use rand::seq::SliceRandom;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::meter::Entry;
use crate::report::{Operation, Run};
use crate::trial::{Conditions, Contents, Trial};
use crate::{Contestant, Failure, Heap, Progress};

/// What is done to an engine, and how much of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workload {
    /// Its name in reports.
    pub name: String,
    /// What keys and values look like.
    pub data: Data,
    /// How many different keys there are; 0 counts as 1.
    pub keys: u32,
    /// Whether the sets begin with each key once and each key is deleted once, both in shuffled order. If
    /// not, every key is drawn at random each time.
    pub each_key_once: bool,
    /// How many sets at most, whatever the time. None: as many as the time allows.
    pub most_sets: Option<u64>,
    /// How long each operation is repeated, in milliseconds.
    pub phase_millis: u64,
    /// Whether gets of keys that were never set are measured.
    pub get_misses: bool,
    /// Whether the engine syncs before each write is acknowledged.
    pub sync_each_write: bool,
    /// Where all randomness comes from.
    pub seed: u64,
}

/// What keys and values look like. All are printable text, so that a text format has no extra work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Data {
    /// Keys `0`, `1`, …, values such as `0.8444218515250481`: learndb's.
    NumbersAndFloats,
    /// Keys of 16 digits, values of so many random letters and digits.
    Text {
        /// Bytes of a value.
        value_len: u32,
    },
}

/// The seed of the presets.
pub const SEED: u64 = 20_260_101;

impl Workload {
    /// learndb's own benchmark: a key is one of 500 numbers, a value a random float, both as text; set, get
    /// and delete in this order, three seconds each, without syncs.
    #[must_use]
    pub fn learndb() -> Self {
        Self {
            name: "learndb".into(),
            data: Data::NumbersAndFloats,
            keys: 500,
            each_key_once: false,
            most_sets: None,
            phase_millis: 3000,
            get_misses: false,
            sync_each_write: false,
            seed: SEED,
        }
    }

    /// Keys of 16 and values of 100 bytes: 100,000 of them, or as many as the engine can set in three
    /// seconds; then overwrites, up to a million sets.
    #[must_use]
    pub fn sixteen_hundred() -> Self {
        Self {
            name: "16/100".into(),
            data: Data::Text { value_len: 100 },
            keys: 100_000,
            each_key_once: true,
            most_sets: Some(1_000_000),
            phase_millis: 3000,
            get_misses: true,
            sync_each_write: false,
            seed: SEED,
        }
    }

    /// A few keys for a few milliseconds: shows that everything works, and measures nothing.
    #[must_use]
    pub fn quick() -> Self {
        Self {
            name: "quick".into(),
            keys: 64,
            most_sets: Some(1000),
            phase_millis: 20,
            ..Self::sixteen_hundred()
        }
    }

    /// The preset of this name.
    #[must_use]
    pub fn preset(name: &str) -> Option<Self> {
        [Self::learndb(), Self::sixteen_hundred(), Self::quick()]
            .into_iter()
            .find(|preset| preset.name == name)
    }

    /// The longest it should take, without opening and closing.
    #[must_use]
    pub fn budget(&self) -> Duration {
        // set, get, get-miss, check, delete, check.
        self.phase() * 6
    }

    fn phase(&self) -> Duration {
        Duration::from_millis(self.phase_millis)
    }

    /// Measures an engine in this process, in a folder that is empty.
    ///
    /// # Errors
    ///
    /// The engine failed, or answered wrongly.
    pub fn run(
        &self,
        contestant: &Contestant,
        folder: &std::path::Path,
        heap: Option<&'static Heap>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Run, Failure> {
        let mut model = Model::new(self);
        let sync = if self.sync_each_write { SyncPolicy::Always } else { SyncPolicy::Never };
        let conditions = Conditions { contestant, folder, heap, progress };
        let (mut trial, engine) = Trial::begin(conditions, &self.name, sync)?;
        let phase = self.phase();

        let wanted = self.each_key_once.then_some(u64::from(self.keys));
        trial.phase(&*engine, Operation::Set, wanted, phase, &mut |entry| model.next_set(entry))?;
        trial.sync(&*engine)?;
        trial.phase(&*engine, Operation::Get, None, phase, &mut |entry| model.next_get(entry))?;
        if self.get_misses {
            trial.phase(&*engine, Operation::GetMiss, None, phase, &mut |entry| model.next_miss(entry))?;
        }
        trial.look();

        let (engine, kept) = trial.reopen(engine, model.contents())?;
        let known = model.known() as u64;
        if kept {
            let mut keys = 0..model.known();
            trial.check(&*engine, "reopening", known, phase, &mut |entry| {
                model.next_check(&mut keys, entry)
            })?;
        }

        let wanted = self.each_key_once.then_some(known);
        let mut keys = 0..model.known();
        trial.phase(&*engine, Operation::Delete, wanted, phase, &mut |entry| {
            model.next_delete(&mut keys, entry)
        })?;
        let mut keys = 0..model.known();
        trial.check(&*engine, "deletes", known, phase, &mut |entry| model.next_check(&mut keys, entry))?;
        trial.finish(engine)
    }
}

/// What the store must hold. A key is named by its number; the engine sees the text of it.
struct Model<'w> {
    workload: &'w Workload,
    random: ChaCha8Rng,
    /// The key numbers, shuffled: the order of the first sets, and of the checks.
    order: Vec<u32>,
    /// For each key, the number of the set that its value comes from.
    versions: Vec<u32>,
    sets: u64,
    user_bytes: u64,
    scratch: Vec<u8>,
}

/// The version of a key that has no value.
const ABSENT: u32 = u32::MAX;

impl<'w> Model<'w> {
    fn new(workload: &'w Workload) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(workload.seed);
        let mut order: Vec<u32> = (0..workload.keys.max(1)).collect();
        order.shuffle(&mut random);
        let versions = vec![ABSENT; order.len()];
        let scratch = Vec::with_capacity(64);
        Self { workload, random, order, versions, sets: 0, user_bytes: 0, scratch }
    }

    /// How many keys, in their order, may have been set.
    fn known(&self) -> usize {
        if self.workload.each_key_once {
            usize::try_from(self.sets).map_or(self.order.len(), |sets| sets.min(self.order.len()))
        } else {
            self.order.len()
        }
    }

    /// One of the keys that may have been set, at random.
    fn any_known(&mut self) -> u32 {
        let place = self.random.random_range(0..self.known().max(1));
        self.order[place]
    }

    fn next_set(&mut self, entry: &mut Entry) -> bool {
        if self.workload.most_sets.is_some_and(|most| self.sets >= most) {
            return false;
        }
        let fresh = self.workload.each_key_once && self.known() < self.order.len();
        let key = if fresh { self.order[self.known()] } else { self.any_known() };
        let version = u32::try_from(self.sets % u64::from(ABSENT)).unwrap_or(0);
        self.sets += 1;
        self.versions[key as usize] = version;
        self.put(key, entry);
        self.user_bytes += (entry.key.len() + entry.value.len()) as u64;
        true
    }

    fn next_get(&mut self, entry: &mut Entry) -> bool {
        let key = self.any_known();
        self.put(key, entry);
        true
    }

    fn next_miss(&mut self, entry: &mut Entry) -> bool {
        let behind_the_last = self.order.len() as u64;
        let key = behind_the_last + self.random.random_range(0..behind_the_last);
        self.key_text(key);
        entry.assign(&self.scratch, b"");
        entry.present = false;
        true
    }

    fn next_delete(&mut self, keys: &mut std::ops::Range<usize>, entry: &mut Entry) -> bool {
        let key = if self.workload.each_key_once {
            let Some(place) = keys.next() else { return false };
            self.order[place]
        } else {
            self.any_known()
        };
        self.versions[key as usize] = ABSENT;
        self.put(key, entry);
        true
    }

    fn next_check(&mut self, keys: &mut std::ops::Range<usize>, entry: &mut Entry) -> bool {
        let Some(place) = keys.next() else { return false };
        self.put(self.order[place], entry);
        true
    }

    /// Puts a key and the value it must have into the entry.
    fn put(&mut self, key: u32, entry: &mut Entry) {
        self.key_text(u64::from(key));
        entry.assign(&self.scratch, b"");
        let version = self.versions[key as usize];
        entry.present = version != ABSENT;
        if entry.present {
            self.value(key, version, &mut entry.value);
        }
    }

    fn key_text(&mut self, key: u64) {
        self.scratch.clear();
        // Writing to a Vec cannot fail.
        let _ = match self.workload.data {
            Data::NumbersAndFloats => write!(self.scratch, "{key}"),
            Data::Text { .. } => write!(self.scratch, "{key:016}"),
        };
    }

    fn value(&self, key: u32, version: u32, value: &mut Vec<u8>) {
        let seed = self.workload.seed ^ (u64::from(key) << 32 | u64::from(version));
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        value.clear();
        match self.workload.data {
            Data::NumbersAndFloats => {
                let float: f64 = random.random();
                // As above.
                let _ = write!(value, "{float}");
            }
            Data::Text { value_len } => {
                let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
                let len = value_len as usize;
                while value.len() < len {
                    let mut bits = random.next_u64();
                    for _ in 0..10.min(len - value.len()) {
                        value.push(letters[usize::from((bits & 63) as u8)]);
                        bits >>= 6;
                    }
                }
            }
        }
    }

    fn contents(&mut self) -> Contents {
        let mut entry = Entry::default();
        let (mut live_keys, mut live_bytes) = (0, 0);
        for place in 0..self.order.len() {
            self.put(self.order[place], &mut entry);
            if entry.present {
                live_keys += 1;
                live_bytes += (entry.key.len() + entry.value.len()) as u64;
            }
        }
        Contents { live_keys, live_bytes, user_bytes: self.user_bytes }
    }
}
