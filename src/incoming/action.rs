use crate::CorrelationId;

/// What a user sends when they do what a message asked for: it knows under
/// which id the message was sent.
///
/// ```
/// use tower_message_feedback::{CorrelationId, TrackedAction};
///
/// #[derive(serde::Deserialize)]
/// struct Login {
///     attempt: String,
///     code: String,
/// }
///
/// impl TrackedAction for Login {
///     fn correlation_id(&self) -> Option<CorrelationId> {
///         Some(self.attempt.as_str().into())
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say which message its action answers",
    label = "this type has no correlation id",
    note = "implement `TrackedAction` for `{Self}`, or use `Tracked::confirm_id`"
)]
pub trait TrackedAction {
    /// The id that the message was sent with; `None` if this action answers no
    /// message.
    fn correlation_id(&self) -> Option<CorrelationId>;
}
