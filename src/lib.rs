//! Tower layers that close the loop of Twilio's Message Feedback.

#[cfg(feature = "simulator")]
pub mod simulator;
mod twilio;

pub use twilio::{
    AccountSid, BaseUrl, Credentials, CredentialsError, CredentialsProvider, FeedbackBody,
    InvalidBaseUrl, InvalidSid, MessageForm, MessageSid,
};
