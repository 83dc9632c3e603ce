//! The model: random operations on the engine and on a map, compared after each.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::ControlFlow;

use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::select;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use logladder_engine::Durability;

use crate::case::quietly;
use crate::samples::odd_strings;
use crate::show::show;
use crate::{Bench, Capability, Place, Store, Subject, Violation};

/// The environment variable that repeats a run: the seed that a failure printed.
pub const SEED: &str = "LOGLADDER_SEED";

const RUNS: u32 = 64;
const OPERATIONS: usize = 60;

/// How many random programs an engine ran like a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ModelSummary {
    /// How many programs were run, of up to sixty operations each.
    pub programs: u32,
    /// What they were made of: the same again with `LOGLADDER_SEED` in the environment.
    pub seed: u64,
}

impl fmt::Display for ModelSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} random programs end as on a map ({SEED}={})", self.programs, self.seed)
    }
}

#[derive(Clone)]
enum Operation {
    Set(Vec<u8>, Vec<u8>),
    Delete(Vec<u8>),
    Get(Vec<u8>),
    ForEach,
    Stats,
    Sync,
    Close,
    Drop,
    Compact,
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Set(key, value) => write!(f, "set {} = {}", show(key), show(value)),
            Self::Delete(key) => write!(f, "delete {}", show(key)),
            Self::Get(key) => write!(f, "get {}", show(key)),
            Self::ForEach => f.write_str("for_each"),
            Self::Stats => f.write_str("stats"),
            Self::Sync => f.write_str("sync"),
            Self::Close => f.write_str("close, open"),
            Self::Drop => f.write_str("drop, open"),
            Self::Compact => f.write_str("compact"),
        }
    }
}

/// Few keys, so that they meet often; and odd ones.
fn keys() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => select(vec![b"a".to_vec(), b"b".to_vec(), b"ab".to_vec(), b"key".to_vec(), b"A".to_vec()]),
        2 => select(odd_strings()),
        1 => proptest::collection::vec(any::<u8>(), 0..300),
    ]
}

fn values() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => proptest::collection::vec(any::<u8>(), 0..20),
        2 => select(odd_strings()),
        1 => proptest::collection::vec(any::<u8>(), 0..3_000),
    ]
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let operation = prop_oneof![
        8 => (keys(), values()).prop_map(|(key, value)| Operation::Set(key, value)),
        4 => keys().prop_map(Operation::Delete),
        4 => keys().prop_map(Operation::Get),
        1 => Just(Operation::ForEach),
        1 => Just(Operation::Stats),
        1 => Just(Operation::Sync),
        1 => Just(Operation::Close),
        1 => Just(Operation::Drop),
        1 => Just(Operation::Compact),
    ];
    proptest::collection::vec(operation, 1..OPERATIONS)
}

/// Runs random programs on the engine and on a map, and compares them after each operation.
///
/// # Errors
///
/// The shortest program found on which they differ, and the seed.
pub fn model(subject: &Subject) -> Result<ModelSummary, Box<Violation>> {
    let given = std::env::var(SEED).ok().and_then(|seed| seed.parse().ok());
    let seed: u64 =
        given.unwrap_or_else(|| std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0));
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config { cases: RUNS, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let outcome = quietly(|| {
        runner.run(&operations(), |program| {
            run(subject, &program);
            Ok::<(), TestCaseError>(())
        })
    });
    match outcome {
        Ok(()) => Ok(ModelSummary { programs: RUNS, seed }),
        Err(TestError::Fail(reason, program)) => {
            let steps: Vec<String> = program.iter().map(|operation| format!("{operation:?}")).collect();
            let violation = Violation::new("the engine does what a map does", reason.message().to_owned());
            Err(Box::new(violation.at(&format!("{SEED}={seed}")).in_script(&steps.join("\n"))))
        }
        Err(TestError::Abort(reason)) => {
            Err(Box::new(Violation::new("random programs can be made", reason.message().to_owned())))
        }
    }
}

/// Panics where the engine and the map differ.
fn run(subject: &Subject, program: &[Operation]) {
    let bench = Bench::new(subject, Place::RecordingDisk);
    let mut store = bench.open();
    let mut map: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    for operation in program {
        match operation {
            Operation::Set(key, value) => {
                store.set(key, value);
                map.insert(key.clone(), value.clone());
                store.holds(key, value);
            }
            Operation::Delete(key) => {
                store.delete(key);
                map.remove(key);
                store.lacks(key);
            }
            Operation::Get(key) => store.shows(key, map.get(key).map(Vec::as_slice)),
            Operation::ForEach => visits_the_same(&store, &map),
            Operation::Stats => counts_the_same(&store, &map),
            Operation::Sync => store.sync(),
            Operation::Close => {
                store = bench.reopen(store);
                survives(subject, &mut map);
                is_the_same(&store, &map);
            }
            Operation::Drop => {
                if subject.durability() < Durability::ProcessCrash {
                    store.sync();
                }
                drop(store);
                store = bench.open();
                survives(subject, &mut map);
                is_the_same(&store, &map);
            }
            Operation::Compact if subject.can(Capability::Compact) => {
                store.compact();
                is_the_same(&store, &map);
            }
            Operation::Compact => {}
        }
    }
    is_the_same(&store, &map);
}

fn survives(subject: &Subject, map: &mut BTreeMap<Vec<u8>, Vec<u8>>) {
    if !subject.persists() {
        map.clear();
    }
}

fn is_the_same(store: &Store, map: &BTreeMap<Vec<u8>, Vec<u8>>) {
    for (key, value) in map {
        store.holds(key, value);
    }
    visits_the_same(store, map);
    counts_the_same(store, map);
}

fn visits_the_same(store: &Store, map: &BTreeMap<Vec<u8>, Vec<u8>>) {
    if store.engine().as_iterate().is_none() {
        return;
    }
    let mut shown = 0;
    store.for_each(&mut |key, value| {
        shown += 1;
        assert!(map.get(key).is_some_and(|expected| expected == value), "for_each showed {}", show(key));
        ControlFlow::Continue(())
    });
    assert_eq!(shown, map.len(), "for_each shows as many keys as there are");
}

fn counts_the_same(store: &Store, map: &BTreeMap<Vec<u8>, Vec<u8>>) {
    let stats = store.stats();
    let bytes: usize = map.iter().map(|(key, value)| key.len() + value.len()).sum();
    assert_eq!((stats.live_keys, stats.live_bytes), (map.len() as u64, bytes as u64), "live keys and bytes");
}
