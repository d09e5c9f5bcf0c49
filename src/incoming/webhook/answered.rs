use crate::{
    AccountSid, Confirmation, CorrelationId, CorrelationKeys, MessageFeedback, MessageSid,
    store::{ConfirmTarget, LedgerEntry, Resends, SCHEDULED},
};

/// Finds which message somebody answers.
pub(super) struct Answered<'a> {
    pub(super) feedback: &'a MessageFeedback,
    /// Whose webhook it is: nobody answers another account's messages.
    pub(super) account: AccountSid,
}

impl Answered<'_> {
    /// The message that is quoted, or else the newest that `from` got from one of
    /// `senders`, or else the newest that it got; if there is none, what that is to the
    /// application. Nobody answers what is not recorded yet, so it is not waited for.
    pub(super) async fn find(
        &self,
        quoted: Option<MessageSid>,
        from: &str,
        senders: &[&str],
    ) -> Result<ConfirmTarget, Confirmation> {
        let shared = self.feedback.shared();
        let keys_of = |id: CorrelationId| shared.keyring.keys(&id);
        let conversations: Option<Vec<CorrelationKeys>> = senders
            .iter()
            .map(|sender| keys_of(CorrelationId::conversation(from, sender)))
            .collect();
        // Without any the address is too long to be one.
        let mut keys = conversations.ok_or(Confirmation::NoId)?;
        keys.push(keys_of(CorrelationId::recipient(from)).ok_or(Confirmation::NoId)?);
        if let Some(sid) = quoted {
            let found = shared.within_bound(shared.store.by_sid(&[sid])).await.unwrap_or_default();
            let entry = found.into_iter().flatten().find(|entry| entry.account == self.account);
            if let Some(entry) = entry {
                return Ok(recorded(&entry));
            }
        }
        let Ok(found) = shared.within_bound(shared.store.lookup(&keys)).await else {
            // It is deferred, and then looked up where it most likely is.
            return Ok(shared.by_id(keys[0]));
        };
        let mut newest: Vec<_> = keys
            .iter()
            .zip(found)
            .map(|(keys, entries)| Some((*keys, self.newest(entries)?)))
            .collect();
        let of_recipient = newest.pop().flatten();
        let of_conversations = newest.into_iter().flatten().max_by_key(|(_, entry)| entry.sent_at);
        let Some((newest_keys, entry)) = of_conversations.or(of_recipient) else {
            return Err(shared.found_nothing(&keys));
        };
        Ok(match shared.settings.resends {
            Resends::Newest => recorded(&entry),
            Resends::All => shared.by_id(newest_keys),
        })
    }

    /// Of those that were sent by now.
    fn newest(&self, entries: Vec<LedgerEntry>) -> Option<LedgerEntry> {
        let soon = self.feedback.shared().clock.now() + SCHEDULED;
        entries
            .into_iter()
            .filter(|entry| entry.account == self.account && entry.sent_at < soon)
            // Of those sent at one time the first of the list is the newest.
            .rev()
            .max_by_key(|entry| entry.sent_at)
    }
}

fn recorded(entry: &LedgerEntry) -> ConfirmTarget {
    ConfirmTarget::Recorded { key: entry.key, sid: entry.sid }
}
