//! What is told when members die, are paused, or are asked for too much; and that nothing is written twice.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod servers;

use std::thread;
use std::time::Duration;

use logladder_engine::{Atomic, Batch, Changes, Cluster, Engine, Error, History};
use logladder_etcd::{Etcd, Options, Reads};

use servers::Server;

/// How long the tests wait for something that will not come.
const SHORT: Duration = Duration::from_millis(700);

fn options(servers: &[Server]) -> Options {
    Options::default().with_endpoints(servers.iter().map(Server::endpoint))
}

/// How often the key was written.
fn versions(store: &Etcd, key: &[u8]) -> u64 {
    let mut newest = 0;
    store
        .versions(key, &mut |version| {
            newest = version.number;
            std::ops::ControlFlow::Break(())
        })
        .unwrap();
    newest
}

#[test]
fn a_write_without_an_answer_is_told_as_unknown_and_never_done_twice() {
    let server = Server::alone();
    let store = Etcd::connect(options(std::slice::from_ref(&server)).with_timeout(SHORT)).unwrap();
    store.set(b"key", b"before").unwrap();
    server.pause();
    let mut batch = Batch::new();
    batch.set(b"key", b"during");
    let outcomes = [
        store.set(b"key", b"during"),
        store.write(&batch),
        store.compare_and_set(b"key", Some(b"never"), None).map(drop),
        store.delete(b"never"),
    ];
    for outcome in outcomes {
        assert!(matches!(outcome, Err(Error::OutcomeUnknown { .. })), "{outcome:?}");
    }
    // A read changes nothing, so that it failed is all there is to know.
    assert!(matches!(store.get(b"key"), Err(Error::NoQuorum { .. })));
    assert!(matches!(store.position(), Err(Error::NoQuorum { .. })));
    server.go_on();
    let patient = Etcd::connect(options(std::slice::from_ref(&server))).unwrap();
    patient.set(b"key", b"after").unwrap();
    // Done or not, each of the two at most once.
    assert!((2..=4).contains(&versions(&patient, b"key")), "{} writes", versions(&patient, b"key"));
    assert_eq!(patient.get(b"key").unwrap().unwrap(), b"after");
}

#[test]
fn a_server_that_is_gone_is_told_at_the_deadline_and_found_when_it_is_back() {
    let mut servers = vec![Server::alone()];
    let store = Etcd::connect(options(&servers).with_timeout(SHORT)).unwrap();
    store.set(b"key", b"before").unwrap();
    servers[0].kill();
    // The connection breaks at the first attempt, if nobody has noticed before; the next ones find nobody.
    let first = store.set(b"key", b"lost");
    assert!(matches!(first, Err(Error::NoQuorum { .. } | Error::OutcomeUnknown { .. })), "{first:?}");
    for _ in 0..3 {
        let outcome = store.set(b"key", b"lost");
        assert!(matches!(outcome, Err(Error::NoQuorum { .. })), "{outcome:?}");
        assert!(matches!(store.get(b"key"), Err(Error::NoQuorum { .. })));
    }
    let nobody = Etcd::connect(options(&servers).with_timeout(SHORT));
    assert!(matches!(nobody, Err(Error::NoQuorum { .. })), "{nobody:?}");
    servers[0].start_again();
    let patient = Etcd::connect(options(&servers).with_timeout(Duration::from_secs(20))).unwrap();
    assert_eq!(patient.get(b"key").unwrap().unwrap(), b"before");
    // The one that was open before has found it too.
    store.set(b"key", b"again").unwrap();
    assert_eq!(store.get(b"key").unwrap().unwrap(), b"again");
}

#[test]
fn with_one_of_three_lost_everything_goes_on_and_with_two_nothing_is_done() {
    let mut servers = Server::cluster(3);
    let options =
        options(&servers).with_timeout(Duration::from_secs(10)).with_patience(Duration::from_millis(300));
    let store = Etcd::connect(options.clone()).unwrap();
    let leaders =
        store.members().unwrap().iter().filter(|member| member.state.as_ref().unwrap().is_leader()).count();
    assert_eq!(leaders, 1, "{:?}", store.members());
    let start = store.position().unwrap();
    // Numbered writes, and each member killed in turn in between, whichever is the leader.
    let mut acknowledged = Vec::new();
    let mut unknown = Vec::new();
    for (lost, server) in servers.iter_mut().enumerate() {
        for number in 0..30_u64 {
            if number == 10 {
                server.kill();
            }
            let key = format!("{lost} {number}");
            match store.set(key.as_bytes(), b"value") {
                Ok(()) => acknowledged.push(key),
                Err(Error::OutcomeUnknown { .. }) => unknown.push(key),
                Err(error) => panic!("{error}"),
            }
        }
        server.start_again();
        // It takes part again before the next one goes.
        let it = Etcd::connect(options.clone().with_endpoints([server.endpoint()])).unwrap();
        it.set(b"is it back", b"yes").unwrap();
    }
    assert!(unknown.len() <= 3, "each kill costs the writes under way: {unknown:?}");
    for key in &acknowledged {
        assert!(store.get(key.as_bytes()).unwrap().is_some(), "{key} was acknowledged and is gone");
    }
    // Nothing was written twice, and whoever follows sees each once, through all of that.
    let mut seen = Vec::new();
    store
        .changes(start, &mut |change| {
            seen.push(String::from_utf8(change.key.to_vec()).unwrap());
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
    for key in &acknowledged {
        assert_eq!(seen.iter().filter(|seen| *seen == key).count(), 1, "{key}");
    }
    for key in &unknown {
        assert!(seen.iter().filter(|seen| *seen == key).count() <= 1, "{key}");
    }

    let short = options.with_timeout(Duration::from_millis(1_500));
    let hasty = Etcd::connect(short.clone()).unwrap();
    servers[0].kill();
    servers[1].kill();
    // Until the one that is left knows that it is alone, a write may have no answer.
    let outcome = hasty.set(b"key", b"lost");
    assert!(matches!(outcome, Err(Error::NoQuorum { .. } | Error::OutcomeUnknown { .. })), "{outcome:?}");
    let outcome = hasty.set(b"key", b"lost");
    assert!(matches!(outcome, Err(Error::NoQuorum { .. })), "{outcome:?}");
    assert!(matches!(hasty.get(b"key"), Err(Error::NoQuorum { .. })));
    let alone = Etcd::connect(short.with_endpoints([servers[2].endpoint()]));
    assert!(matches!(alone, Err(Error::NoQuorum { .. })), "{alone:?}");
    let said = hasty.members().unwrap();
    assert!(said[0].state.is_err() && said[1].state.is_err(), "{said:?}");
    assert!(
        said[2].state.as_ref().is_ok_and(|state| state.leader.is_none()) || said[2].state.is_err(),
        "{said:?}"
    );

    servers[0].start_again();
    store.set(b"key", b"found").unwrap();
    assert_eq!(store.get(b"key").unwrap().unwrap(), b"found");
}

#[test]
fn a_serializable_read_is_answered_by_a_member_that_is_alone() {
    let mut servers = Server::cluster(3);
    let options = options(&servers).with_timeout(Duration::from_secs(10));
    let sure = Etcd::connect(options.clone()).unwrap();
    let local = options.clone().with_reads(Reads::Serializable).with_timeout(Duration::from_millis(1_500));
    let local = Etcd::connect(local).unwrap();
    sure.set(b"key", b"value").unwrap();
    servers[1].kill();
    servers[2].kill();
    // Also once it knows that it is alone.
    while local.members().unwrap()[0].state.as_ref().is_ok_and(|state| state.leader.is_some()) {
        thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(local.get(b"key").unwrap().unwrap(), b"value");
    assert_eq!(versions(&local, b"key"), 1);
    let refused = Etcd::connect(options.with_timeout(SHORT));
    assert!(matches!(refused, Err(Error::NoQuorum { .. })), "{refused:?}");
    let outcome = local.compare_and_set(b"key", None, None);
    assert!(outcome.is_err(), "what decides is never read from one member alone: {outcome:?}");
}

#[test]
fn members_that_are_not_there_are_passed_over() {
    let server = Server::alone();
    // Nobody listens at the first port of this machine.
    let endpoints = ["http://127.0.0.1:1", server.endpoint(), "http://127.0.0.1:2"];
    let store = Etcd::connect(Options::default().with_endpoints(endpoints)).unwrap();
    for number in 0..20_u8 {
        store.set(&[number], b"value").unwrap();
        assert_eq!(store.get(&[number]).unwrap().unwrap(), b"value");
    }
}

#[test]
fn endpoints_and_prefixes_that_make_no_sense_are_refused() {
    for options in [
        Options::default().with_endpoints(Vec::<String>::new()),
        Options::default().with_endpoints(["not a place"]),
        Options::default().with_endpoints(["http://127.0.0.1:2379", ""]),
        Options::default().with_endpoints(["http://127.0.0.1:99999"]),
        Options::default().with_endpoints(["http://127.0.0.1:2379/v3"]),
    ] {
        let refused = Etcd::connect(options);
        assert!(matches!(refused, Err(Error::Cluster { .. })), "{refused:?}");
    }
    let refused = Etcd::connect(Options::default().with_endpoints(["https://127.0.0.1:2379"])).unwrap_err();
    assert!(refused.to_string().contains("does not speak"), "{refused}");
    let refused = Etcd::connect(Options::default().with_prefix("a:b"));
    assert!(matches!(refused, Err(Error::InvalidKey { .. })), "{refused:?}");
}

#[test]
fn the_longest_value_is_taken_and_one_byte_more_is_refused_before_it_is_sent() {
    let server = Server::alone();
    let store = Etcd::connect(options(std::slice::from_ref(&server))).unwrap();
    let Err(Error::TooLarge { limit, .. }) = store.set(b"key", &vec![0; 2 << 20]) else { panic!("2 MiB") };
    let limit = usize::try_from(limit).unwrap();
    assert!(limit > 1_500_000, "the limit is {limit}");
    let longest = vec![7; limit];
    store.set(b"key", &longest).unwrap();
    assert_eq!(store.get(b"key").unwrap().unwrap(), longest);
    assert!(matches!(store.set(b"key", &vec![0; limit + 1]), Err(Error::TooLarge { .. })));
    // Two such values do not fit into one request, and the comparison is made all the same.
    let other = vec![8; limit];
    assert!(!store.compare_and_set(b"key", Some(&other), Some(&other)).unwrap());
    assert!(store.compare_and_set(b"key", Some(&longest), Some(&other)).unwrap());
    assert!(!store.compare_and_set(b"key", Some(&vec![0; 2 << 20]), Some(b"")).unwrap());
    assert!(store.compare_and_set(b"new", None, Some(&other)).unwrap());
    assert_eq!((versions(&store, b"key"), versions(&store, b"new")), (2, 1));
    let mut batch = Batch::new();
    for number in 0..200_000_u32 {
        batch.set(&number.to_be_bytes(), b"");
    }
    assert!(matches!(store.write(&batch), Err(Error::TooLarge { what: "the batch", .. })));
}

/// What a member itself finds too long, where the options promise more than it takes.
#[test]
fn a_request_that_the_member_finds_too_long_is_refused_and_changes_nothing() {
    let server = Server::alone();
    let store =
        Etcd::connect(options(std::slice::from_ref(&server)).with_max_request_bytes(64 << 20)).unwrap();
    store.set(b"key", b"value").unwrap();
    for len in [1_600_000, 10 << 20] {
        let outcome = store.set(b"key", &vec![0; len]);
        assert!(matches!(outcome, Err(Error::Cluster { .. })), "{outcome:?}");
        assert_eq!(store.get(b"key").unwrap().unwrap(), b"value");
    }
}

#[test]
fn members_that_ask_for_a_name_and_a_password_are_told_as_that_and_not_asked_on() {
    let server = Server::alone();
    let options = options(std::slice::from_ref(&server));
    let store = Etcd::connect(options.clone()).unwrap();
    store.set(b"key", b"before").unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut client = etcd_client::Client::connect([server.endpoint()], None).await.unwrap();
        client.role_add("root").await.unwrap();
        client.user_add("root", "secret", None).await.unwrap();
        client.user_grant_role("root", "root").await.unwrap();
        client.auth_enable().await.unwrap();
    });
    let mut batch = Batch::new();
    batch.set(b"key", b"after");
    let outcomes = [
        store.get(b"key").map(drop),
        store.set(b"key", b"after"),
        store.write(&batch),
        store.delete(b"key"),
        store.position().map(drop),
        Etcd::connect(options).map(drop),
    ];
    for outcome in outcomes {
        match outcome {
            Err(Error::NotLetIn { why }) => assert!(why.contains("a name and a password"), "{why}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn it_can_be_used_and_dropped_on_the_threads_of_another_runtime() {
    let server = Server::alone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = Etcd::connect(options(std::slice::from_ref(&server))).unwrap();
        store.set(b"key", b"value").unwrap();
        assert_eq!(store.get(b"key").unwrap().unwrap(), b"value");
        drop(store);
    });
}

#[test]
fn calls_that_wait_for_a_member_do_not_keep_others_waiting() {
    let server = Server::alone();
    let store = Etcd::connect(options(std::slice::from_ref(&server))).unwrap();
    thread::scope(|scope| {
        for thread in 0..32_u8 {
            let store = &store;
            scope.spawn(move || {
                for round in 0..20_u8 {
                    store.set(&[thread], &[round]).unwrap();
                    assert_eq!(store.get(&[thread]).unwrap().unwrap(), [round]);
                }
            });
        }
    });
    assert_eq!(store.position().unwrap().sequence, 640);
}
