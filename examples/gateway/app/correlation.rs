use std::str::FromStr;

use tower_message_feedback::{
    Correlate, CorrelationId, LinkQuery, MessageForm, Recipient, link_query, recipient,
};

/// What the messages that pass are found by.
#[derive(Clone)]
pub enum Correlation {
    Recipient(Recipient),
    Link(LinkQuery),
    Header,
}

impl Correlate for Correlation {
    fn correlate(&self, form: &MessageForm<'_>) -> Option<CorrelationId> {
        match self {
            Self::Recipient(rule) => rule.correlate(form),
            Self::Link(rule) => rule.correlate(form),
            Self::Header => None,
        }
    }
}

impl FromStr for Correlation {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            None if text == "recipient" => Ok(Self::Recipient(recipient())),
            None if text == "header" => Ok(Self::Header),
            Some(("link", name)) if !name.is_empty() => Ok(Self::Link(link_query(name.to_owned()))),
            _ => Err("expected `recipient`, `link:NAME` or `header`"),
        }
    }
}
