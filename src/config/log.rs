//! What is logged, in which shape, and where traces would go. Logs go to standard error and never
//! hold names, addresses, payloads or secrets.

use tracing_subscriber::EnvFilter;

use super::reader::{Reader, http_url};
use super::setting::Setting;

/// The shape of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One readable line an event.
    Text,
    /// One JSON object a line.
    Json,
}

/// Logging.
#[derive(Debug, Clone)]
pub struct Log {
    /// A filter as `tracing_subscriber::EnvFilter` reads it; already known to parse.
    pub filter: String,
    /// The shape of a line.
    pub format: LogFormat,
    /// OTLP endpoint for traces, as the OpenTelemetry specification names it.
    pub otel_endpoint: Option<String>,
}

const FILTER: Setting = Setting::new("ROLLCALL_LOG", "log", "log.filter")
    .help(
        "FILTER",
        "What is logged: a level, or `target=level` pairs, as in `info,rollcall::worker=debug`.",
    )
    .default("info,actix_server=warn");

const FORMAT: Setting = Setting::new("ROLLCALL_LOG_FORMAT", "log-format", "log.format")
    .help("FORMAT", "Shape of a log line: `text` or `json`.")
    .default("text");

const OTEL_ENDPOINT: Setting = Setting::new(
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "otel-endpoint",
    "log.otel_endpoint",
)
.help(
    "URL",
    "Collector for traces. This build exports none, and warns at start when it is set.",
);

pub(super) const SETTINGS: &[Setting] = &[FILTER, FORMAT, OTEL_ENDPOINT];

pub(super) fn read(from: &mut Reader<'_>) -> Option<Log> {
    let filter = from.value(&FILTER, filter);
    let format = from.value(&FORMAT, format);
    let otel_endpoint = from.value(&OTEL_ENDPOINT, http_url);
    Some(Log {
        filter: filter?,
        format: format?,
        otel_endpoint,
    })
}

fn filter(text: &str) -> Result<String, String> {
    // Its parser takes letters for bytes and panics on others (tracing-subscriber 0.3.23; found by `fuzz/`).
    if !text.is_ascii() {
        return Err(
            "a log filter has ASCII letters only: write `info`, or `info,rollcall::worker=debug`"
                .to_owned(),
        );
    }
    EnvFilter::try_new(text)
        .map(|_| text.to_owned())
        .map_err(|why| {
            format!(
                "`{text}` is no log filter ({why}): write `info`, or `info,rollcall::worker=debug`"
            )
        })
}

fn format(text: &str) -> Result<LogFormat, String> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err(format!("`{text}` is no log format: write `text` or `json`")),
    }
}
