//! Stage 3 keeps the contract.

use logladder_contract::Subject;
use logladder_disk::sabotage::Rule;
use logladder_file_per_key::{FilePerKey, Options};

fn subject() -> Subject {
    Subject::of::<FilePerKey>(Options::default()).rules(&[Rule::ChecksumCheck])
}

logladder_contract::contract!(subject);
