//! Dead letters, for a person: listed, sent again, exported.

use super::{
    handle::MessageFeedback,
    shared::{all, single},
};
use crate::{
    MessageSid,
    delivery::Control,
    store::{LedgerEntry, ResendOutcome, StoreError},
};

/// How many are asked for at once.
const PAGE: usize = 500;

impl MessageFeedback {
    /// Up to `limit` dead letters in the order of their SIDs, from behind
    /// `after`: confirmed messages whose feedback Twilio will never take.
    ///
    /// # Errors
    ///
    /// If the store failed or did not answer within eight times the
    /// builder's `store_timeout`.
    pub async fn dead_letters(
        &self,
        after: Option<MessageSid>,
        limit: usize,
    ) -> Result<Vec<LedgerEntry>, StoreError> {
        let shared = self.shared();
        shared.patiently(shared.store.dead_letters(after, limit)).await
    }

    /// All dead letters as JSON Lines: an object and a line feed each.
    ///
    /// ```
    /// # use tower_message_feedback::{MessageFeedback, store::StoreError};
    /// # async fn export(feedback: &MessageFeedback) -> Result<(), StoreError> {
    /// let mut export = feedback.export_dead_letters();
    /// while let Some(lines) = export.next().await? {
    ///     print!("{lines}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Each object has `sid`, `account`, `base_url`, `sent_at`, `confirmed_at`, `died_at`,
    /// `attempts`, `failure` (`rejected`, `not_found`, `gave_up` or `origin_not_allowed`),
    /// `failure_status` (HTTP's), `failure_code` (Twilio's), and what is known of the
    /// message: `label`, `country`, `channel`, `messaging_service`, `message_status`,
    /// `error_code`. Times are in RFC 3339, in UTC.
    pub fn export_dead_letters(&self) -> DeadLetterExport {
        DeadLetterExport { feedback: self.clone(), after: None, done: false }
    }

    /// Sends a dead letter again, with all its attempts before it.
    ///
    /// Dropped, it has done so or not: call it again. The report may then go on to count it
    /// as dead, as it may after an error.
    ///
    /// # Errors
    ///
    /// If the store failed or did not answer within eight times the
    /// builder's `store_timeout`: call it again.
    pub async fn resend(&self, sid: MessageSid) -> Result<ResendOutcome, StoreError> {
        self.send_again(&[sid]).await.and_then(single)
    }

    /// Sends all dead letters again, each once, until the outbox is full; answers how many.
    /// Those that die again while it runs are not sent a second time. Dropped, it has sent
    /// some of them again, as if by [`resend`](Self::resend).
    ///
    /// # Errors
    ///
    /// If the store failed or did not answer within eight times the
    /// builder's `store_timeout`: what was sent again before that stays so.
    pub async fn resend_dead_letters(&self) -> Result<usize, StoreError> {
        let (mut after, mut sent_again) = (None, 0);
        loop {
            let page = self.dead_letters(after, PAGE).await?;
            let sids: Vec<MessageSid> = page.iter().map(|letter| letter.sid).collect();
            let outcomes = self.send_again(&sids).await?;
            sent_again += outcomes.iter().filter(|of| **of == ResendOutcome::Queued).count();
            if sids.len() < PAGE || outcomes.contains(&ResendOutcome::Full) {
                return Ok(sent_again);
            }
            after = sids.last().copied();
        }
    }

    async fn send_again(&self, sids: &[MessageSid]) -> Result<Vec<ResendOutcome>, StoreError> {
        let shared = self.shared();
        let _waking = Waking(&shared.control);
        let outcomes = shared.patiently(shared.store.resend(sids)).await;
        let outcomes = outcomes.and_then(|outcomes| all(sids, outcomes))?;
        for (sid, outcome) in sids.iter().zip(&outcomes) {
            if *outcome == ResendOutcome::Queued {
                shared.sent_again(*sid);
            }
        }
        Ok(outcomes)
    }
}

/// Wakes the dispatcher in any case: the store may have queued something also where it was
/// not waited for, or has answered an error.
struct Waking<'a>(&'a Control);

impl Drop for Waking<'_> {
    fn drop(&mut self) {
        self.0.wake();
    }
}

/// The lines of [`export_dead_letters`](MessageFeedback::export_dead_letters), page by page.
#[derive(Debug)]
#[must_use = "an export reads nothing until `next` is called"]
pub struct DeadLetterExport {
    feedback: MessageFeedback,
    after: Option<MessageSid>,
    done: bool,
}

impl DeadLetterExport {
    /// The next lines, at most 500, or `None` after the last. Cancel safe: nothing is left
    /// out or comes twice if it is dropped and called again.
    ///
    /// # Errors
    ///
    /// If the store failed or did not answer within eight times the
    /// builder's `store_timeout`: call it again, and nothing is left out or comes twice.
    pub async fn next(&mut self) -> Result<Option<String>, StoreError> {
        if self.done {
            return Ok(None);
        }
        let page = self.feedback.dead_letters(self.after, PAGE).await?;
        self.done = page.len() < PAGE;
        self.after = page.last().map(|letter| letter.sid).or(self.after);
        let mut lines = String::new();
        for letter in &page {
            lines += &serde_json::to_string(letter).map_err(StoreError::new)?;
            lines.push('\n');
        }
        Ok((!lines.is_empty()).then_some(lines))
    }
}
