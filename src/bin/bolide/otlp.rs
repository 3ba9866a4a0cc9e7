//! Traces for a collector of OpenTelemetry: OTLP over HTTP, in protobuf.

use std::fmt;
use std::pin::Pin;
use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::runtime::Handle;
use tracing::Subscriber;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, layer};

/// The target of the spans of the server.
const SPANS: &str = "bolide::span";

/// The name of the service in traces, unless the variable `OTEL_SERVICE_NAME` says another one.
const SERVICE: &str = "bolide";

/// The timeout of an export, and of the last one when the server stops.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The maximum length of an answer of the collector, in bytes.
const LONGEST_ANSWER: usize = 1 << 20;

/// The address of a collector.
#[derive(Clone, Debug)]
pub(crate) struct Collector(Uri);

/// Why a URL is not the address of a collector.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotACollector {
    #[error("a URL such as http://127.0.0.1:4318 is needed")]
    Malformed,
    #[error("only http is supported; let a collector on this machine send the traces on over TLS")]
    NotHttp,
}

/// Sends spans to a collector, in batches.
pub(crate) struct Exporter(SdkTracerProvider);

/// A client that runs on the runtime of the server: the exporter has a thread of its own.
struct OnRuntime {
    client: Client<HttpConnector, Full<Bytes>>,
    runtime: Handle,
}

impl FromStr for Collector {
    type Err = NotACollector;

    fn from_str(text: &str) -> Result<Self, NotACollector> {
        let uri: Uri = text.parse().map_err(|_| NotACollector::Malformed)?;
        match uri.scheme_str() {
            Some("http") if uri.host().is_some_and(|host| !host.is_empty()) => Ok(Self(uri)),
            Some("https") => Err(NotACollector::NotHttp),
            _ => Err(NotACollector::Malformed),
        }
    }
}

impl Collector {
    /// Returns where traces are sent: the path of the URL, or by default that of the specification.
    fn endpoint(&self) -> String {
        let path = self.0.path();
        if path.is_empty() || path == "/" {
            return format!("{}/v1/traces", self.0.to_string().trim_end_matches('/'));
        }
        self.0.to_string()
    }
}

impl Exporter {
    /// Starts the exporter. Call it inside of a tokio runtime.
    pub(crate) fn new(collector: &Collector) -> Result<Self, Box<dyn std::error::Error>> {
        let client = Client::builder(TokioExecutor::new()).build_http();
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(OnRuntime { client, runtime: Handle::current() })
            .with_endpoint(collector.endpoint())
            .with_timeout(TIMEOUT)
            .build()?;
        let named = std::env::var("OTEL_SERVICE_NAME").unwrap_or_else(|_| SERVICE.to_owned());
        let resource = Resource::builder().with_service_name(named).build();
        Ok(Self(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build()))
    }

    /// Returns what takes the spans of the server, and nothing else.
    pub(crate) fn layer<S: Subscriber + for<'span> LookupSpan<'span>>(&self) -> impl Layer<S> + use<S> {
        let traces = tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer(SERVICE))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false);
        layer::Identity::new().and_then(traces).with_filter(Targets::new().with_target(SPANS, LevelFilter::DEBUG))
    }

    /// Sends the spans that wait.
    pub(crate) async fn end(self) {
        let ended = tokio::task::spawn_blocking(move || self.0.shutdown_with_timeout(TIMEOUT)).await;
        if let Ok(Err(error)) = ended {
            tracing::warn!(%error, "the last traces could not be sent");
        }
    }
}

type Sent<'answer> = Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'answer>>;

impl HttpClient for OnRuntime {
    fn send_bytes<'own, 'answer>(&'own self, request: Request<Bytes>) -> Sent<'answer>
    where
        'own: 'answer,
    {
        let client = self.client.clone();
        let sending = async move {
            let answer = client.request(request.map(Full::new)).await?;
            let (head, body) = answer.into_parts();
            let body = Limited::new(body, LONGEST_ANSWER).collect().await?.to_bytes();
            Ok::<_, HttpError>(Response::from_parts(head, body))
        };
        let sent = async move { tokio::time::timeout(TIMEOUT, sending).await? };
        let sent = self.runtime.spawn(sent);
        Box::pin(async move { sent.await? })
    }
}

impl fmt::Debug for OnRuntime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("OnRuntime").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tracing_subscriber::Registry;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[test]
    fn a_collector_is_named_by_its_address_or_by_the_whole_url() {
        let endpoint = |text: &str| text.parse::<Collector>().map(|collector| collector.endpoint()).ok();
        assert_eq!(endpoint("http://127.0.0.1:4318").as_deref(), Some("http://127.0.0.1:4318/v1/traces"));
        assert_eq!(endpoint("http://[::1]:4318/").as_deref(), Some("http://[::1]:4318/v1/traces"));
        assert_eq!(endpoint("http://collector/otlp/traces").as_deref(), Some("http://collector/otlp/traces"));
        for wrong in ["https://collector", "collector:4318", "/v1/traces", ""] {
            assert_eq!(endpoint(wrong), None, "{wrong}");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn spans_are_sent_to_the_collector_and_events_are_not() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let collector: Collector = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let received = tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let (mut bytes, mut part) = (Vec::new(), [0; 4096]);
            // The batch ends with the name of the span, so the whole of it has come.
            while !contains(&bytes, "a_method") {
                let length = socket.read(&mut part).await.unwrap();
                assert!(length > 0, "{}", String::from_utf8_lossy(&bytes));
                bytes.extend_from_slice(&part[..length]);
            }
            socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
            bytes
        });
        let exporter = Exporter::new(&collector).unwrap();
        let subscriber = Registry::default().with(exporter.layer());
        tracing::subscriber::with_default(subscriber, || {
            let span = tracing::debug_span!(target: SPANS, "call", otel.name = "a_method");
            let _in_it = span.enter();
            tracing::error!("an event of the log");
        });
        exporter.end().await;
        let received = received.await.unwrap();
        assert!(contains(&received, "POST /v1/traces HTTP/1.1\r\n"), "{}", String::from_utf8_lossy(&received));
        assert!(contains(&received, SERVICE) && !contains(&received, "an event of the log"));
    }

    fn contains(bytes: &[u8], text: &str) -> bool {
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    }
}
