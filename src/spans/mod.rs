//! Spans for traces: a connection, a request, a call, a subscription, a statement of the store. They have the target
//! `bolide::span` and the level `DEBUG`, so that a log does not ask for them; as long as no subscriber of `tracing` does, one
//! costs a comparison. They name methods, publications and paths that are registered, users and the public names of sessions,
//! and hold no parameter and no value.

mod parent;

#[cfg(feature = "accounts")]
use std::pin::Pin;
#[cfg(feature = "accounts")]
use tracing::Instrument as _;

use tracing::field::Empty;
use tracing::{Level, Span, debug_span};

pub(crate) use parent::TraceParent;

/// The target of all spans.
const TARGET: &str = "bolide::span";

/// Returns whether a subscriber wants spans.
pub(crate) fn are_wanted() -> bool {
    tracing::span_enabled!(target: TARGET, Level::DEBUG)
}

/// Returns the span of a connection, which lasts as long as its session is served.
pub(crate) fn connection(session: &str, parent: Option<&TraceParent>) -> Span {
    let span = debug_span!(
        target: TARGET, parent: None, "connection",
        otel.kind = "server", session, trace_parent = parent.map(tracing::field::display),
    );
    continue_trace(&span, parent);
    span
}

/// Returns the span of a request. Its name in a trace is the verb and the path of the endpoint.
#[cfg(feature = "accounts")]
pub(crate) fn request(verb: &str, path: &str, request: &str, parent: Option<&TraceParent>) -> Span {
    let span = debug_span!(
        target: TARGET, parent: None, "request",
        otel.kind = "server", otel.name = format!("{verb} {path}"), request, status = Empty, otel.status_code = Empty,
        trace_parent = parent.map(tracing::field::display),
    );
    continue_trace(&span, parent);
    span
}

/// Returns the span of a call, within that of the request or call that makes it. A call over DDP begins a trace.
pub(crate) fn call(method: &str, session: Option<&str>, user: Option<&str>) -> Span {
    debug_span!(
        target: TARGET, "call",
        otel.kind = "server", otel.name = method, method, session, user, outcome = Empty, otel.status_code = Empty,
    )
}

/// Returns the span of a subscription, until its handler has ended.
pub(crate) fn subscription(publication: &str, session: &str, user: Option<&str>) -> Span {
    debug_span!(
        target: TARGET, "subscription",
        otel.kind = "server", otel.name = publication, publication, session, user, outcome = Empty,
        otel.status_code = Empty,
    )
}

/// Notes how the work of a span has ended. Only a failure is an error: a client that was refused was answered.
pub(crate) fn end(span: &Span, outcome: &'static str) {
    span.record("outcome", outcome);
    if outcome == FAILED {
        span.record("otel.status_code", "ERROR");
    }
}

/// The outcome of what has failed with an internal error.
const FAILED: &str = "failed";

/// Returns the span of a statement that runs in a call, request or subscription which has one. Its text has placeholders
/// instead of values.
#[cfg(feature = "accounts")]
pub(crate) fn statement<Text: AsRef<str>>(database: &'static str, text: impl FnOnce() -> Text) -> Span {
    if !are_wanted() || Span::current().is_none() {
        return Span::none();
    }
    debug_span!(
        target: TARGET, "statement",
        otel.kind = "client", db.system.name = database, db.query.text = text().as_ref(), otel.status_code = Empty,
    )
}

/// Runs a statement in its span. It is boxed, since it is large and moved.
#[cfg(feature = "accounts")]
pub(crate) async fn within<T, E>(span: Span, running: Pin<Box<impl Future<Output = Result<T, E>>>>) -> Result<T, E> {
    let ending = span.clone();
    let outcome = running.instrument(span).await;
    if outcome.is_err() {
        ending.record("otel.status_code", "ERROR");
    }
    outcome
}

/// Makes a span part of the trace that a client has begun.
#[cfg(feature = "otlp")]
fn continue_trace(span: &Span, parent: Option<&TraceParent>) {
    use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState};
    use tracing_opentelemetry::OpenTelemetrySpanExt as _;

    let Some(parent) = parent else { return };
    let remote = SpanContext::new(
        TraceId::from(parent.trace()),
        SpanId::from(parent.span()),
        TraceFlags::new(parent.flags()),
        true,
        TraceState::default(),
    );
    // A span that no exporter wants has no context to set.
    let _unwanted = span.set_parent(opentelemetry::Context::new().with_remote_span_context(remote));
}

/// Without an exporter, the header is a field of the span only.
#[cfg(not(feature = "otlp"))]
const fn continue_trace(_: &Span, _: Option<&TraceParent>) {}
