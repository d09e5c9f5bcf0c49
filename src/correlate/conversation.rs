use super::{Correlate, CorrelationId, recipient::normalise};
use crate::twilio::MessageForm;

/// Correlates by who writes to whom: the fields `To`, and `MessagingServiceSid` or
/// `From`, of the send.
///
/// So a reply finds the newest message that its sender got from the number, or from the
/// Messaging Service, that it answers. See [`webhook`](crate::webhook).
///
/// A call names no Messaging Service: where users answer by call, have status callbacks
/// tell which numbers are the service's
/// ([`status_callback`](crate::MessageFeedbackBuilder::status_callback)), send from a
/// number, or correlate by [`recipient`](crate::recipient()).
///
/// ```
/// use tower_message_feedback::{Correlate, CorrelationId, MessageForm, conversation};
///
/// let form = MessageForm::new(b"To=%2B15558675310&From=%2B15557122661&Body=Reply+YES");
/// assert_eq!(
///     conversation().correlate(&form),
///     Some(CorrelationId::conversation("+15558675310", "+15557122661")),
/// );
/// ```
#[must_use]
pub fn conversation() -> Conversation {
    Conversation(())
}

/// The rule of [`conversation()`].
#[derive(Debug, Clone, Copy)]
pub struct Conversation(());

impl Correlate for Conversation {
    fn correlate(&self, form: &MessageForm<'_>) -> Option<CorrelationId> {
        let given = |name| form.get(name).filter(|value| !value.is_empty());
        let sender = given("MessagingServiceSid").or_else(|| given("From"))?;
        Some(CorrelationId::conversation(&given("To")?, &sender))
    }
}

/// One spelling for both sides, and for the channel that they meet on.
pub(super) fn between(recipient: &str, sender: &str) -> String {
    let channel = recipient.trim().split_once(':').map_or("", |(channel, _)| channel);
    let channel = channel.to_ascii_lowercase();
    format!("{channel}\n{}\n{}", normalise(recipient), normalise(sender))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(form: &str) -> Option<CorrelationId> {
        conversation().correlate(&MessageForm::new(form.as_bytes()))
    }

    #[test]
    fn a_messaging_service_is_the_sender() {
        let service = "MG0123456789abcdef0123456789abcdef";
        let expected = Some(CorrelationId::conversation("+1 555 867 5310", service));
        assert_eq!(id(&format!("To=%2B15558675310&MessagingServiceSid={service}")), expected);
        assert_eq!(
            id(&format!("From=%2B1&To=%2B15558675310&MessagingServiceSid={service}")),
            expected
        );
    }

    #[test]
    fn a_channel_is_another_conversation() {
        assert_ne!(
            id("To=whatsapp:%2B15558675310&From=whatsapp:%2B15557122661"),
            id("To=%2B15558675310&From=%2B15557122661"),
        );
        assert_eq!(
            id("To=WhatsApp:%2B15558675310&From=whatsapp:%2B15557122661"),
            Some(CorrelationId::conversation("whatsapp:+15558675310", "whatsapp:+15557122661")),
        );
    }

    #[test]
    fn without_both_sides_there_is_none() {
        assert_eq!(id("To=%2B15558675310"), None);
        assert_eq!(id("To=&From=%2B15557122661"), None);
        assert_eq!(id("From=%2B15557122661"), None);
    }
}
