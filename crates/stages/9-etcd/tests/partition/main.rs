//! A network that falls in two: the leader is cut off from the others, and is not told.
//!
//! It needs network namespaces, so root and iproute2 on Linux. Ordinary runs show the test as ignored; `cargo xtask test`
//! runs it where it can be, and says where it cannot.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]
#![allow(clippy::print_stdout, reason = "what was seen is told to whoever runs it with --nocapture")]

mod network;
// It is shared with other tests, which use the rest of it.
#[path = "../servers/mod.rs"]
mod servers;

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use logladder_engine::{Atomic, Cluster, Engine, Error, History};
use logladder_etcd::{Etcd, Options, Reads};

use network::Network;
use servers::{Place, Server};

const SIZE: usize = 3;

/// How long the client on the wrong side waits for each answer.
const SHORT: Duration = Duration::from_millis(500);

/// How long anybody else does.
const LONG: Duration = Duration::from_secs(20);

fn cluster_on(network: &Network) -> Vec<Server> {
    let place = |number| Place {
        launcher: network.launcher(number),
        host: Network::host(number),
        ports: [2379, 2380],
    };
    let members = Server::cluster_in(&(0..SIZE).map(place).collect::<Vec<_>>(), 200, &[]);
    for (number, member) in members.iter().enumerate() {
        network.on(number, || member.wait());
    }
    members
}

/// A client on that machine, which asks its own member first, and then the others unless it is to stay alone.
fn client_on(network: &Network, members: &[Server], number: usize, options: Options, others: bool) -> Etcd {
    let count = if others { SIZE } else { 1 };
    let endpoints = (0..count).map(|other| members[(number + other) % SIZE].endpoint());
    let options = options.with_endpoints(endpoints);
    network.on(number, || Etcd::connect(options).unwrap())
}

/// The number of the member that says it leads, and of the election, as far as this client hears of any.
fn leader(client: &Etcd, members: &[Server]) -> Option<(usize, u64)> {
    let said = client.members().unwrap();
    let states = said.iter().filter_map(|member| Some((&member.endpoint, member.state.as_ref().ok()?)));
    let (endpoint, state) =
        states.filter(|(_, state)| state.is_leader()).max_by_key(|(_, state)| state.term)?;
    Some((members.iter().position(|member| member.endpoint() == endpoint)?, state.term))
}

/// All values that the key had.
fn values(client: &Etcd, key: &[u8]) -> Vec<Vec<u8>> {
    let mut values = Vec::new();
    client
        .versions(key, &mut |version| {
            values.extend(version.value.map(<[u8]>::to_vec));
            ControlFlow::Continue(())
        })
        .unwrap();
    values
}

#[test]
#[ignore = "needs root and network namespaces: `cargo xtask test` runs it where it can be"]
fn a_leader_that_is_cut_off_acknowledges_nothing_and_answers_no_read() {
    let network = Network::new(SIZE).unwrap();
    let members = cluster_on(&network);
    let patient = Options::default().with_timeout(LONG).with_patience(Duration::from_millis(300));
    let (old, old_term) = leader(&client_on(&network, &members, 0, patient.clone(), true), &members).unwrap();
    let other = (old + 1) % SIZE;
    // One that is cut off with the leader, and knows all addresses. The same, content with what that member has. And one on
    // the other side, which has asked the leader until now.
    let hasty = Options::default().with_timeout(SHORT).with_patience(Duration::from_millis(200));
    let cut_off = client_on(&network, &members, old, hasty.clone(), true);
    let content = hasty.with_reads(Reads::Serializable);
    let content = client_on(&network, &members, old, content, false);
    let majority = patient
        .clone()
        .with_endpoints([old, other, (old + 2) % SIZE].map(|number| members[number].endpoint().to_owned()));
    let majority = network.on(other, || Etcd::connect(majority).unwrap());
    majority.set(b"key", b"before").unwrap();
    assert_eq!(cut_off.get(b"key").unwrap().unwrap(), b"before");

    network.cut_off(old);
    // At once, while the old leader does not know yet, and long after that.
    let mut refused: Vec<Vec<u8>> = Vec::new();
    let (mut acknowledged, mut unknown) = (0, 0);
    let mut last = None;
    let begun = Instant::now();
    let mut new_leader = None;
    let mut stepped_down = false;
    let mut round = 0_u32;
    while round < 4 || new_leader.is_none() || !stepped_down || last.is_none() {
        assert!(begun.elapsed() < LONG, "no leader on the side of the majority, or two: {new_leader:?}");
        round += 1;
        let value = format!("from the wrong side {round}").into_bytes();
        match cut_off.set(b"key", &value) {
            Err(Error::OutcomeUnknown { .. }) => {}
            Err(Error::NoQuorum { .. }) => refused.push(value),
            outcome => panic!("a write where there is no majority: {outcome:?}"),
        }
        let outcome = cut_off.compare_and_set(b"key", Some(b"before"), Some(b"swapped there"));
        assert!(
            matches!(outcome, Err(Error::OutcomeUnknown { .. } | Error::NoQuorum { .. })),
            "a comparison where there is no majority: {outcome:?}"
        );
        let outcome = cut_off.get(b"key");
        assert!(
            matches!(outcome, Err(Error::NoQuorum { .. })),
            "a read where there is no majority: {outcome:?}"
        );
        // The other side goes on. What its client had sent to the old leader by then, nobody knows.
        let value = format!("after {round}").into_bytes();
        match majority.set(b"key", &value) {
            Ok(()) => (acknowledged, last) = (acknowledged + 1, Some(value)),
            Err(Error::OutcomeUnknown { .. }) => (unknown, last) = (unknown + 1, None),
            Err(error) => panic!("the side of the majority: {error}"),
        }
        if let Some((number, term)) = leader(&majority, &members) {
            assert!(number != old && term > old_term, "member {number} leads by election {term}");
            new_leader = Some((number, term));
        }
        // The old one may take itself for the leader for a while: nobody listens to it.
        match leader(&cut_off, &members) {
            Some(found) => assert!(found == (old, old_term), "another leader on that side: {found:?}"),
            None => stepped_down = true,
        }
    }
    assert!(acknowledged >= 2, "{acknowledged} writes on the side of the majority");
    assert_eq!(majority.get(b"key").unwrap(), last);
    // That the old state is still there to be read shows that the refusals above are no accident.
    assert_eq!(content.get(b"key").unwrap().unwrap(), b"before");
    assert_eq!(values(&content, b"key"), [b"before"]);
    assert!(cut_off.get(b"key").is_err());

    network.plug_in(old).unwrap();
    let all: Vec<Vec<Vec<u8>>> = (0..SIZE)
        .map(|number| {
            let client = client_on(&network, &members, number, patient.clone(), false);
            values(&client, b"key")
        })
        .collect();
    assert!(all.iter().all(|values| *values == all[0]), "they do not agree: {all:?}");
    for value in &refused {
        assert!(!all[0].contains(value), "{} was refused, and done", value.escape_ascii());
    }
    let done = all[0].iter().filter(|value| value.starts_with(b"after")).count();
    assert!(
        (acknowledged..=acknowledged + unknown).contains(&done),
        "{done} of {acknowledged} and {unknown} writes"
    );
    drop(members);
    println!(
        "cut off for {:?}: {round} writes, comparisons and reads failed there, {acknowledged} writes went on elsewhere; all \
         agree afterwards",
        begun.elapsed()
    );
}
