//! The thread that asks the leader how far its log goes, so that the copy can say how far behind it is.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::engine::Shared;
use crate::leader::agent;

/// The time between two looks: a copy that has everything says that it is as old as that.
const INTERVAL: Duration = Duration::from_millis(100);

/// The same while the leader does not answer.
const PAUSE: Duration = Duration::from_secs(1);

pub(crate) fn run(shared: &Arc<Shared>) {
    let agent = agent();
    while !shared.is_over() {
        // Before the question: what was acknowledged until then is in the answer.
        let when = Instant::now();
        let pause = match shared.leader.position(&agent) {
            Ok(position) => {
                shared.progress.leader_has(position.sequence, when);
                INTERVAL
            }
            // Whoever follows the changes says what is wrong.
            Err(_) => PAUSE,
        };
        thread::park_timeout(pause);
    }
}
