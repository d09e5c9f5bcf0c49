use super::{expiry::Place, shards::IsEmpty};
use crate::{
    MessageSid, MessageStatus, Timestamp,
    store::{Attempts, EntryId, Failure, LedgerEntry, LedgerStatus, SCHEDULED, TrackedMessage},
};

/// The messages under one key, in the order they were sent.
#[derive(Debug, Default)]
pub(super) struct Chain(Vec<Held>);

/// A message that the store holds.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) message: TrackedMessage,
    /// Its place in the expiry queue; none while it is in the outbox.
    pub(super) place: Option<Place>,
    /// Nothing while nobody has confirmed it.
    pub(super) progress: Option<Box<Progress>>,
    /// How far it was delivered, and the error code of that.
    pub(super) delivery: Option<(MessageStatus, Option<u32>)>,
}

/// What became of a confirmed message.
#[derive(Debug)]
pub(super) struct Progress {
    pub(super) confirmed_at: Timestamp,
    pub(super) attempts: Attempts,
    pub(super) stage: Stage,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Stage {
    Queued(EntryId),
    Delivered(Timestamp),
    Dead(Timestamp, Failure),
}

impl Chain {
    pub(super) fn insert(&mut self, message: TrackedMessage) -> &mut Held {
        let at = self.0.partition_point(|held| held.message.sent_at <= message.sent_at);
        // Nearly every id has one message; a Vec left to itself makes room for four.
        if self.0.len() < 4 {
            self.0.reserve_exact(1);
        }
        self.0.insert(at, Held { message, place: None, progress: None, delivery: None });
        &mut self.0[at]
    }

    pub(super) fn get_mut(&mut self, sid: MessageSid) -> Option<&mut Held> {
        self.0.iter_mut().rev().find(|held| held.message.sid == sid)
    }

    pub(super) fn get(&self, sid: MessageSid) -> Option<&Held> {
        self.0.iter().rev().find(|held| held.message.sid == sid)
    }

    pub(super) fn remove(&mut self, sid: MessageSid) -> Option<Held> {
        let at = self.0.iter().position(|held| held.message.sid == sid)?;
        Some(self.0.remove(at))
    }

    pub(super) fn take(&mut self) -> Vec<Held> {
        std::mem::take(&mut self.0)
    }

    /// The message that an action confirms now: the newest that has been sent,
    /// or if none has, the newest that is scheduled.
    pub(super) fn newest(&mut self, now: Timestamp) -> Option<&mut Held> {
        let horizon = now + SCHEDULED;
        let sent = self.0.partition_point(|held| held.message.sent_at < horizon);
        match sent {
            0 => self.0.last_mut(),
            sent => self.0.get_mut(sent - 1),
        }
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Held> {
        self.0.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Held> {
        self.0.iter_mut()
    }
}

impl IsEmpty for Chain {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Held {
    pub(super) fn entry_id(&self) -> Option<EntryId> {
        match self.progress.as_ref()?.stage {
            Stage::Queued(id) => Some(id),
            Stage::Delivered(_) | Stage::Dead(..) => None,
        }
    }

    pub(super) fn is_queued(&self) -> bool {
        self.entry_id().is_some()
    }

    pub(super) fn is_dead(&self) -> bool {
        matches!(self.progress.as_deref(), Some(Progress { stage: Stage::Dead(..), .. }))
    }

    pub(super) fn ledger_entry(&self) -> LedgerEntry {
        let status = match self.progress.as_deref() {
            None => LedgerStatus::Pending,
            Some(&Progress { confirmed_at, attempts, stage }) => match stage {
                Stage::Queued(_) => LedgerStatus::Queued { confirmed_at, attempts },
                Stage::Delivered(delivered_at) => {
                    LedgerStatus::Delivered { confirmed_at, delivered_at, attempts }
                }
                Stage::Dead(died_at, failure) => {
                    LedgerStatus::Dead { confirmed_at, died_at, attempts, failure }
                }
            },
        };
        LedgerEntry {
            key: self.message.key,
            sid: self.message.sid,
            account: self.message.account,
            base_url: self.message.base_url.clone(),
            sent_at: self.message.sent_at,
            segment: self.message.segment.clone(),
            status,
            message_status: self.delivery.map(|(status, _)| status),
            error_code: self.delivery.and_then(|(_, code)| code),
        }
    }
}
