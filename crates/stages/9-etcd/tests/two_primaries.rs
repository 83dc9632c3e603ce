//! The scenarios that break a primary with replicas, on three members of etcd: the leader's process is stopped by a signal,
//! and goes on, and the same judge finds nothing.
//!
//! What is seen is compared with the files in `tests/two_primaries`, which the book shows; `UPDATE_GOLDENFILES=1` writes them
//! anew. The times in them are those of the scenario; the real one goes as fast as it goes.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]
#![allow(clippy::print_stdout, reason = "the traces are there to be read")]

mod servers;

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use logladder_disk::{RealDisk, replace};
use logladder_engine::{Cluster, Engine, Error, History as _, SyncPolicy};
use logladder_etcd::{Etcd, Options};
use logladder_two_primaries::trace::State;
use logladder_two_primaries::{
    Action, Claim, Found, History, Kind, Millis, Outcome, Row, Scenario, To, Trace, Write, name_of, scenarios,
};

use servers::Server;

/// How long a member may take to elect, to step down, to come back.
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn a_paused_leader_is_never_one_of_two_and_no_acknowledged_write_is_lost() {
    for scenario in scenarios() {
        let trace = replay(&scenario);
        println!("{}\n{}", scenario.name, trace.text());
        assert_eq!(trace.verdict(), [], "{}", trace.text());
        let all_done = trace.history.writes.iter().all(|write| write.acknowledged_at().is_some());
        assert!(all_done, "what is not done cannot be lost: {}", trace.text());
        compare(&scenario.name, &trace.text());
    }
}

/// An election that nobody caused, since the machine stood still for a second: the scenario begins again.
#[derive(Debug)]
struct Disturbed;

fn replay(scenario: &Scenario) -> Trace {
    for _ in 0..5 {
        if let Ok(trace) = Replay::of(scenario) {
            return trace;
        }
    }
    panic!("this machine is too slow: the leader changed without a cause five times");
}

fn compare(name: &str, text: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/two_primaries");
    let path = folder.join(format!("{name}.txt"));
    if std::env::var_os("UPDATE_GOLDENFILES").is_some() {
        replace(&*RealDisk::shared(), &path, &[text.as_bytes()], SyncPolicy::Never).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, kept, "{} has changed: UPDATE_GOLDENFILES=1 writes it anew", path.display());
}

/// A cluster, and what is seen of it. The members are numbered as in the scenario: 0 is the first leader, and 1 the one
/// that is elected when 0 is gone. Until then 1 and 2 are alike.
struct Replay {
    servers: Vec<Server>,
    /// A store for each server, which knows of that one alone.
    stores: Vec<Etcd>,
    first: Condition,
    leader: usize,
    keys: BTreeSet<String>,
    history: History,
    rows: Vec<Row>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Condition {
    Runs,
    Paused,
    Dead,
}

impl Replay {
    fn of(scenario: &Scenario) -> Result<Trace, Disturbed> {
        let mut servers = Server::unhurried_cluster(3);
        let mut stores: Vec<Etcd> = servers.iter().map(connect).collect();
        let leader = stores.iter().position(|store| claim(store).is_some()).ok_or(Disturbed)?;
        servers.swap(0, leader);
        stores.swap(0, leader);
        let mut replay = Self {
            servers,
            stores,
            first: Condition::Runs,
            leader: 0,
            keys: BTreeSet::new(),
            history: History::default(),
            rows: Vec::new(),
        };
        for step in &scenario.steps {
            replay.sample(step.at);
            let (kind, who, text) = replay.step(step.at, &step.action);
            replay.settle(step.at)?;
            replay.rows.push(Row { at: step.at, kind, who: who.to_owned(), text, states: replay.states() });
            if matches!(step.action, Action::Pause | Action::Kill) {
                replay.elect(step.at)?;
            }
        }
        replay.sample(scenario.end);
        for server in replay.running() {
            let ask = |key: &String| Found { server, key: key.clone(), value: replay.get(server, key) };
            let found: Vec<Found> = replay.keys.iter().map(ask).collect();
            replay.history.found.extend(found);
        }
        Ok(Trace::new(scenario, replay.rows, replay.history))
    }

    fn step(&mut self, at: Millis, action: &Action) -> (Kind, &'static str, String) {
        let first = name_of(0);
        let text = match action {
            Action::Write { to, key, value } => {
                let server = match to {
                    To::First => 0,
                    To::Current => self.leader,
                };
                return (Kind::Client, "client", self.write(at, server, key, value.as_deref()));
            }
            Action::Pause => {
                self.servers[0].pause();
                self.first = Condition::Paused;
                format!("{first} is paused")
            }
            Action::GoOn => {
                self.servers[0].go_on();
                self.first = Condition::Runs;
                // Here there could be two, until the old one knows. What it answers first must not be what it knew before.
                assert_eq!(self.holds(0), self.holds(1), "the old leader answers from before its sleep");
                self.until(|replay| {
                    replay.sample(at);
                    claim(&replay.stores[0]).is_none()
                });
                format!("{first} goes on, and hears of the election")
            }
            Action::Kill => {
                self.servers[0].kill();
                self.first = Condition::Dead;
                format!("{first} is killed")
            }
            Action::StartAgain => {
                self.servers[0].kill();
                self.servers[0].start_again();
                self.servers[0].wait();
                self.first = Condition::Runs;
                format!("{first} is started again")
            }
        };
        (Kind::Fault, "world", text)
    }

    fn write(&mut self, at: Millis, server: usize, key: &str, value: Option<&str>) -> String {
        self.keys.insert(key.to_owned());
        let store = &self.stores[server];
        let (told, words) = match value {
            Some(value) => (store.set(key.as_bytes(), value.as_bytes()), format!("set {key}={value}")),
            None => (store.delete(key.as_bytes()), format!("delete {key}")),
        };
        let version = version_of(store, key);
        let (outcome, told) = match told {
            Ok(()) => (
                Outcome::Acknowledged { at: at + 1, version: Some(version) },
                format!("done, version {version}"),
            ),
            Err(Error::OutcomeUnknown { .. }) => (Outcome::Unknown, "no answer".to_owned()),
            Err(error) => (Outcome::Refused, error.to_string()),
        };
        let (key, value) = (key.to_owned(), value.map(str::to_owned));
        self.history.writes.push(Write { key, value, server, asked: at, outcome });
        format!("{words}, at {}: {told}", name_of(server))
    }

    /// After the leader is gone: until another one answers, who is then called 1.
    fn elect(&mut self, at: Millis) -> Result<(), Disturbed> {
        // Such a read is answered by a member that has asked the leader how far the log goes.
        self.get(1, "");
        self.get(2, "");
        if claim(&self.stores[2]).is_some() {
            self.servers.swap(1, 2);
            self.stores.swap(1, 2);
        }
        self.leader = 1;
        self.settle(at)?;
        let (kind, who) = (Kind::Server, format!("{}, {}", name_of(1), name_of(2)));
        let text = format!("elect {}", name_of(1));
        self.rows.push(Row { at, kind, who, text, states: self.states() });
        Ok(())
    }

    /// Until each that runs has heard of the leader; an error if it is another one than it should be.
    fn settle(&mut self, at: Millis) -> Result<(), Disturbed> {
        if self.leader == 0 && self.first != Condition::Runs {
            return Ok(());
        }
        for server in self.running() {
            self.get(server, "");
        }
        self.sample(at);
        let leads = |server: &usize| claim(&self.stores[*server]).is_some();
        if self.running().into_iter().filter(leads).eq([self.leader]) { Ok(()) } else { Err(Disturbed) }
    }

    /// Asks each that runs whether it takes itself for the leader.
    fn sample(&mut self, at: Millis) {
        for server in self.running() {
            if let Some(election) = claim(&self.stores[server]) {
                self.history.claims.push(Claim { server, election, from: at, until: at + 1 });
            }
        }
    }

    fn states(&self) -> Vec<State> {
        let state = |server| match (server, self.first) {
            (0, Condition::Paused) => State { role: "paused", holds: String::new() },
            (0, Condition::Dead) => State { role: "dead", holds: String::new() },
            // With no leader yet, who is asked can say nothing.
            _ if self.leader == 0 && self.first != Condition::Runs => {
                State { role: "waits", holds: String::new() }
            }
            _ => State {
                role: if server == self.leader { "LEADER" } else { "member" },
                holds: self.holds(server),
            },
        };
        (0..self.servers.len()).map(state).collect()
    }

    fn holds(&self, server: usize) -> String {
        let text = |key: &String| {
            let value = self.get(server, key);
            format!("{key}={}·{}", value.as_deref().unwrap_or("∅"), version_of(&self.stores[server], key))
        };
        self.keys.iter().map(text).collect::<Vec<_>>().join(" ")
    }

    fn running(&self) -> Vec<usize> {
        (0..self.servers.len()).filter(|server| *server != 0 || self.first == Condition::Runs).collect()
    }

    /// The linearizable answer of this member.
    fn get(&self, server: usize, key: &str) -> Option<String> {
        let value = self.stores[server].get(key.as_bytes()).unwrap();
        value.map(|value| String::from_utf8(value).unwrap())
    }

    fn until(&mut self, mut holds: impl FnMut(&mut Self) -> bool) {
        let begun = Instant::now();
        while !holds(self) {
            assert!(begun.elapsed() < PATIENCE, "it does not hear of the election");
        }
    }
}

fn connect(server: &Server) -> Etcd {
    Etcd::connect(Options::default().with_endpoints([server.endpoint()]).with_timeout(PATIENCE)).unwrap()
}

/// The number of the election by which this member takes itself for the leader, if it does.
fn claim(store: &Etcd) -> Option<u64> {
    let members = store.members().unwrap();
    let state = members[0].state.as_ref().ok()?;
    state.is_leader().then_some(state.term)
}

fn version_of(store: &Etcd, key: &str) -> u64 {
    let mut newest = 0;
    store
        .versions(key.as_bytes(), &mut |version| {
            newest = version.number;
            ControlFlow::Break(())
        })
        .unwrap();
    newest
}
