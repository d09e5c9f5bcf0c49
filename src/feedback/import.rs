//! Messages that were sent before the layer was there.

use std::{error::Error, fmt, str::FromStr, time::SystemTime};

use serde_json::{Map, Value};

use super::{handle::MessageFeedback, sent::SentMessage, shared::all};
use crate::{
    BaseUrl, CorrelationId, Timestamp,
    store::{Dimensions, RecordOutcome, StoreError, TrackedMessage},
    twilio::parse_send_at,
};

/// How many are recorded at once.
const BATCH: usize = 500;

impl MessageFeedback {
    /// Remembers many messages that were sent with `ProvideFeedback=true` before this crate
    /// was there, or past it, each under the id that will confirm it.
    ///
    /// Each waits for its action until the builder's `retention` after it was sent; those
    /// whose time is over are counted and left out. Safe to repeat. Dropped, it has recorded
    /// some of them: call it again with the same messages. The report may then not count all
    /// of them as attempted, as it may not after an error.
    ///
    /// ```
    /// # use tower_message_feedback::{ImportLine, MessageFeedback};
    /// # async fn import(feedback: &MessageFeedback) -> Result<(), Box<dyn std::error::Error>> {
    /// # let file = "";
    /// let lines = file.lines().map(str::parse::<ImportLine>);
    /// let messages = lines.collect::<Result<Vec<_>, _>>()?;
    /// let imported = feedback.import(messages).await?;
    /// println!("{} of them recorded", imported.recorded);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If the store failed or did not answer within eight times the
    /// builder's `store_timeout`: call it again with the same messages.
    pub async fn import<M>(
        &self,
        messages: impl IntoIterator<Item = M>,
    ) -> Result<Imported, StoreError>
    where
        M: Into<ImportLine>,
    {
        let mut imported = Imported::default();
        let mut batch = Vec::with_capacity(BATCH);
        for message in messages {
            batch.extend(self.importable(message.into(), &mut imported));
            if batch.len() == BATCH {
                self.record_imported(&batch, &mut imported).await?;
                batch.clear();
            }
        }
        self.record_imported(&batch, &mut imported).await?;
        Ok(imported)
    }

    fn importable(&self, line: ImportLine, imported: &mut Imported) -> Option<TrackedMessage> {
        let shared = self.shared();
        let sent_at = line.sent.sent_at;
        let Some(keys) = shared.keyring.keys(&line.id) else {
            imported.invalid_id += 1;
            return None;
        };
        let Some(mut message) = self.tracked(keys, line.sent) else {
            imported.origin_not_allowed += 1;
            return None;
        };
        let now = shared.clock.now();
        message.expires_at = sent_at.unwrap_or(now) + shared.settings.retention;
        if message.expires_at <= now {
            imported.expired += 1;
            return None;
        }
        Some(message)
    }

    async fn record_imported(
        &self,
        batch: &[TrackedMessage],
        imported: &mut Imported,
    ) -> Result<(), StoreError> {
        if batch.is_empty() {
            return Ok(());
        }
        let shared = self.shared();
        let outcomes = shared.patiently(shared.store.record(batch)).await?;
        for (message, outcome) in batch.iter().zip(all(batch, outcomes)?) {
            shared.recorded(message, outcome, false);
            match outcome {
                RecordOutcome::Inserted => imported.recorded += 1,
                RecordOutcome::AlreadyPresent => imported.already_recorded += 1,
                RecordOutcome::OtherId => imported.other_id += 1,
                RecordOutcome::Full => imported.refused += 1,
            }
        }
        Ok(())
    }
}

/// What became of the messages of an [`import`](MessageFeedback::import).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Imported {
    /// Remembered.
    pub recorded: u64,
    /// Remembered before, under the same id.
    pub already_recorded: u64,
    /// Remembered before under another id, where they stay.
    pub other_id: u64,
    /// Not remembered: the store is full of what may not be dropped.
    pub refused: u64,
    /// Left out: sent longer ago than the builder's `retention`.
    pub expired: u64,
    /// Left out: the id is empty or longer than [`CorrelationId::MAX_LEN`].
    pub invalid_id: u64,
    /// Left out: their origin is not one that the builder allows.
    pub origin_not_allowed: u64,
}

/// A message to [`import`](MessageFeedback::import), with the id that will confirm it.
///
/// It reads itself from a JSON object, as a line of a JSON Lines file:
///
/// ```
/// use tower_message_feedback::ImportLine;
///
/// let line: ImportLine = r#"{
///     "id": "attempt-42",
///     "account": "AC0123456789abcdef0123456789abcdef",
///     "sid": "SM0123456789abcdef0123456789abcdef",
///     "to": "+15005550006",
///     "sent_at": "2026-11-26T14:29:24Z",
///     "label": "login"
/// }"#.parse()?;
///
/// let error = r#"{"id": "attempt-42", "account": "x"}"#.parse::<ImportLine>().unwrap_err();
/// assert_eq!(error.field(), "account");
/// # Ok::<(), tower_message_feedback::InvalidImport>(())
/// ```
///
/// - `id`: the correlation id. Without it, it is the recipient in `to`
///   ([`CorrelationId::recipient`]).
/// - `account` and `sid`: the account's and the message's.
/// - `to`: Twilio's `To`, of which the country and the channel are kept, for the report.
/// - `sent_at`: in ISO 8601; now if it is not there.
/// - `base_url`: where it was created, if not at `https://api.twilio.com/2010-04-01`.
/// - `label`: as for [`SentMessage::label`].
#[derive(Debug, Clone)]
#[must_use]
pub struct ImportLine {
    id: CorrelationId,
    sent: SentMessage,
}

impl ImportLine {
    /// The message `sent`, to be confirmed by `id`.
    pub fn new(id: impl Into<CorrelationId>, sent: SentMessage) -> Self {
        Self { id: id.into(), sent }
    }
}

impl<I: Into<CorrelationId>> From<(I, SentMessage)> for ImportLine {
    fn from((id, sent): (I, SentMessage)) -> Self {
        Self::new(id, sent)
    }
}

impl FromStr for ImportLine {
    type Err = InvalidImport;

    fn from_str(line: &str) -> Result<Self, InvalidImport> {
        const KNOWN: [&str; 7] = ["account", "base_url", "id", "label", "sent_at", "sid", "to"];

        let object = serde_json::from_str::<Map<String, Value>>(line)
            .map_err(|_| InvalidImport { field: "line", problem: "it is not a JSON object" })?;
        if object.keys().any(|key| !KNOWN.contains(&key.as_str())) {
            let problem = "it has a field that is none of \
                           account, base_url, id, label, sent_at, sid and to";
            return Err(InvalidImport { field: "line", problem });
        }
        let account = required(&object, "account")?.parse().map_err(|_| InvalidImport {
            field: "account",
            problem: "expected AC and 32 hexadecimal digits",
        })?;
        let sid = required(&object, "sid")?.parse().map_err(|_| InvalidImport {
            field: "sid",
            problem: "expected SM or MM and 32 hexadecimal digits",
        })?;
        let mut sent = SentMessage::new(account, sid);
        if let Some(base_url) = text(&object, "base_url")? {
            let base_url = base_url.parse::<BaseUrl>();
            sent =
                sent.base_url(base_url.map_err(|error| InvalidImport {
                    field: "base_url",
                    problem: error.problem(),
                })?);
        }
        if let Some(sent_at) = text(&object, "sent_at")? {
            let millis = parse_send_at(sent_at).ok_or(InvalidImport {
                field: "sent_at",
                problem: "expected a time such as 2026-11-26T14:29:24Z",
            })?;
            sent = sent.sent_at(SystemTime::from(Timestamp::from_millis(millis)));
        }
        if let Some(label) = text(&object, "label")? {
            sent = sent.label(label);
        }
        let to = text(&object, "to")?;
        if let Some(to) = to {
            sent = sent.dimensions(Dimensions::of_recipient(to));
        }
        let id = match (text(&object, "id")?, to) {
            (Some(id), _) => id.into(),
            (None, Some(to)) => CorrelationId::recipient(to),
            (None, None) => {
                return Err(InvalidImport { field: "id", problem: "there is neither id nor to" });
            }
        };
        Ok(Self { id, sent })
    }
}

fn required<'a>(
    object: &'a Map<String, Value>,
    field: &'static str,
) -> Result<&'a str, InvalidImport> {
    text(object, field)?.ok_or(InvalidImport { field, problem: "it is missing" })
}

/// What is null is as if it were not there.
fn text<'a>(
    object: &'a Map<String, Value>,
    field: &'static str,
) -> Result<Option<&'a str>, InvalidImport> {
    match object.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(InvalidImport { field, problem: "it is not a text" }),
    }
}

/// A line that cannot be imported. It names the field, and repeats nothing of the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidImport {
    field: &'static str,
    problem: &'static str,
}

impl InvalidImport {
    /// The field that is wrong, or `line` if it is the whole.
    #[must_use]
    pub fn field(&self) -> &'static str {
        self.field
    }
}

impl fmt::Display for InvalidImport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.problem)
    }
}

impl Error for InvalidImport {}
