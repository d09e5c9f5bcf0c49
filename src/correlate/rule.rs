use super::CorrelationId;
use crate::twilio::MessageForm;

/// A rule that finds the correlation id in the form of a send.
///
/// [`link_query`](crate::link_query) and [`recipient`](crate::recipient()) are
/// rules, and so is any `Fn(&MessageForm<'_>) -> Option<CorrelationId>`:
///
/// ```
/// use tower_message_feedback::{Correlate, CorrelationId, MessageForm};
///
/// // Messages that end with "#" and the login attempt.
/// let rule = |form: &MessageForm<'_>| {
///     let body = form.get("Body")?;
///     let (_, attempt) = body.rsplit_once('#')?;
///     Some(CorrelationId::from(attempt))
/// };
/// let form = MessageForm::new(b"To=%2B15558675310&Body=Your+code+is+4711+%2342");
/// assert_eq!(rule.correlate(&form), Some(CorrelationId::new("42")));
/// ```
///
/// A rule runs inside `Service::call`, for every create without a closer id:
/// it must not block. A send without an id goes on untagged.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a rule that finds a correlation id in a send",
    note = "use `link_query(\"id\")`, `recipient()`, or a closure `|form: &MessageForm<'_>| -> Option<CorrelationId>`"
)]
pub trait Correlate {
    /// The id of the message that `form` creates, if it has one.
    fn correlate(&self, form: &MessageForm<'_>) -> Option<CorrelationId>;
}

/// Finds no id: sends then say theirs by extension, header or scope.
impl Correlate for () {
    fn correlate(&self, _: &MessageForm<'_>) -> Option<CorrelationId> {
        None
    }
}

impl<F> Correlate for F
where
    F: Fn(&MessageForm<'_>) -> Option<CorrelationId>,
{
    fn correlate(&self, form: &MessageForm<'_>) -> Option<CorrelationId> {
        self(form)
    }
}
