//! Whether clients of a cluster can tell it from a single copy that does one thing after the other: histories of what they
//! were told, while members die, judged by a checker.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up has failed")]
#![allow(clippy::print_stdout, reason = "what was seen is told to whoever runs it with --nocapture")]

mod client;
mod history;
// Both are shared with other tests, which use the rest of them.
#[path = "../running/mod.rs"]
mod running;
#[path = "../../../../stages/9-etcd/tests/servers/mod.rs"]
mod servers;

use std::collections::HashMap;
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Condvar, Mutex};
use std::thread;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use client::Client;
use history::{History, Operation, Outcome};
use running::{Server, logladder};

/// How many histories, unless the environment variable `LOGLADDER_HISTORIES` says otherwise.
const HISTORIES: u64 = 20;

/// Clients, and the keys they share: few, so that they meet at a key; and in every second history so many that the sets of one
/// server wait for each other, and share a transaction.
const FEW: (usize, usize) = (6, 3);
const CROWD: (usize, usize) = (18, 8);
const OPERATIONS_OF_EACH: usize = 15;

/// A server over these members, which asks this one first.
fn serve(members: &[servers::Server], first: usize, more: &[&str]) -> Server {
    let endpoints: Vec<&str> =
        (0..members.len()).map(|number| members[(first + number) % members.len()].endpoint()).collect();
    let mut command = logladder();
    command.args(["--stage", "etcd", "--endpoints", &endpoints.join(",")]).args(more);
    command.args(["serve", "--addr", "127.0.0.1:0", "--log", "error"]).stderr(Stdio::null());
    Server::of(command)
}

fn client_of(server: &Server) -> Client {
    Client { address: server.address.clone() }
}

/// The number of the member that leads.
fn leader(members: &[servers::Server], client: &Client) -> Option<usize> {
    let cluster = client.cluster();
    let said = cluster["members"].as_array()?;
    let leads = said.iter().find(|member| member["said"]["is_leader"] == true)?;
    members.iter().position(|member| leads["endpoint"] == member.endpoint())
}

/// How many operations have begun. Who waits for one of them is woken by it.
#[derive(Debug, Default)]
struct Begun(Mutex<usize>, Condvar);

impl Begun {
    fn one_more(&self) {
        *self.0.lock().unwrap() += 1;
        self.1.notify_all();
    }

    fn wait_for(&self, count: usize) {
        drop(self.1.wait_while(self.0.lock().unwrap(), |begun| *begun < count).unwrap());
    }
}

/// Lets nobody wait for operations of a client that has failed.
struct Ended<'b>(&'b Begun);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            *self.0.0.lock().unwrap() = usize::MAX / 2;
            self.0.1.notify_all();
        }
    }
}

/// What one client does, one thing after the other.
fn work(
    history: &History,
    begun: &Begun,
    client: &Client,
    keys: &[String],
    values: &AtomicU32,
    mut random: ChaCha8Rng,
) {
    let _ended = Ended(begun);
    // What this client believes each key to have.
    let mut seen: HashMap<&str, Option<u64>> = HashMap::new();
    for _ in 0..OPERATIONS_OF_EACH {
        let key = keys[random.random_range(0..keys.len())].as_str();
        let kind = random.random_range(0..100_u32);
        // No value is written twice on purpose, so that what is read says who wrote it.
        let value = values.fetch_add(1, Ordering::Relaxed);
        let expected = seen.get(key).copied().flatten();
        begun.one_more();
        let outcome = history.record(key, || match kind {
            0..40 => client.get(key),
            40..65 => client.set(key, value),
            65..90 => client.compare_and_set(key, expected, value),
            _ => client.delete(key),
        });
        if let Outcome::Answered(answered) = outcome {
            let version = match answered {
                Operation::Get { found } => found.map(|(_, version)| version),
                Operation::Set { version, .. } | Operation::CompareAndSet { version, .. } => version,
                Operation::Delete => None,
            };
            seen.insert(key, version);
        }
    }
}

/// One history, while a member is killed, or stands still without anybody being told, and comes back. The seed says who
/// does what, and not in which order it happens: that is up to the machine.
fn one_history(seed: u64, members: &mut [servers::Server], clients: &[Client]) -> (History, &'static str) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let (workers, keys) = if seed.is_multiple_of(2) { FEW } else { CROWD };
    let all = workers * OPERATIONS_OF_EACH;
    let strike = random.random_range(5..all / 2);
    let heal = random.random_range(strike + 5..all);
    let victim = if random.random() { leader(members, &clients[0]) } else { None };
    let victim = victim.unwrap_or_else(|| random.random_range(0..members.len()));
    let is_killed: bool = random.random();
    let keys: Vec<String> = (0..keys).map(|number| format!("{seed}-{number}")).collect();
    let (history, begun, values) = (History::default(), Begun::default(), AtomicU32::new(1));
    thread::scope(|scope| {
        for number in 0..workers {
            let random = ChaCha8Rng::seed_from_u64(random.random());
            let client = &clients[number % clients.len()];
            let (history, begun, keys, values) = (&history, &begun, &keys, &values);
            scope.spawn(move || work(history, begun, client, keys, values, random));
        }
        let member = &mut members[victim];
        begun.wait_for(strike);
        if is_killed {
            member.kill();
        } else {
            member.pause();
        }
        begun.wait_for(heal);
        if is_killed { member.start_again() } else { member.go_on() }
    });
    members[victim].wait();
    (history, if is_killed { "killed" } else { "paused" })
}

#[test]
fn histories_through_three_servers_while_members_die_are_those_of_a_single_copy() {
    let count = std::env::var("LOGLADDER_HISTORIES")
        .map_or(HISTORIES, |count| count.parse().expect("LOGLADDER_HISTORIES is a number"));
    let mut members = servers::Server::cluster(3);
    let waits = ["--timeout", "1s", "--patience", "300ms"];
    let all: Vec<Server> = (0..3).map(|first| serve(&members, first, &waits)).collect();
    let clients: Vec<Client> = all.iter().map(client_of).collect();
    let (mut answered, mut unknown, mut not_done) = (0, 0, 0);
    let mut times = HashMap::from([("killed", 0), ("paused", 0)]);
    for seed in 0..count {
        let (history, how) = one_history(seed, &mut members, &clients);
        if let Err(why) = history.check() {
            panic!("seed {seed}, a member was {how}: {why}");
        }
        answered += history.count(|outcome| matches!(outcome, Outcome::Answered(_)));
        unknown += history.count(|outcome| matches!(outcome, Outcome::Unknown(_)));
        not_done += history.count(|outcome| matches!(outcome, Outcome::NotDone));
        *times.entry(how).or_default() += 1;
    }
    println!(
        "{count} histories (seeds 0 to {}), a member killed in {} and paused in {}: {answered} operations answered, {not_done} \
         refused, {unknown} of unknown outcome; every history is linearizable",
        count - 1,
        times["killed"],
        times["paused"]
    );
    assert!(answered > unknown + not_done, "most operations are answered");
}

/// The same check finds what is wrong if reads ask one member alone: it answers with what it has by now.
#[test]
fn what_a_member_that_is_behind_answers_by_itself_is_found_out() {
    const ROUNDS: u32 = 500;
    let members = servers::Server::cluster(3);
    let writer_at = serve(&members, 0, &[]);
    let writer = client_of(&writer_at);
    let leads = leader(&members, &writer).unwrap();
    let behind = (leads + 1) % members.len();
    // Patient: it waits for the member that stands still.
    let reader_at =
        serve(&members[behind..=behind], 0, &["--serializable", "--timeout", "20s", "--patience", "20s"]);
    let reader = client_of(&reader_at);
    let mut rounds = 0;
    let why = loop {
        rounds += 1;
        assert!(rounds < ROUNDS, "{ROUNDS} reads of a member that was behind, and none was stale");
        let key = format!("round-{rounds}");
        let history = History::default();
        history.record(&key, || writer.set(&key, 1));
        members[behind].pause();
        history.record(&key, || writer.set(&key, 2));
        // It finds the question and what the leader has sent meanwhile, and answers before it has done all of that.
        thread::scope(|scope| {
            scope.spawn(|| history.record(&key, || reader.get(&key)));
            members[behind].go_on();
        });
        if let Err(why) = history.check() {
            break why;
        }
    };
    println!("found in round {rounds}: {why}");
}

/// The checker itself, by histories whose verdict is known.
#[test]
fn the_checker_takes_what_a_single_copy_can_answer_and_nothing_else() {
    use Operation::{CompareAndSet, Delete, Get, Set};
    use Outcome::{Answered, NotDone, Unknown};
    let set = |value, version| Answered(Set { value, version: Some(version) });
    let get = |found| Answered(Get { found });
    let swap = |expected, value, was_equal| {
        Answered(CompareAndSet { expected, value, was_equal: Some(was_equal), version: None })
    };
    let lost = |value| Unknown(Set { value, version: None });
    // One after the other.
    let good: [&[Outcome]; 7] = [
        &[get(None), set(1, 1), get(Some((1, 1))), Answered(Delete), get(None), set(2, 3), get(Some((2, 3)))],
        &[swap(None, 1, true), swap(None, 2, false), swap(Some(1), 3, true), get(Some((3, 2)))],
        // A write of unknown outcome: done, never done, and done later.
        &[set(1, 1), lost(2), get(Some((2, 2)))],
        &[set(1, 1), lost(2), get(Some((1, 1))), set(3, 2)],
        &[set(1, 1), lost(2), get(Some((1, 1))), set(3, 2), get(Some((2, 3)))],
        &[set(1, 1), Unknown(Delete), get(None), set(2, 3)],
        &[NotDone, get(None), Answered(Delete), set(1, 1)],
    ];
    let bad: [(&str, &[Outcome]); 9] = [
        ("a stale read", &[set(1, 1), set(2, 2), get(Some((1, 1)))]),
        ("a lost write", &[set(1, 1), get(None)]),
        ("a write done twice", &[set(1, 1), set(2, 3)]),
        ("a delete undone", &[set(1, 1), Answered(Delete), get(Some((1, 1)))]),
        ("versions that restart", &[set(1, 1), Answered(Delete), set(2, 1)]),
        ("two that win", &[set(1, 1), swap(Some(1), 2, true), swap(Some(1), 3, true)]),
        ("a refusal for nothing", &[set(1, 1), swap(Some(1), 2, false)]),
        ("done, and refused", &[NotDone, get(Some((1, 1)))]),
        (
            "of unknown outcome, and done twice",
            &[set(1, 1), lost(2), get(Some((2, 2))), set(3, 3), get(Some((2, 4)))],
        ),
    ];
    let history_of = |outcomes: &[Outcome]| {
        let history = History::default();
        for outcome in outcomes {
            history.record("key", || *outcome);
        }
        history
    };
    for outcomes in good {
        assert_eq!(history_of(outcomes).check(), Ok(()), "{outcomes:?}");
    }
    for (what, outcomes) in bad {
        assert!(history_of(outcomes).check().is_err(), "{what} passes");
    }
    // At once: a read may see a write that has no answer yet, and no later one may miss it.
    let overlapping = |second: Outcome| {
        let history = History::default();
        history.record("key", || {
            history.record("key", || get(Some((1, 1))));
            history.record("key", || second);
            set(1, 1)
        });
        history
    };
    assert_eq!(overlapping(get(Some((1, 1)))).check(), Ok(()));
    assert!(overlapping(get(None)).check().is_err(), "seen, and then not");
}
