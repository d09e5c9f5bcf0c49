//! What values and errors say of themselves, and what the log and the metrics say meanwhile:
//! all tests of this binary together.

use std::{
    any::type_name,
    error::Error,
    fmt::{Debug, Display},
    io,
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
};

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::{filter::LevelFilter, fmt::format::FmtSpan};

use crate::search::Search;

static SAID: Mutex<String> = Mutex::new(String::new());
static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What says nothing would hide nothing, and help nobody.
fn note(of: &str, texts: &[String]) {
    for text in texts {
        assert!(!text.is_empty(), "{of} shows nothing of itself");
        lock(&SAID).push_str(&format!("{of}: {text}\n"));
    }
}

/// Notes `{:?}` and `{:#?}`, and hands the value on.
pub(crate) fn noted<T: Debug>(value: T) -> T {
    let texts = [format!("{value:?}"), format!("{value:#?}")];
    note(type_name::<T>(), &texts);
    value
}

/// The same for what shows itself to people, too.
pub(crate) fn noted_text<T: Debug + Display>(value: T) -> T {
    note(type_name::<T>(), &[format!("{value}"), format!("{value:#}")]);
    noted(value)
}

/// Notes an error and all that is behind it.
pub(crate) fn noted_error<E: Error + 'static>(error: E) -> E {
    let mut next: Option<&(dyn Error + 'static)> = Some(&error);
    while let Some(error) = next {
        let texts =
            [format!("{error}"), format!("{error:#}"), format!("{error:?}"), format!("{error:#?}")];
        note(type_name::<E>(), &texts);
        next = error.source();
    }
    error
}

/// Notes a page, an answer, a line of an export.
pub(crate) fn noted_output(text: &str) {
    lock(&SAID).push_str(text);
}

struct Log;

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        lock(&LOG).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// From here on everything is logged, spans and every target included, and measured.
pub(crate) fn listen() -> &'static PrometheusHandle {
    static LISTENING: LazyLock<PrometheusHandle> = LazyLock::new(|| {
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(LevelFilter::TRACE)
            .with_span_events(FmtSpan::FULL)
            .with_ansi(false)
            .with_writer(|| Log);
        // And what libraries log by way of `log`.
        subscriber.try_init().expect("the first");
        let recorder = PrometheusBuilder::new().build_recorder();
        let prometheus = recorder.handle();
        metrics::set_global_recorder(recorder).expect("the first");
        prometheus
    });
    &LISTENING
}

/// Nothing that is marked has been logged, measured or said so far, by anybody.
#[track_caller]
pub(crate) fn nobody_told() {
    let metrics = listen().render();
    let search = Search::for_markers();
    search.finds_nothing_in("the metrics", metrics.as_bytes());
    search.finds_nothing_in("the log", &lock(&LOG));
    search.finds_nothing_in("Debug, Display, errors and pages", lock(&SAID).as_bytes());
}

/// What was said so far.
pub(crate) fn all() -> String {
    lock(&SAID).clone()
}

/// What was logged so far.
pub(crate) fn logged() -> Vec<u8> {
    lock(&LOG).clone()
}
