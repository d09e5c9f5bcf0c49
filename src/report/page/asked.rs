//! What one request asks for, before a report is made of it.

use std::collections::{BTreeSet, HashSet};

use super::{
    names::Names,
    parameters::{NONE, Parameters},
};
use crate::{
    Channel, Country, MessageFeedback,
    report::{model::Gathered, query::Chosen},
    store::StoreError,
};

pub(super) struct Asked {
    pub(super) gathered: Gathered,
    pub(super) names: Names,
    pub(super) choices: Choices,
}

/// What there is to choose among, whatever is chosen.
#[derive(Default)]
pub(super) struct Choices {
    pub(super) countries: BTreeSet<Option<Country>>,
    pub(super) labels: BTreeSet<Option<Box<str>>>,
    pub(super) channels: BTreeSet<Option<Channel>>,
}

pub(super) async fn asked(
    feedback: &MessageFeedback,
    parameters: &Parameters,
) -> Result<Asked, StoreError> {
    let now = feedback.shared().clock.now();
    let mut gathered = feedback.gathered(parameters.query(now)).await?;
    let mut names = Names::new(parameters.shows_sids);
    let mut choices = Choices::default();
    let filter = &mut gathered.filter;
    let (account, service) = (parameters.account.as_deref(), parameters.service.as_deref());
    if service == Some(NONE) {
        filter.messaging_service = Chosen::Only(None);
    }
    // Every period has the same few.
    let of_all = gathered.rollups.iter().map(|rollup| (rollup.account, &rollup.segment));
    for (owner, segment) in of_all.collect::<HashSet<_>>() {
        let of = segment.dimensions();
        choices.countries.insert(of.country);
        choices.channels.insert(of.channel);
        choices.labels.insert(segment.label().map(Box::from));
        let sid = owner.to_string();
        names.add(feedback, &sid);
        if account.is_some_and(|name| names.is(name, &sid)) {
            filter.account = Some(owner);
        }
        if let Some(of) = of.messaging_service {
            let sid = of.to_string();
            names.add(feedback, &sid);
            if service.is_some_and(|name| names.is(name, &sid)) {
                filter.messaging_service = Chosen::Only(Some(of));
            }
        }
    }
    // What is unknown has no messages.
    filter.is_empty = account.is_some() && filter.account.is_none()
        || service.is_some() && filter.messaging_service.is_all();
    Ok(Asked { gathered, names, choices })
}
