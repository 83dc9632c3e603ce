//! What a random program is made of.

use std::fmt;

use proptest::prelude::{BoxedStrategy, Just, Strategy, any, prop_oneof};
use proptest::sample::select;
use proptest::strategy::Union;

use crate::crash::{End, Step};
use crate::samples::odd_strings;
use crate::show::{show, show_value};
use crate::{Capability, Subject};

/// The longest program.
const OPERATIONS: usize = 60;

type Bytes = Vec<u8>;

#[derive(Clone)]
pub(super) enum Operation {
    Set(Bytes, Bytes),
    Delete(Bytes),
    Get(Bytes),
    GetMany(Vec<Bytes>),
    ForEach,
    Stats,
    Sync,
    Close,
    Drop,
    Compact,
    Batch(Vec<(Bytes, Option<Bytes>)>),
    CompareAndSet(Bytes, Guess, Option<Bytes>),
    SetUntil(Bytes, Bytes, End),
    Versions(Bytes),
    Follow,
    Put(Bytes, Bytes),
    GetAll(Bytes),
    DeleteAll(Bytes),
    Backup,
}

/// What a compare_and_set expects.
#[derive(Debug, Clone)]
pub(super) enum Guess {
    /// What is there.
    Right,
    /// That nothing is there.
    Absent,
    /// This.
    Value(Bytes),
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Set(key, value) => write!(f, "set {} = {}", show(key), show(value)),
            Self::Delete(key) => write!(f, "delete {}", show(key)),
            Self::Get(key) => write!(f, "get {}", show(key)),
            Self::GetMany(keys) => {
                let keys: Vec<String> = keys.iter().map(|key| show(key)).collect();
                write!(f, "get_many {}", keys.join(", "))
            }
            Self::ForEach => f.write_str("for_each"),
            Self::Stats => f.write_str("stats"),
            Self::Sync => f.write_str("sync"),
            Self::Close => f.write_str("close, open"),
            Self::Drop => f.write_str("drop, open"),
            Self::Compact => f.write_str("compact"),
            Self::Batch(writes) => write!(f, "{}", Step::Batch(writes.clone())),
            Self::CompareAndSet(key, guess, new) => {
                let expected = match guess {
                    Guess::Right => "what is there".to_owned(),
                    Guess::Absent => "no value".to_owned(),
                    Guess::Value(value) => show(value),
                };
                write!(f, "if {} is {expected}, make it {}", show(key), show_value(new.as_deref()))
            }
            Self::SetUntil(key, value, end) => {
                write!(f, "{}", Step::SetUntil(key.clone(), value.clone(), *end))
            }
            Self::Versions(key) => write!(f, "versions {}", show(key)),
            Self::Follow => f.write_str("follow"),
            Self::Put(key, value) => write!(f, "put {} = {}", show(key), show(value)),
            Self::GetAll(collection) => write!(f, "get_all {}", show(collection)),
            Self::DeleteAll(collection) => write!(f, "delete_all {}", show(collection)),
            Self::Backup => f.write_str("backup, open the copy"),
        }
    }
}

/// Few keys, so that they meet often; and odd ones.
fn keys() -> impl Strategy<Value = Bytes> {
    prop_oneof![
        4 => select(vec![b"a".to_vec(), b"b".to_vec(), b"ab".to_vec(), b"key".to_vec(), b"A".to_vec()]),
        2 => select(odd_strings()),
        1 => proptest::collection::vec(any::<u8>(), 0..300),
    ]
}

fn values() -> impl Strategy<Value = Bytes> {
    prop_oneof![
        4 => proptest::collection::vec(any::<u8>(), 0..20),
        2 => select(odd_strings()),
        1 => proptest::collection::vec(any::<u8>(), 0..3_000),
    ]
}

/// More often a value than none.
fn values_or_none() -> impl Strategy<Value = Option<Bytes>> {
    proptest::option::weighted(0.7, values())
}

fn guesses() -> impl Strategy<Value = Guess> {
    prop_oneof![3 => Just(Guess::Right), 1 => Just(Guess::Absent), 1 => values().prop_map(Guess::Value)]
}

/// Programs of what the engine can do.
pub(super) fn programs(subject: &Subject) -> impl Strategy<Value = Vec<Operation>> + use<> {
    let mut choices: Vec<(u32, BoxedStrategy<Operation>)> = vec![
        (8, (keys(), values()).prop_map(|(key, value)| Operation::Set(key, value)).boxed()),
        (4, keys().prop_map(Operation::Delete).boxed()),
        (4, keys().prop_map(Operation::Get).boxed()),
        (1, proptest::collection::vec(keys(), 0..12).prop_map(Operation::GetMany).boxed()),
        (1, Just(Operation::ForEach).boxed()),
        (1, Just(Operation::Stats).boxed()),
        (1, Just(Operation::Sync).boxed()),
        (1, Just(Operation::Close).boxed()),
        (1, Just(Operation::Drop).boxed()),
    ];
    let mut add = |capability: Capability, weight: u32, strategy: BoxedStrategy<Operation>| {
        if subject.can(capability) {
            choices.push((weight, strategy));
        }
    };
    add(Capability::Compact, 1, Just(Operation::Compact).boxed());
    let batches = proptest::collection::vec((keys(), values_or_none()), 0..8);
    add(Capability::Atomic, 3, batches.prop_map(Operation::Batch).boxed());
    let compared = (keys(), guesses(), values_or_none());
    let compared = compared.prop_map(|(key, guess, new)| Operation::CompareAndSet(key, guess, new));
    add(Capability::Atomic, 3, compared.boxed());
    let ends = prop_oneof![Just(End::Past), Just(End::Future)];
    let ending = (keys(), values(), ends);
    let ending = ending.prop_map(|(key, value, end)| Operation::SetUntil(key, value, end));
    add(Capability::Expire, 3, ending.boxed());
    add(Capability::History, 3, keys().prop_map(Operation::Versions).boxed());
    add(Capability::Changes, 1, Just(Operation::Follow).boxed());
    let collections = || select(vec![b"a".to_vec(), b"c".to_vec(), b"\xFF\0".to_vec()]);
    let members = || select(vec![&b"m"[..], b"M", b"a/b", b"../x", b"/", b"\n"]);
    let keys_of_members =
        (collections(), members()).prop_map(|(collection, member)| [&collection, &b"/"[..], member].concat());
    let puts = (keys_of_members, values()).prop_map(|(key, value)| Operation::Put(key, value));
    add(Capability::Collections, 5, puts.boxed());
    add(Capability::Collections, 2, collections().prop_map(Operation::GetAll).boxed());
    add(Capability::Collections, 1, collections().prop_map(Operation::DeleteAll).boxed());
    add(Capability::Backup, 1, Just(Operation::Backup).boxed());
    proptest::collection::vec(Union::new_weighted(choices), 1..OPERATIONS)
}
