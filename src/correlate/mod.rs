//! What ties a message to the action it asked for: correlation ids, the keys
//! that stand for them at rest, and the rules that find an id in a send.

mod conversation;
#[cfg(feature = "phone-number")]
mod e164;
mod id;
mod key;
mod link_query;
mod recipient;
mod rule;
mod scope;

#[cfg(feature = "phone-number")]
pub use self::e164::{E164, InvalidNumber};
pub use self::{
    conversation::{Conversation, conversation},
    id::CorrelationId,
    key::{CorrelationKey, CorrelationKeys},
    link_query::{LinkQuery, link_query},
    recipient::{Recipient, recipient},
    rule::Correlate,
};
pub(crate) use self::{key::Keyring, link_query::find_in_query, scope::scoped_id};
