use std::time::Duration;

use crate::{
    MessageStatus,
    store::{Failure, FailureKind, SettledAs},
};

/// How many messages, ids and accounts a history is about.
pub(super) const MESSAGES: u64 = 10;
pub(super) const IDS: u8 = 4;
pub(super) const ACCOUNTS: u64 = 3;

/// One step of a history. What it refers to may not be there: any part of a
/// history is a history.
#[derive(Debug, Clone)]
pub(super) enum Op {
    Record(Vec<Record>),
    Confirm(Vec<Confirm>),
    /// `small` is the bound of account 0; that of the others is 2.
    Lease {
        limit: usize,
        small: usize,
    },
    /// Leases, as places in the list of all that were ever taken, modulo its
    /// length.
    Settle(Vec<(usize, SettledAs)>),
    Expire {
        limit: usize,
    },
    Forget(Vec<Forget>),
    Resend(Vec<u64>),
    Status(Vec<Status>),
    Advance {
        millis: u64,
    },
    StepBack {
        millis: u64,
    },
    /// To when something is due or over, or to the millisecond before: of all
    /// such times that are still to come, the one at this place, modulo their
    /// number.
    ToAnEdge {
        at: usize,
        before: bool,
    },
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Record {
    pub(super) n: u64,
    pub(super) id: u8,
    /// Seconds from now until it is sent.
    pub(super) sent_in: u64,
    /// Seconds from now until it is over.
    pub(super) lives: u64,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Confirm {
    Newest { id: u8, previous: Option<u8> },
    All { id: u8, previous: Option<u8> },
    Message(Record),
    Recorded { n: u64, id: u8 },
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Status {
    pub(super) n: u64,
    /// Whether the message's own account says so.
    pub(super) is_own: bool,
    pub(super) status: MessageStatus,
    pub(super) error_code: Option<u32>,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Forget {
    Id { id: u8, previous: Option<u8> },
    Message(u64),
}

impl Op {
    /// The same without one item of its batch; `None` if it has no such item.
    pub(super) fn without(&self, item: usize) -> Option<Self> {
        fn shorter<T: Clone>(batch: &[T], item: usize) -> Option<Vec<T>> {
            let mut batch = batch.to_vec();
            (item < batch.len()).then(|| batch.remove(item))?;
            Some(batch)
        }
        match self {
            Self::Record(batch) => shorter(batch, item).map(Self::Record),
            Self::Confirm(batch) => shorter(batch, item).map(Self::Confirm),
            Self::Settle(batch) => shorter(batch, item).map(Self::Settle),
            Self::Forget(batch) => shorter(batch, item).map(Self::Forget),
            Self::Resend(batch) => shorter(batch, item).map(Self::Resend),
            Self::Status(batch) => shorter(batch, item).map(Self::Status),
            Self::Lease { .. }
            | Self::Expire { .. }
            | Self::Advance { .. }
            | Self::StepBack { .. }
            | Self::ToAnEdge { .. } => None,
        }
    }
}

/// The history of that seed. At the bounds its batches have one item, so that
/// what each of them does can be seen.
pub(super) fn history(seed: u64, length: usize, batch: usize, step_back: bool) -> Vec<Op> {
    let mut dice = fastrand::Rng::with_seed(seed);
    (0..length).map(|_| op(&mut dice, batch, step_back)).collect()
}

fn op(dice: &mut fastrand::Rng, batch: usize, step_back: bool) -> Op {
    match dice.u8(0..38) {
        0..=6 => Op::Record(several(dice, batch, record)),
        7..=12 => Op::Confirm(several(dice, batch, confirm)),
        13..=17 => Op::Lease { limit: dice.usize(0..6), small: dice.usize(0..3) },
        18..=22 => Op::Settle(several(dice, batch, |dice| (dice.usize(..), settled_as(dice)))),
        23 | 24 => Op::Expire { limit: dice.usize(0..4) },
        25 => Op::Forget(several(dice, batch, |dice| match dice.bool() {
            true => Forget::Message(dice.u64(0..MESSAGES)),
            false => Forget::Id { id: dice.u8(0..IDS), previous: previous(dice) },
        })),
        26 | 27 => Op::Resend(several(dice, batch, |dice| dice.u64(0..MESSAGES))),
        28 if step_back => Op::StepBack { millis: dice.u64(0..10_000) },
        29 => Op::Advance { millis: dice.u64(0..400_000) },
        30 => Op::Advance { millis: dice.u64(0..20) * 1000 },
        31..=34 => Op::Status(several(dice, batch, status)),
        _ => Op::ToAnEdge { at: dice.usize(..), before: dice.bool() },
    }
}

fn status(dice: &mut fastrand::Rng) -> Status {
    use MessageStatus::{Delivered, Failed, Queued, Sent, Undelivered};
    Status {
        n: dice.u64(0..MESSAGES),
        is_own: dice.u8(0..8) > 0,
        status: [Queued, Sent, Failed, Undelivered, Delivered][dice.usize(0..5)],
        error_code: dice.bool().then(|| dice.u32(1..100)),
    }
}

fn several<T>(
    dice: &mut fastrand::Rng,
    most: usize,
    one: impl Fn(&mut fastrand::Rng) -> T,
) -> Vec<T> {
    (0..dice.usize(1..=most)).map(|_| one(dice)).collect()
}

fn record(dice: &mut fastrand::Rng) -> Record {
    let sent_in = match dice.u8(0..3) {
        0 => dice.u64(0..50),
        1 => dice.u64(55..65),
        _ => dice.u64(3000..4000),
    };
    Record { n: dice.u64(0..MESSAGES), id: dice.u8(0..IDS), sent_in, lives: dice.u64(1..900) }
}

fn previous(dice: &mut fastrand::Rng) -> Option<u8> {
    dice.bool().then(|| dice.u8(0..IDS))
}

fn confirm(dice: &mut fastrand::Rng) -> Confirm {
    match dice.u8(0..8) {
        0 | 1 => Confirm::All { id: dice.u8(0..IDS), previous: previous(dice) },
        2 => Confirm::Message(record(dice)),
        3 => Confirm::Recorded { n: dice.u64(0..MESSAGES), id: dice.u8(0..IDS) },
        _ => Confirm::Newest { id: dice.u8(0..IDS), previous: previous(dice) },
    }
}

fn settled_as(dice: &mut fastrand::Rng) -> SettledAs {
    match dice.u8(0..4) {
        0 => SettledAs::Delivered,
        1 | 2 => SettledAs::Dead(Failure::new(
            FailureKind::NotFound,
            Some(404),
            dice.bool().then_some(20404),
        )),
        _ => SettledAs::Retry(Duration::from_millis(dice.u64(0..200_000))),
    }
}
