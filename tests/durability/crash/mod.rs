//! Once *queued*, never lost: processes and machines die while they confirm.

mod application;
mod machine;
mod rounds;

pub(crate) use self::application::{busy, drain};
