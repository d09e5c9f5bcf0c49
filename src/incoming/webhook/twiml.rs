use std::fmt;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header::CONTENT_TYPE};
use quick_xml::escape::escape;

/// What a webhook is answered with: TwiML, Twilio's XML.
///
/// ```
/// use tower_message_feedback::webhook::Twiml;
///
/// assert!(Twiml::empty().as_str().ends_with("<Response></Response>"));
/// assert!(Twiml::message("<3").as_str().ends_with("<Message>&lt;3</Message></Response>"));
/// ```
///
/// `Debug` does not show the text.
#[derive(Clone, PartialEq, Eq)]
#[must_use]
pub struct Twiml(String);

impl Twiml {
    /// No answer: nothing is sent, and a call ends.
    pub fn empty() -> Self {
        Self::response("")
    }

    /// Answers a message with `text`.
    pub fn message(text: &str) -> Self {
        Self::response(&format!("<Message>{}</Message>", escape(text)))
    }

    /// Says `text` in a call, which then ends.
    pub fn say(text: &str) -> Self {
        Self::response(&format!("<Say>{}</Say>", escape(text)))
    }

    /// Any verbs, as XML: what is put into it must be escaped.
    ///
    /// ```
    /// # use tower_message_feedback::webhook::Twiml;
    /// let gather = Twiml::response(r#"<Gather action="/gathered"><Say>Press 1</Say></Gather>"#);
    /// ```
    pub fn response(verbs: &str) -> Self {
        Self(format!(r#"<?xml version="1.0" encoding="UTF-8"?><Response>{verbs}</Response>"#))
    }

    /// The XML.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Twiml {
    fn default() -> Self {
        Self::empty()
    }
}

impl IntoResponse for Twiml {
    fn into_response(self) -> Response {
        let text_xml = HeaderValue::from_static("text/xml; charset=utf-8");
        ([(CONTENT_TYPE, text_xml)], self.0).into_response()
    }
}

impl fmt::Debug for Twiml {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Twiml").finish_non_exhaustive()
    }
}
