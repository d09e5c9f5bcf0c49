use std::future::Future;

use super::CorrelationId;

tokio::task_local! {
    static SCOPED: CorrelationId;
}

impl CorrelationId {
    /// Runs `future` with `id` as the id of the sends it makes: for SDKs whose
    /// requests are out of reach.
    ///
    /// The id is read when the layer's service is called: call it inside `future`.
    /// It reaches what runs in the same task. `tokio::spawn`, and a worker such
    /// as that of `tower::buffer`, leave the scope.
    ///
    /// ```
    /// # async fn sdk_send() {}
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// use tower_message_feedback::CorrelationId;
    ///
    /// CorrelationId::scope("attempt-42", sdk_send()).await;
    /// # }
    /// ```
    pub async fn scope<F: Future>(id: impl Into<Self>, future: F) -> F::Output {
        SCOPED.scope(id.into(), future).await
    }
}

/// The id of the scope that the caller runs in.
pub(crate) fn scoped_id() -> Option<CorrelationId> {
    SCOPED.try_with(Clone::clone).ok()
}
