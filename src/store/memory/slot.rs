use super::{expiry::Queue, sources::SourceId};
use crate::{
    CorrelationKey, MessageSid, MessageStatus, Timestamp,
    store::{Attempts, EntryId, Failure, LedgerStatus},
    twilio::MessageSidParts,
};

/// No slot.
pub(super) const NONE: u32 = u32::MAX;
/// A time that a slot has no room for: it is in the [`Extra`].
const FAR: u32 = u32::MAX;

/// A message, in 56 bytes. What few messages have is kept beside it: the other messages
/// under the same key, and an [`Extra`].
#[derive(Debug)]
pub(super) struct Slot {
    key: [u8; 16],
    digits: [u8; 16],
    sent_at: i64,
    /// Milliseconds from `sent_at` to the end of its time, if they fit.
    time: u32,
    /// Its neighbours in its queue; of a free slot the next free one.
    pub(super) earlier: u32,
    pub(super) later: u32,
    pub(super) source: SourceId,
    status: u8,
    flags: u8,
}

const IS_MMS: u8 = 1;
const HAS_EXTRA: u8 = 2;
const HAS_NEIGHBOURS: u8 = 4;
/// It holds a message that nothing is about to remove.
const IS_LIVE: u8 = 8;
const QUEUE: u8 = 0x30;

/// What few messages have, or none before it is confirmed.
#[derive(Debug, Default)]
pub(super) struct Extra {
    /// Which letters of the SID are upper case.
    pub(super) upper: [u8; 4],
    /// The end of its time, if a slot has no room for it.
    expires_at: Option<Timestamp>,
    pub(super) error_code: Option<u32>,
    pub(super) progress: Option<Progress>,
}

/// What became of a confirmed message.
#[derive(Debug, Clone, Copy)]
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

impl Slot {
    pub(super) fn new(
        key: CorrelationKey,
        sid: &MessageSidParts,
        sent_at: Timestamp,
        source: SourceId,
    ) -> Self {
        Self {
            key: *key.as_bytes(),
            digits: sid.digits,
            sent_at: sent_at.as_millis(),
            time: 0,
            earlier: NONE,
            later: NONE,
            source,
            status: 0,
            flags: IS_LIVE | if sid.is_mms { IS_MMS } else { 0 },
        }
    }

    /// A slot that holds nothing of what it held.
    pub(super) fn free(next: u32) -> Self {
        Self {
            key: [0; 16],
            digits: [0; 16],
            sent_at: 0,
            time: 0,
            earlier: NONE,
            later: next,
            source: SourceId::default(),
            status: 0,
            flags: 0,
        }
    }

    pub(super) fn key(&self) -> CorrelationKey {
        CorrelationKey::from_bytes(self.key)
    }

    pub(super) fn sid(&self, extra: Option<&Extra>) -> MessageSid {
        MessageSid::from_parts(MessageSidParts {
            digits: self.digits,
            is_mms: self.has(IS_MMS),
            upper: extra.map_or([0; 4], |extra| extra.upper),
        })
    }

    pub(super) fn digits(&self) -> &[u8; 16] {
        &self.digits
    }

    pub(super) fn sent_at(&self) -> Timestamp {
        Timestamp::from_millis(self.sent_at)
    }

    /// The end of its time.
    pub(super) fn expires_at(&self, extra: Option<&Extra>) -> Timestamp {
        let far = extra.and_then(|extra| extra.expires_at).filter(|_| self.is_far());
        far.unwrap_or(Timestamp::from_millis(self.sent_at.saturating_add(i64::from(self.time))))
    }

    /// Whether the [`Extra`] has the end of its time.
    pub(super) fn is_far(&self) -> bool {
        self.time == FAR
    }

    /// Sets the end of its time; answers what the [`Extra`] has to say of it.
    pub(super) fn set_expires_at(&mut self, at: Timestamp) -> Option<Timestamp> {
        let time = at.as_millis().checked_sub(self.sent_at).and_then(|time| time.try_into().ok());
        self.time = time.unwrap_or(FAR);
        self.is_far().then_some(at)
    }

    pub(super) fn status(&self) -> Option<MessageStatus> {
        MessageStatus::from_code(self.status)
    }

    pub(super) fn set_status(&mut self, status: MessageStatus) {
        self.status = status.code();
    }

    pub(super) fn queue(&self) -> Queue {
        Queue::from_code((self.flags & QUEUE) >> QUEUE.trailing_zeros())
    }

    pub(super) fn set_queue(&mut self, queue: Queue) {
        self.flags = self.flags & !QUEUE | (queue as u8) << QUEUE.trailing_zeros();
    }

    fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    fn set(&mut self, flag: u8, on: bool) {
        self.flags = if on { self.flags | flag } else { self.flags & !flag };
    }

    pub(super) fn is_live(&self) -> bool {
        self.has(IS_LIVE)
    }

    pub(super) fn end_life(&mut self) {
        self.set(IS_LIVE, false);
    }

    pub(super) fn has_extra(&self) -> bool {
        self.has(HAS_EXTRA)
    }

    pub(super) fn set_has_extra(&mut self, has: bool) {
        self.set(HAS_EXTRA, has);
    }

    pub(super) fn has_neighbours(&self) -> bool {
        self.has(HAS_NEIGHBOURS)
    }

    pub(super) fn set_has_neighbours(&mut self, has: bool) {
        self.set(HAS_NEIGHBOURS, has);
    }
}

impl Extra {
    pub(super) fn set_expires_at(&mut self, at: Option<Timestamp>) {
        self.expires_at = at;
    }

    /// Whether it says nothing.
    pub(super) fn is_empty(&self) -> bool {
        let Self { upper, expires_at, error_code, progress } = self;
        *upper == [0; 4] && expires_at.is_none() && error_code.is_none() && progress.is_none()
    }
}

impl Progress {
    pub(super) fn entry_id(&self) -> Option<EntryId> {
        match self.stage {
            Stage::Queued(id) => Some(id),
            Stage::Delivered(_) | Stage::Dead(..) => None,
        }
    }

    pub(super) fn is_dead(&self) -> bool {
        matches!(self.stage, Stage::Dead(..))
    }

    pub(super) fn ledger_status(&self) -> LedgerStatus {
        let Self { confirmed_at, attempts, stage } = *self;
        match stage {
            Stage::Queued(_) => LedgerStatus::Queued { confirmed_at, attempts },
            Stage::Delivered(delivered_at) => {
                LedgerStatus::Delivered { confirmed_at, delivered_at, attempts }
            }
            Stage::Dead(died_at, failure) => {
                LedgerStatus::Dead { confirmed_at, died_at, attempts, failure }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_takes_56_bytes() {
        assert_eq!(size_of::<Slot>(), 56);
    }
}
