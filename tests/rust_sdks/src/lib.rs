//! Rust's SDKs for Twilio, as the guide "Every client" has them.

#[cfg(test)]
#[path = "../../servers/tls.rs"]
mod tls;
#[cfg(test)]
mod twilio2;
#[cfg(test)]
mod twilio_openapi;

#[cfg(test)]
mod support {
    use tower_message_feedback::{Credentials, MessageFeedback, simulator::Simulator};

    pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

    pub const ACCOUNT: &str = "AC0123456789abcdef0123456789abcdef";
    pub const TO: &str = "+15558675310";

    /// A handle that reports to the simulator at `origin`.
    pub fn feedback(origin: &str) -> MessageFeedback {
        MessageFeedback::builder()
            .credentials(Credentials::auth_token(ACCOUNT, "token").expect("credentials"))
            .allow_origin(origin)
            .build()
            .expect("a handle")
    }

    /// One message was sent with the tag, and the user's action is reported.
    pub async fn reported(feedback: &MessageFeedback, twilio: &Simulator) {
        let messages = twilio.messages();
        assert_eq!(messages.len(), 1);
        assert!(messages[0].provide_feedback());
        assert!(feedback.confirm("attempt-42").await.is_confirmed());
        feedback.flush().await;
        assert_eq!(twilio.confirmed(), [messages[0].sid()]);
    }
}
