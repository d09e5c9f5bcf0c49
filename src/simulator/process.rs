//! What Twilio does with a request.

use http::{Method, StatusCode, request::Parts};
use serde_json::{Value, json};

use super::{
    auth,
    refusal::Refusal,
    render::Reply,
    route::{Route, Target},
    state::State,
    validate,
};
use crate::twilio::{AccountSid, MessageSid};

pub(super) fn process(
    state: &mut State,
    parts: &Parts,
    route: &Route,
    body: &[u8],
) -> Result<Reply, Refusal> {
    let Some(account) = route.account else { return Err(Refusal::not_found()) };
    if !auth::is_authorized(&parts.headers, account, state.accepted.as_deref()) {
        return Err(Refusal::unauthenticated());
    }
    match (route.target, &parts.method) {
        (Target::Messages, &Method::POST) => create(state, parts, route, account, body),
        (Target::Messages, &Method::GET) => Ok(list(state, route, account)),
        (Target::Message(sid), &Method::GET) => show(state, route, account, sid),
        (Target::Feedback(sid), &Method::POST) => feedback(state, parts, route, account, sid, body),
        (Target::Unknown, _) => Err(Refusal::not_found()),
        (Target::Messages | Target::Message(_) | Target::Feedback(_), _) => {
            Err(Refusal::method_not_allowed())
        }
    }
}

fn create(
    state: &mut State,
    parts: &Parts,
    route: &Route,
    account: AccountSid,
    body: &[u8],
) -> Result<Reply, Refusal> {
    let draft = validate::create(validate::form(&parts.headers, body)?)?;
    let value = state.add(account, draft).to_value(route.format);
    Ok(Reply::resource(StatusCode::CREATED, "Message", value))
}

/// Every message of the account on one page, the newest first.
fn list(state: &State, route: &Route, account: AccountSid) -> Reply {
    let messages: Vec<Value> = state
        .messages
        .iter()
        .rev()
        .filter(|message| message.account() == account)
        .map(|message| message.to_value(route.format))
        .collect();
    let uri = format!("/2010-04-01/Accounts/{account}/Messages{}", route.format.suffix());
    Reply::list(json!({
        "end": messages.len().saturating_sub(1),
        "first_page_uri": uri,
        "next_page_uri": null,
        "page": 0,
        "page_size": messages.len(),
        "previous_page_uri": null,
        "start": 0,
        "uri": uri,
        "messages": messages,
    }))
}

fn show(
    state: &State,
    route: &Route,
    account: AccountSid,
    sid: MessageSid,
) -> Result<Reply, Refusal> {
    let message = state.message(sid).filter(|message| message.account() == account);
    let value = message.ok_or_else(Refusal::not_found)?.to_value(route.format);
    Ok(Reply::resource(StatusCode::OK, "Message", value))
}

fn feedback(
    state: &mut State,
    parts: &Parts,
    route: &Route,
    account: AccountSid,
    sid: MessageSid,
    body: &[u8],
) -> Result<Reply, Refusal> {
    let outcome = validate::outcome(validate::form(&parts.headers, body)?)?;
    let message = state.message(sid).filter(|message| message.account() == account);
    if !message.ok_or_else(Refusal::not_found)?.provide_feedback() {
        return Err(Refusal::bad_request(90001, "The message was created without ProvideFeedback"));
    }
    if let Some(outcome) = outcome {
        state.report(sid, outcome);
    }
    let message = state.message(sid).ok_or_else(Refusal::not_found)?;
    let value = message.to_feedback_value(route.format);
    Ok(Reply::resource(StatusCode::OK, "Feedback", value))
}
