//! Stage 1 keeps the contract.

use logladder_contract::Subject;
use logladder_memory::{Memory, Options};

fn subject() -> Subject {
    Subject::of::<Memory>(Options::default())
}

logladder_contract::contract!(subject);
