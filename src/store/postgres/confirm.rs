use std::collections::{HashMap, HashSet};

use super::{
    PostgresStore,
    access::{Link, Param},
    error::PostgresError,
    param::Key,
    record::LOOKS,
};
use crate::{
    CorrelationKey, CorrelationKeys, MessageSid,
    store::{ConfirmOutcome, ConfirmTarget, Resends, TrackedMessage},
};

impl PostgresStore {
    pub(super) async fn confirm_via(
        &self,
        link: Link<'_>,
        targets: &[ConfirmTarget],
    ) -> Result<Vec<ConfirmOutcome>, PostgresError> {
        let mut outcomes = Vec::with_capacity(targets.len());
        for run in runs(targets) {
            outcomes.extend(self.confirm_run(link, run).await?);
        }
        Ok(outcomes)
    }

    async fn confirm_run(
        &self,
        link: Link<'_>,
        targets: &[ConfirmTarget],
    ) -> Result<Vec<ConfirmOutcome>, PostgresError> {
        let mut outcomes = vec![ConfirmOutcome::Unknown; targets.len()];
        let mut claimed = HashSet::new();
        // A second target for the same message finds it confirmed.
        let mut given: HashSet<MessageSid> = HashSet::new();
        let mut open: Vec<usize> = Vec::with_capacity(targets.len());
        for (at, target) in targets.iter().enumerate() {
            match target {
                ConfirmTarget::Message(message) if !given.insert(message.sid) => {
                    outcomes[at] = ConfirmOutcome::AlreadyConfirmed;
                }
                _ => open.push(at),
            }
        }
        for _ in 0..LOOKS {
            if open.is_empty() {
                return Ok(outcomes);
            }
            let hits = self.confirm_once(link, targets, &open).await?;
            open.clear();
            for hit in hits {
                let Some(outcome) = outcomes.get_mut(hit.target) else { continue };
                let queued = hit.queued && claimed.insert(hit.sid);
                if !queued && !hit.is_known && open.last() != Some(&hit.target) {
                    // It was there, and another transaction changed it meanwhile.
                    open.push(hit.target);
                }
                *outcome = outcome.most_telling(match (queued, hit.is_known) {
                    (true, _) => ConfirmOutcome::Queued,
                    (false, true) => ConfirmOutcome::AlreadyConfirmed,
                    (false, false) => ConfirmOutcome::Unknown,
                });
            }
        }
        if open.is_empty() {
            return Ok(outcomes);
        }
        Err(PostgresError::new("other transactions change the same messages"))
    }

    /// Confirms the targets at `open`; what it hit, in their order.
    async fn confirm_once(
        &self,
        link: Link<'_>,
        targets: &[ConfirmTarget],
        open: &[usize],
    ) -> Result<Vec<Hit>, PostgresError> {
        let mut ids = Ids::default();
        let mut messages = Messages::default();
        for at in open {
            let number = i32::try_from(*at).unwrap_or(i32::MAX);
            match &targets[*at] {
                ConfirmTarget::Id { keys, resends } => ids.push(number, *keys, *resends, None),
                ConfirmTarget::Recorded { key, sid } => {
                    ids.push(number, (*key).into(), Resends::Newest, Some(*sid));
                }
                ConfirmTarget::Message(message) => messages.push(number, message),
            }
        }
        let now = self.now();
        let mut params: Vec<Param<'_>> =
            vec![&now, &ids.number, &ids.current, &ids.previous, &ids.every, &ids.sid];
        let sources;
        let rows = if messages.number.is_empty() {
            link.query(&self.statements.confirm_ids, &params).await?
        } else {
            let tracked = open.iter().filter_map(|at| match &targets[*at] {
                ConfirmTarget::Message(message) => Some(message),
                ConfirmTarget::Id { .. } | ConfirmTarget::Recorded { .. } => None,
            });
            self.expiry.expect(tracked.clone().map(|message| message.expires_at));
            sources = self.source_ids(link, tracked).await?;
            let more: [Param<'_>; 6] = [
                &messages.number,
                &messages.sid,
                &messages.key,
                &sources,
                &messages.sent_at,
                &messages.expires_at,
            ];
            params.extend(more);
            link.query(&self.statements.confirm_any, &params).await?
        };
        let mut hits = Vec::with_capacity(open.len());
        let mut known = HashSet::with_capacity(open.len());
        let mut queued = HashSet::with_capacity(open.len());
        for row in &rows {
            let Some(sid) = MessageSid::unpack(row.try_get(2)?) else { continue };
            if let Some(place) = row.try_get::<_, Option<i64>>(0)? {
                let number: i32 = row.try_get(1)?;
                hits.push((place, usize::try_from(number).unwrap_or(usize::MAX), sid));
            } else if let Some(source) = row.try_get(3)? {
                self.turns.queued(self.sources.account(source), row.try_get(4)?);
                queued.insert(sid);
            } else {
                known.insert(sid);
            }
        }
        hits.sort_unstable_by_key(|(place, ..)| *place);
        let hits = hits.into_iter().map(|(_, target, sid)| {
            let queued = queued.contains(&sid);
            Hit { target, sid, queued, is_known: queued || known.contains(&sid) }
        });
        Ok(hits.collect())
    }
}

/// A message that a target found.
struct Hit {
    target: usize,
    sid: MessageSid,
    is_known: bool,
    queued: bool,
}

#[derive(Default)]
struct Ids {
    number: Vec<i32>,
    current: Vec<Key>,
    previous: Vec<Option<Key>>,
    every: Vec<bool>,
    /// Of what is found under the keys, this one alone.
    sid: Vec<Option<Vec<u8>>>,
}

impl Ids {
    fn push(
        &mut self,
        number: i32,
        keys: CorrelationKeys,
        resends: Resends,
        sid: Option<MessageSid>,
    ) {
        self.number.push(number);
        self.current.push(Key(keys.current));
        self.previous.push(keys.previous.map(Key));
        self.every.push(resends == Resends::All);
        self.sid.push(sid.map(MessageSid::pack));
    }
}

#[derive(Default)]
struct Messages {
    number: Vec<i32>,
    sid: Vec<Vec<u8>>,
    key: Vec<Key>,
    sent_at: Vec<i64>,
    expires_at: Vec<i64>,
}

impl Messages {
    fn push(&mut self, number: i32, message: &TrackedMessage) {
        self.number.push(number);
        self.sid.push(message.sid.pack());
        self.key.push(Key(message.key));
        self.sent_at.push(message.sent_at.as_millis());
        self.expires_at.push(message.expires_at.as_millis());
    }
}

/// Cuts the batch where a target by id might find what a target by message
/// records: one statement sees what was there before it. Hardly ever more than
/// one run.
fn runs(targets: &[ConfirmTarget]) -> Vec<&[ConfirmTarget]> {
    let mut runs = Vec::with_capacity(1);
    // Whether a key of this run came with a message.
    let mut seen: HashMap<CorrelationKey, bool> = HashMap::new();
    let mut begin = 0;
    for (at, target) in targets.iter().enumerate() {
        let (keys, is_message) = match target {
            ConfirmTarget::Id { keys, .. } => (*keys, false),
            ConfirmTarget::Recorded { key, .. } => ((*key).into(), false),
            ConfirmTarget::Message(message) => (message.key.into(), true),
        };
        if keys.iter().any(|key| seen.get(&key).is_some_and(|other| *other != is_message)) {
            runs.push(&targets[begin..at]);
            begin = at;
            seen.clear();
        }
        seen.extend(keys.iter().map(|key| (key, is_message)));
    }
    if begin < targets.len() {
        runs.push(&targets[begin..]);
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BaseUrl, Timestamp};

    fn id(n: u8) -> ConfirmTarget {
        let keys = CorrelationKey::from_bytes([n; 16]).into();
        ConfirmTarget::Id { keys, resends: Resends::Newest }
    }

    fn message(n: u8) -> ConfirmTarget {
        ConfirmTarget::Message(TrackedMessage::new(
            CorrelationKey::from_bytes([n; 16]),
            format!("SM{n:032x}").parse().unwrap(),
            "AC00000000000000000000000000000000".parse().unwrap(),
            BaseUrl::default(),
            Timestamp::from_millis(0),
            Timestamp::from_millis(1),
        ))
    }

    fn recorded(n: u8) -> ConfirmTarget {
        let ConfirmTarget::Message(TrackedMessage { key, sid, .. }) = message(n) else {
            unreachable!("it is a message")
        };
        ConfirmTarget::Recorded { key, sid }
    }

    #[test]
    fn a_batch_is_cut_only_between_a_message_and_an_id_of_the_same_key() {
        let lengths = |targets: &[ConfirmTarget]| {
            runs(targets).into_iter().map(<[ConfirmTarget]>::len).collect::<Vec<_>>()
        };
        assert!(lengths(&[]).is_empty());
        assert_eq!(lengths(&[id(1), id(1), message(2), id(3)]), [4]);
        assert_eq!(lengths(&[message(1), message(1)]), [2]);
        assert_eq!(lengths(&[id(2), message(1), id(1), message(2)]), [2, 2]);
        assert_eq!(lengths(&[id(1), message(1), id(1)]), [1, 1, 1]);
        assert_eq!(lengths(&[recorded(1), id(1), message(1), recorded(1)]), [2, 1, 1]);
    }
}
