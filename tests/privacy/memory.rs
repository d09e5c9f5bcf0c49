//! The store in memory, and a store that fails on command.

use std::time::Duration;

use crate::{
    direct::Trouble,
    run::{everything, site},
    support::{Mode, Op, SwitchStore},
};

struct Switched(SwitchStore);

const ALL: [Op; 14] = [
    Op::Record,
    Op::Confirm,
    Op::Lease,
    Op::Settle,
    Op::Expire,
    Op::Forget,
    Op::Lookup,
    Op::DeadLetters,
    Op::Resend,
    Op::Status,
    Op::Notes,
    Op::AddRollups,
    Op::Rollups,
    Op::Counts,
];

impl Trouble for Switched {
    async fn begin(&self) {
        ALL.iter().for_each(|op| self.0.set(*op, Mode::Fails));
    }

    async fn end(&self) {
        ALL.iter().for_each(|op| self.0.set(*op, Mode::Works));
    }
}

#[tokio::test]
async fn in_memory() {
    let site = site().await;
    let store = SwitchStore::new(&site.time);
    let (app, _) = everything(site, store.clone(), &Switched(store)).await;
    app.world.feedback.shutdown(Duration::from_secs(5)).await;
}
