//! What does a person see who opens the program in a browser?
//!
//! Who fails now, which runs failed lately, and where everything else is. One page, without
//! scripts and without anything from elsewhere. Every text that is not ours is escaped, and the
//! template's places are comments, which no escaped text can contain.

use std::fmt::{self, Write};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use hyper::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderValue};
use hyper::{Response, StatusCode};
use jiff::Timestamp;
use leadsman_core::Fault;
use leadsman_core::options::Period;

use super::reply::{Body, typed};
use crate::config::{Config, Scheduled};
use crate::history::{Asked, Entry, Failing, History};
use crate::host::Host;

/// Answers with the page as of now.
pub(super) fn answer(host: &Host) -> Response<Body> {
    let page = page(&host.config.load(), &host.services.history);
    let mut reply = typed(
        StatusCode::OK,
        "text/html; charset=utf-8",
        Body::Whole(page.into()),
    );
    let headers = reply.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}

fn page(config: &Config, history: &History) -> String {
    let entries = history.entries();
    let failed: Vec<_> = entries
        .iter()
        .filter(|entry| entry.run.result.is_err())
        .collect();
    let watched: Vec<_> = config
        .probes
        .iter()
        .map(|probe| Watched::now(probe, history))
        .collect();
    TEMPLATE
        .replace("<!-- version -->", env!("CARGO_PKG_VERSION"))
        .replace("<!-- summary -->", &summary(&watched))
        .replace("<!-- probes -->", &probes(&watched))
        .replace(
            "<!-- failures -->",
            &runs(failed.into_iter().take(MOST_ROWS)),
        )
        .replace("<!-- runs -->", &runs(recent(&entries)))
        .replace("<!-- form -->", &form(config))
}

/// A scheduled probe and which of its targets fail, in the order of the configuration.
struct Watched<'a> {
    probe: &'a Scheduled,
    failing: Vec<(&'a str, Failing)>,
}

impl<'a> Watched<'a> {
    fn now(probe: &'a Scheduled, history: &History) -> Self {
        let known = history.failing(&probe.name);
        let failing = |address: &'a str| Some((address, *known.get(address)?));
        let addresses = probe.targets.iter().map(|target| &*target.address);
        Self {
            probe,
            failing: if known.is_empty() {
                Vec::new()
            } else {
                addresses.filter_map(failing).collect()
            },
        }
    }
}

/// How all targets fare, in one line.
fn summary(watched: &[Watched<'_>]) -> String {
    let targets: usize = watched
        .iter()
        .map(|watched| watched.probe.targets.len())
        .sum();
    let known = || watched.iter().flat_map(|watched| &watched.failing);
    let ours = known().filter(|(_, failing)| failing.ours).count();
    let theirs = known().count() - ours;
    let mut summary = match (targets, theirs) {
        (0, _) => return "<span class=soft>Nothing is probed on a schedule.</span>".to_owned(),
        (_, 0) => format!("<span class=good>None of {targets} scheduled targets fails.</span>"),
        _ => format!("<span class=bad>Failing: {theirs} of {targets} scheduled targets.</span>"),
    };
    if ours > 0 {
        write!(
            summary,
            " <span class=ours>Not probed, by our own fault: {ours}.</span>"
        )
        .expect(TAKES_ALL);
    }
    summary
}

/// The newest runs of each kind, so that a busy schedule does not hide what people asked for.
fn recent(entries: &[Arc<Entry>]) -> impl Iterator<Item = &Arc<Entry>> {
    let (mut asked, mut scheduled) = (0, 0);
    entries.iter().filter(move |entry| {
        let seen = match entry.asked {
            Asked::Module(_) => &mut asked,
            Asked::Schedule { .. } => &mut scheduled,
        };
        *seen += 1;
        *seen <= MOST_ROWS
    })
}

fn probes(watched: &[Watched<'_>]) -> String {
    if watched.is_empty() {
        return "<p class=none>None. They stand under <code>probes:</code> in the configuration.</p>"
            .to_owned();
    }
    let mut rows = String::new();
    for Watched { probe, failing } in watched {
        let state = match failing.len() {
            0 => "<span class=good>none</span>".to_owned(),
            count => format!("{count}{}", list(failing)),
        };
        writeln!(
            rows,
            "<tr><td class=name>{}<td>{}<td class=number data-label=every>{}\
             <td class=number data-label=targets>{}<td class=detail data-label=failing>{state}",
            Escaped(&probe.name),
            Escaped(probe.plugin.name()),
            Period(probe.every.duration()),
            probe.targets.len(),
        )
        .expect(TAKES_ALL);
    }
    table(
        "<th>Name<th>Probe<th class=number>Every<th class=number>Targets<th>Failing now",
        &rows,
    )
}

fn list(failing: &[(&str, Failing)]) -> String {
    let mut list = "<ul>".to_owned();
    for (
        address,
        Failing {
            reason,
            ours,
            since,
            ..
        },
    ) in failing.iter().take(MOST_NAMED)
    {
        let blame = if *ours { "ours" } else { "bad" };
        write!(
            list,
            "<li><span class=target>{}</span> <span class={blame}>{reason}</span> since {}",
            Escaped(address),
            time(*since),
        )
        .expect(TAKES_ALL);
    }
    if let Some(more) = failing
        .len()
        .checked_sub(MOST_NAMED)
        .filter(|more| *more > 0)
    {
        write!(list, "<li class=soft>and {more} more").expect(TAKES_ALL);
    }
    list + "</ul>"
}

fn runs<'a>(entries: impl Iterator<Item = &'a Arc<Entry>>) -> String {
    let mut rows = String::new();
    for entry in entries {
        let run = &entry.run;
        let kind = match entry.asked {
            Asked::Module(_) => "<span class=soft>module</span> ",
            Asked::Schedule { .. } => "",
        };
        let (result, detail) = match &run.result {
            Ok(()) => ("<span class=good>success</span>".to_owned(), String::new()),
            Err(fault @ Fault::Target(..)) => (
                format!("<span class=bad>{}</span>", fault.reason()),
                fault.to_string(),
            ),
            Err(fault @ Fault::Own(..)) => (
                format!("<span class=ours>{}</span>", fault.reason()),
                format!("could not ask: {fault}"),
            ),
        };
        writeln!(
            rows,
            "<tr><td class=time>{}<td>{result}<td class=name>{kind}{}<td class=target>{}\
             <td class=number>{}<td class=detail>{}<td><a href=\"logs?id={}\">log</a>",
            time(run.started),
            Escaped(entry.asked.name()),
            Escaped(&run.target.address),
            lasted(run.duration),
            Escaped(&detail),
            entry.id,
        )
        .expect(TAKES_ALL);
    }
    if rows.is_empty() {
        return "<p class=none>None so far.</p>".to_owned();
    }
    table(
        "<th>Started (UTC)<th>Result<th>Probe<th>Target<th class=number>Took<th>Why<th>",
        &rows,
    )
}

fn table(head: &str, rows: &str) -> String {
    format!("<div class=wide><table><thead><tr>{head}</thead><tbody>\n{rows}</tbody></table></div>")
}

/// The way to `/probe` for a person.
fn form(config: &Config) -> String {
    if config.modules.is_empty() {
        return "<p class=none>There are no <code>modules:</code> in the configuration.</p>"
            .to_owned();
    }
    let mut options = String::new();
    for name in config.modules.keys() {
        write!(options, "<option>{}</option>", Escaped(name)).expect(TAKES_ALL);
    }
    format!(
        "<form action=\"probe\"><label>Module<select name=\"module\">{options}</select></label>\
         <label class=target>Target<input name=\"target\" required></label>\
         <input type=\"hidden\" name=\"debug\" value=\"true\"><button>Probe</button></form>"
    )
}

fn time(at: SystemTime) -> String {
    // Only a clock that is off by millennia has no timestamp.
    let at = Timestamp::try_from(at).unwrap_or_default();
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

fn lasted(duration: Duration) -> String {
    format!("{duration:.1?}")
}

/// Text that is harmless anywhere in the page, inside an attribute's quotes too.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some(at) = rest.find(['&', '<', '>', '"', '\'']) {
            f.write_str(&rest[..at])?;
            write!(f, "&#{};", rest.as_bytes()[at])?;
            rest = &rest[at + 1..];
        }
        f.write_str(rest)
    }
}

const TAKES_ALL: &str = "a String takes whatever is written to it";
const TEMPLATE: &str = include_str!("index.html");
/// Nothing but the style in the page itself; its form leads to this program alone.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; \
                      base-uri 'none'; frame-ancestors 'none'";
/// Rows of each kind of run, so that a long history keeps the page short.
const MOST_ROWS: usize = 100;
/// Failing targets that a probe's row names.
const MOST_NAMED: usize = 10;
