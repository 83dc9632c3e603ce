//! The engines of the museum keep the contract, where nothing is wrong with them.

use logladder_contract::Subject;
use logladder_engine::SyncPolicy;
use logladder_museum::{Bug, Late, Museum, Options};

mod synced {
    fn subject() -> super::Subject {
        super::Subject::of::<super::Museum>(super::Options::default())
    }
    logladder_contract::contract!(subject);
}

mod unsynced {
    fn subject() -> super::Subject {
        let options = super::Options { sync: super::SyncPolicy::Never, ..super::Options::default() };
        super::Subject::of::<super::Museum>(options)
    }
    logladder_contract::contract!(subject);
}

mod that_writes_later {
    fn subject() -> super::Subject {
        super::Subject::of::<super::Late>(super::Bug::None)
    }
    logladder_contract::contract!(subject);
}
