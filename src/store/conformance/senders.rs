//! Which Messaging Service a sender sends for.

use super::{
    erased::Tested,
    fixture::{Fixture, answer},
    messages::{key, keys, rotated},
    verdict::CaseResult,
};
use crate::{
    CorrelationKey, CorrelationKeys, MessagingServiceSid,
    store::{FeedbackStore, MAX_SENDERS, SenderOutcome, ServiceSender},
};
use SenderOutcome::{Full, Known, Learned};

/// # Panics
///
/// Never: it is a SID.
fn service(n: u64) -> MessagingServiceSid {
    match format!("MG{n:032x}").parse() {
        Ok(sid) => sid,
        Err(error) => panic!("service {n}: {error}"),
    }
}

fn sender(n: u8, of: u64) -> ServiceSender {
    ServiceSender::new(key(n), service(of))
}

impl Fixture {
    async fn learn(&self, senders: &[ServiceSender]) -> Vec<SenderOutcome> {
        let outcomes = answer("learn_senders", self.store.learn_senders(senders)).await;
        assert_eq!(outcomes.len(), senders.len(), "learn_senders: one answer for each sender");
        outcomes
    }

    async fn services(&self, senders: &[CorrelationKeys]) -> Vec<Option<MessagingServiceSid>> {
        let services = answer("services", self.store.services(senders)).await;
        assert_eq!(services.len(), senders.len(), "services: one answer for each sender");
        services
    }
}

pub(super) async fn a_sender_has_the_service_that_was_learnt_last(subject: &Tested) -> CaseResult {
    let f = Fixture::new(subject).await;
    assert_eq!(f.services(&[keys(1)]).await, [None]);
    let upper = "MG0123456789ABCDEF0123456789abcdef".parse().ok().unwrap_or(service(9));
    let batch = [sender(1, 1), sender(2, 2), sender(3, 1)];
    assert_eq!(f.learn(&batch).await, [Learned; 3]);
    assert_eq!(f.learn(&batch).await, [Known; 3]);
    assert_eq!(f.learn(&[sender(1, 2), ServiceSender::new(key(2), upper)]).await, [Learned; 2]);
    let asked = [keys(3), keys(1), keys(9), keys(2), keys(1)];
    let services = [Some(service(1)), Some(service(2)), None, Some(upper), Some(service(2))];
    assert_eq!(f.services(&asked).await, services);
    assert_eq!(f.services(&[]).await, []);
    assert_eq!(f.learn(&[]).await, []);
    f.sizes(0, 0, 0).await;
    Ok(())
}

pub(super) async fn a_sender_is_found_under_its_previous_key(subject: &Tested) -> CaseResult {
    let f = Fixture::new(subject).await;
    f.learn(&[sender(1, 1), sender(2, 2)]).await;
    let asked = [rotated(3, 1), rotated(2, 1), rotated(1, 2), rotated(4, 3)];
    let services = [Some(service(1)), Some(service(2)), Some(service(1)), None];
    assert_eq!(f.services(&asked).await, services);
    Ok(())
}

pub(super) async fn what_one_learns_of_a_sender_the_other_knows(subject: &Tested) -> CaseResult {
    let a = Fixture::new(subject).await;
    let b = a.again().await?;
    assert_eq!(a.learn(&[sender(1, 1)]).await, [Learned]);
    assert_eq!(b.services(&[keys(1)]).await, [Some(service(1))]);
    assert_eq!(b.learn(&[sender(1, 1), sender(1, 2)]).await, [Known, Learned]);
    assert_eq!(a.services(&[keys(1)]).await, [Some(service(2))]);
    Ok(())
}

pub(super) async fn beyond_ten_thousand_none_is_learnt(subject: &Tested) -> CaseResult {
    let f = Fixture::new(subject).await;
    let of = |n: usize| {
        let mut bytes = [0x5a; 16];
        bytes[..8].copy_from_slice(&(n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
        ServiceSender::new(CorrelationKey::from_bytes(bytes), service(1))
    };
    for first in (0..MAX_SENDERS).step_by(1000) {
        let batch: Vec<_> = (first..first + 1000).map(of).collect();
        assert_eq!(f.learn(&batch).await, vec![Learned; 1000]);
    }
    let moved = ServiceSender { service: service(2), ..of(7) };
    assert_eq!(f.learn(&[of(MAX_SENDERS), moved, of(8)]).await, [Full, Learned, Known]);
    let asked = [of(MAX_SENDERS), of(7), of(MAX_SENDERS - 1)].map(|learnt| learnt.sender.into());
    assert_eq!(f.services(&asked).await, [None, Some(service(2)), Some(service(1))]);
    Ok(())
}
