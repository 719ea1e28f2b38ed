//! The probe: everything about asking a server, and nothing about being one.

mod broken;
mod cookies;
mod draw;
mod events;
mod exchange;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod http1;
#[cfg(feature = "http3")]
mod http3;
mod journey;
mod judge;
mod metrics;
mod options;
mod plain;
mod probe;
mod received;
mod target;
mod token;
mod trip;
mod watch;

#[cfg(test)]
mod tests;

use leadsman_core::{Cause, Command, Difference, Plugin, inventory};

use options::HttpOptions;

inventory::submit! {
    Plugin::new::<HttpOptions>("http", "Answer of an HTTP server, with the time of each phase")
        .docs(include_str!("../README.md"))
        .metrics(metrics::ALL)
        .differs(DIFFERENCES)
        .causes(&[
            Cause::Closed,
            Cause::Mismatch,
            Cause::Protocol,
            Cause::Refused,
            Cause::Rejected,
            Cause::Reset,
            Cause::Resolve,
            Cause::Timeout,
            Cause::Tls,
            Cause::Unreachable,
        ])
        .command(Command {
            shorts: &[
                ('X', "method"),
                ('d', "body"),
                ('x', "proxy_url"),
                ('I', "source_ip_address"),
            ],
            draw: Some(draw::draw),
            ..Command::new("http", "URL")
        })
}

/// What people who come from `blackbox_exporter` should know.
const DIFFERENCES: &[Difference] = &[
    Difference::always(
        "All addresses of a name are tried in turn, not the first alone; \
         probe_http_connect_attempts says how many were.",
    ),
    Difference::always(
        "What a certificate says is known although it was refused: probe_tls_certificate_*.",
    ),
    Difference::always("The field User-Agent names leadsman, if headers do not set it."),
    Difference::where_set(
        "tls_config.insecure_skip_verify",
        "true",
        "probe_ssl_last_chain_expiry_timestamp_seconds is absent where no chain is trusted, not in \
         the year 1.",
    )
    .mimicked(),
    Difference::where_set(
        "tls_config.min_version",
        "TLS10",
        "TLS 1.2 is the lowest version that is spoken.",
    ),
    Difference::where_set(
        "tls_config.min_version",
        "TLS11",
        "TLS 1.2 is the lowest version that is spoken.",
    ),
    Difference::where_set(
        "follow_redirects",
        "false",
        "Rules about the body look at that of a redirect that is not followed, where they would \
         fail always.",
    )
    .mimicked(),
    Difference::where_set(
        "no_follow_redirects",
        "true",
        "Rules about the body look at that of a redirect that is not followed, where they would \
         fail always.",
    )
    .mimicked(),
];
