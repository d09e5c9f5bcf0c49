//! What this crate knows of Twilio's wire, and no I/O: SIDs, credentials,
//! recognising and tagging a create, reading its receipt, building and judging
//! a feedback call, signing and verifying a webhook.

mod base_url;
mod channel;
mod country;
mod country_prefixes;
mod create;
mod credentials;
mod feedback_call;
mod form;
mod hex;
#[cfg(feature = "axum")]
mod keywords;
mod message_status;
mod receipt;
mod send_at;
mod sid;
mod signature;

pub use self::{
    base_url::{BaseUrl, InvalidBaseUrl},
    channel::Channel,
    country::{Country, InvalidCountry},
    credentials::{Credentials, CredentialsError, CredentialsProvider},
    feedback_call::FeedbackBody,
    form::MessageForm,
    message_status::{MessageStatus, UnknownMessageStatus},
    sid::{AccountSid, InvalidSid, MessageSid, MessagingServiceSid},
    signature::{SignatureError, SignatureVerifier},
};

#[cfg(feature = "axum")]
pub(crate) use self::keywords::is_keyword;
pub(crate) use self::{
    base_url::AllowedOrigins,
    create::{
        CreatePath, Tagging, has_body_digest, has_status_callback, is_encoded, is_form,
        match_create,
    },
    credentials::Directory,
    feedback_call::{Verdict, error_code, feedback_request, judge, retry_after},
    form::{decode, decode_within},
    receipt::{ContentEncoding, Receipt, read_receipt},
    send_at::parse_send_at,
    sid::MessageSidParts,
};
#[cfg(feature = "simulator")]
pub(crate) use self::{form::parse_bool, signature::sign};
