//! The dispatcher's work: draining the outbox to Twilio.

mod call;
mod concluded;
mod control;
mod held;
#[cfg(feature = "https-client")]
mod https;
mod in_flight;
mod lane;
mod mode;
mod preflight;
mod retry;
mod transport;
mod worker;

pub(crate) use self::{
    control::{Control, Drain},
    retry::store_backoff,
    transport::{BoxError, BoxTransport, ServiceTransport},
    worker::{Delivery, Worker},
};
pub use self::{
    control::{DeliveryStats, DispatcherState},
    mode::Mode,
    preflight::{AccountPreflight, PreflightVerdict},
    retry::RetryPolicy,
};

#[cfg(feature = "https-client")]
pub(crate) use self::https::https_client;
