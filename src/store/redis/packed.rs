use super::{RedisStoreError, layout::Hash};
use crate::{
    AccountSid, BaseUrl, CorrelationKey, MessageSid, MessageStatus, Timestamp,
    store::{
        Attempts, EntryId, Failure, FailureKind, LeaseToken, LedgerEntry, LedgerStatus, Segment,
        TrackedMessage,
    },
};

/// The number of an account.
pub(super) type Account = [u8; 3];
/// The number of an origin and a label.
pub(super) type Place = [u8; 2];

/// What every record has before the upper case of its SID.
const FIXED: usize = 46;
pub(super) const LATEST: i64 = (1 << 48) - 1;

pub(super) fn six(number: u64) -> [u8; 6] {
    let [_, _, rest @ ..] = number.to_be_bytes();
    rest
}

/// When a message was sent, as seven bytes: a time far off comes back as it was.
fn sent_at(at: Timestamp) -> [u8; 7] {
    const BOUND: i64 = 1 << 53;
    let [_, rest @ ..] = at.as_millis().clamp(-BOUND, BOUND).to_be_bytes();
    rest
}

/// Whole seconds as four bytes, never early; all of them for what never ends.
pub(super) fn seconds(at: Timestamp) -> [u8; 4] {
    let seconds = at.as_millis().clamp(0, LATEST).unsigned_abs().div_ceil(1000);
    u32::try_from(seconds).unwrap_or(u32::MAX).to_be_bytes()
}

fn three(number: u32) -> [u8; 3] {
    let [_, rest @ ..] = number.min(0x00ff_ffff).to_be_bytes();
    rest
}

/// How often an entry was tried, as six bytes.
pub(super) fn attempts(attempts: Attempts) -> [u8; 6] {
    let ([a, b, c], [d, e, f]) = (three(attempts.total), three(attempts.not_found));
    [a, b, c, d, e, f]
}

/// Bits beside the kind of a failure: it has a status, it has a code.
const HAS_STATUS: u8 = 0x80;
const HAS_CODE: u8 = 0x40;

/// A failure, as seven bytes.
pub(super) fn failure(failure: Failure) -> [u8; 7] {
    let [s, t] = failure.status.unwrap_or(0).to_be_bytes();
    let [a, b, c, d] = failure.code.unwrap_or(0).to_be_bytes();
    let has_status = if failure.status.is_some() { HAS_STATUS } else { 0 };
    let has_code = if failure.code.is_some() { HAS_CODE } else { 0 };
    [failure.kind.code() | has_status | has_code, s, t, a, b, c, d]
}

/// The hash of a message that nobody has confirmed, and its record.
pub(super) fn pending(message: &TrackedMessage, account: Account, place: Place) -> Vec<u8> {
    let (key, sid) = (message.key.as_bytes(), message.sid.pack());
    let upper = sid.get(17..).unwrap_or_default();
    let flags = (u8::from(!upper.is_empty()) << 2) | (sid[0] << 3);
    let mut out = Vec::with_capacity(4 + FIXED + 4);
    out.extend(&key[..4]);
    out.extend([flags, 0]);
    out.extend(&key[4..]);
    out.extend(&sid[1..17]);
    out.extend(sent_at(message.sent_at));
    out.extend(seconds(message.expires_at));
    out.extend(account);
    out.extend(place);
    out.extend(upper);
    out
}

/// A record as it is at rest.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) key: CorrelationKey,
    order: u8,
    pub(super) sid: MessageSid,
    pub(super) sent_at: Timestamp,
    /// When it is over, in seconds.
    pub(super) expires: [u8; 4],
    pub(super) account: Account,
    pub(super) place: Place,
    pub(super) status: LedgerStatus,
    /// Of one that is in the outbox.
    pub(super) queued: Option<Queued>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Queued {
    pub(super) confirmed_at: Timestamp,
    pub(super) queued_at: Timestamp,
    pub(super) attempts: Attempts,
    pub(super) number: [u8; 4],
    pub(super) token: u64,
}

impl Record {
    /// Reads a record that lies under `hash`.
    pub(super) fn read(hash: Hash, packed: &[u8]) -> Result<Self, RedisStoreError> {
        Reader(packed).record(hash).ok_or(RedisStoreError::unreadable("a message's record"))
    }

    /// Newer ones are greater.
    pub(super) fn age(&self) -> (Timestamp, u8) {
        (self.sent_at, self.order)
    }

    pub(super) fn entry(
        &self,
        account: AccountSid,
        place: &(BaseUrl, Segment),
        (message_status, error_code): (Option<MessageStatus>, Option<u32>),
    ) -> LedgerEntry {
        LedgerEntry {
            key: self.key,
            sid: self.sid,
            account,
            base_url: place.0.clone(),
            sent_at: self.sent_at,
            segment: place.1.clone(),
            status: self.status,
            message_status,
            error_code,
        }
    }
}

/// An entry is known by the hash of its key and its number in the shard.
pub(super) fn entry_id(hash: Hash, number: [u8; 4]) -> EntryId {
    EntryId::new(
        (u64::from(u32::from_be_bytes(hash)) << 32) | u64::from(u32::from_be_bytes(number)),
    )
}

/// The hash, and the hash with the number.
pub(super) fn of_entry(id: EntryId) -> (Hash, [u8; 8]) {
    let bytes = id.get().to_be_bytes();
    let [a, b, c, d, ..] = bytes;
    ([a, b, c, d], bytes)
}

/// A token as six bytes; one that no lease can have is no lease's.
pub(super) fn token(token: LeaseToken) -> [u8; 6] {
    six(if token.get() < 1 << 48 { token.get() } else { 0 })
}

/// The hash of a key and the rest of it.
pub(super) fn key_bytes(key: CorrelationKey) -> [u8; 16] {
    *key.as_bytes()
}

pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl Reader<'_> {
    pub(super) fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    pub(super) fn number<const N: usize>(&mut self) -> Option<u64> {
        let taken: [u8; N] = self.take()?;
        Some(taken.into_iter().fold(0, |number, byte| (number << 8) | u64::from(byte)))
    }

    pub(super) fn time(&mut self) -> Option<Timestamp> {
        self.number::<6>().and_then(|millis| i64::try_from(millis).ok()).map(Timestamp::from_millis)
    }

    fn attempts(&mut self) -> Option<Attempts> {
        let total = u32::try_from(self.number::<3>()?).ok()?;
        Some(Attempts::new(total, u32::try_from(self.number::<3>()?).ok()?))
    }

    fn record(mut self, hash: Hash) -> Option<Record> {
        let [flags, order] = self.take()?;
        // Records of a later version say so in the upper bits.
        if flags >> 5 != 0 {
            return None;
        }
        let mut key = [0; 16];
        key[..4].copy_from_slice(&hash);
        key[4..].copy_from_slice(&self.take::<12>()?);
        let digits: [u8; 16] = self.take()?;
        let [a, b, c, d, e, f, g] = self.take()?;
        let sign = if a & 0x80 == 0 { 0 } else { 0xff };
        let sent_at = Timestamp::from_millis(i64::from_be_bytes([sign, a, b, c, d, e, f, g]));
        let expires = self.take()?;
        let (account, place) = (self.take()?, self.take()?);
        let mut sid = vec![(flags >> 3) & 1];
        sid.extend(digits);
        if flags & 4 != 0 {
            sid.extend(self.take::<4>()?);
        }
        let mut queued = None;
        let status = match flags & 3 {
            0 => LedgerStatus::Pending,
            status => {
                let (confirmed_at, since, attempts) =
                    (self.time()?, self.time()?, self.attempts()?);
                match status {
                    1 => {
                        let (number, token) = (self.take()?, self.number::<6>()?);
                        queued = Some(Queued {
                            confirmed_at,
                            queued_at: since,
                            attempts,
                            number,
                            token,
                        });
                        LedgerStatus::queued(confirmed_at, attempts)
                    }
                    2 => LedgerStatus::delivered(confirmed_at, since, attempts),
                    _ => LedgerStatus::dead(confirmed_at, since, attempts, self.failure()?),
                }
            }
        };
        let sid = MessageSid::unpack(&sid)?;
        Some(Record {
            key: CorrelationKey::from_bytes(key),
            order,
            sid,
            sent_at,
            expires,
            account,
            place,
            status,
            queued,
        })
    }

    fn failure(&mut self) -> Option<Failure> {
        let [kind] = self.take()?;
        let status = u16::from_be_bytes(self.take()?);
        let code = u32::from_be_bytes(self.take()?);
        Some(Failure::new(
            FailureKind::from_code(kind & !(HAS_STATUS | HAS_CODE)),
            (kind & HAS_STATUS != 0).then_some(status),
            (kind & HAS_CODE != 0).then_some(code),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(sid: &str) -> TrackedMessage {
        TrackedMessage::new(
            CorrelationKey::from_bytes(*b"0123456789abcdef"),
            sid.parse().unwrap(),
            "AC0123456789abcdef0123456789abcdef".parse().unwrap(),
            BaseUrl::default(),
            Timestamp::from_millis(1_789_000_000_123),
            Timestamp::from_millis(1_789_000_000_124),
        )
    }

    #[test]
    fn a_pending_record_fits_a_packed_list_and_comes_back() {
        for (sid, length) in
            [("SM0123456789abcdef0123456789abcdef", 46), ("MM0123456789abcdef0123456789abcdeF", 50)]
        {
            let message = message(sid);
            let packed = pending(&message, [1, 2, 3], [4, 5]);
            assert_eq!(packed[..4], *b"0123");
            assert_eq!(packed.len() - 4, length);
            // 1,789,000,000.124 seconds are over at 1,789,000,001.
            assert_eq!(packed[4 + 37..4 + 41], 1_789_000_001_u32.to_be_bytes());
            let record = Record::read(*b"0123", &packed[4..]).unwrap();
            assert_eq!((record.key, record.sid), (message.key, message.sid));
            assert_eq!(record.sent_at, message.sent_at);
            assert_eq!((record.account, record.place), ([1, 2, 3], [4, 5]));
            assert_eq!(record.status, LedgerStatus::Pending);
        }
    }

    #[test]
    fn what_a_later_version_wrote_is_told_and_not_guessed() {
        let mut packed = pending(&message("SM0123456789abcdef0123456789abcdef"), [0; 3], [0; 2]);
        packed[4] |= 1 << 5;
        assert!(Record::read([0; 4], &packed[4..]).is_err());
        assert!(Record::read([0; 4], &[]).is_err());
    }

    #[test]
    fn times_and_counts_that_do_not_fit_stay_at_the_bound() {
        assert_eq!(seconds(Timestamp::from_millis(-5)), [0; 4]);
        assert_eq!(sent_at(Timestamp::from_millis(-1)), [0xff; 7]);
        assert_eq!(seconds(Timestamp::from_millis(i64::MAX)), [0xff; 4]);
        assert_eq!(attempts(Attempts::new(u32::MAX, 2)), [0xff, 0xff, 0xff, 0, 0, 2]);
        assert_eq!(token(LeaseToken::new(u64::MAX)), [0; 6]);
    }

    #[test]
    fn an_entry_is_known_by_hash_and_number() {
        let id = entry_id([0xff, 2, 3, 4], [5, 6, 7, 8]);
        assert_eq!(of_entry(id), ([0xff, 2, 3, 4], [0xff, 2, 3, 4, 5, 6, 7, 8]));
    }
}
