//! How is a run shown to a person?
//!
//! What was asked of whom, the records section by section with their fields in columns, and where
//! the time went. Several servers take turns, each whole.

use std::fmt::Write as _;

use leadsman_core::Event;
use leadsman_core::draw::{Draw, Stage, blocks, milliseconds};
use leadsman_dial::{NotConnected, Phases};

use crate::answer::Section;
use crate::events::{Answered, Asked, Ignored, Records, Truncated, Unanswered};

/// A drawing for as many servers as there are on the stage.
pub(crate) fn draw(stage: Stage) -> Box<dyn Draw> {
    blocks(stage, tell)
}

fn tell(_: &Stage, event: &Event, text: &mut String) {
    match event.name {
        Asked::NAME => told(event, |asked: Asked| {
            let Asked {
                question,
                server,
                over,
            } = asked;
            line(text, &format!("{question} asked of {server} over {over}"));
        }),
        Ignored::NAME => told(event, |ignored: Ignored| {
            line(text, &format!("  ignored a message: {}", ignored.why));
        }),
        Truncated::NAME => told(event, |truncated: Truncated| {
            let bytes = truncated.bytes;
            line(text, &format!("  truncated after {bytes} bytes, so again"));
        }),
        Answered::NAME => told(event, |answered: Answered| answer(&answered, text)),
        Phases::NAME => told(event, |phases: Phases| {
            let took = phases.seconds.iter().filter_map(|(phase, seconds)| {
                let took = std::time::Duration::try_from_secs_f64(seconds).ok()?;
                Some(format!("{phase} {} ms", milliseconds(took)))
            });
            line(text, &format!("  {}", took.collect::<Vec<_>>().join(", ")));
        }),
        Unanswered::NAME => told(event, |unanswered: Unanswered| {
            let seconds = unanswered.seconds;
            line(
                text,
                &format!("  no answer within {seconds:.1} s, so again"),
            );
        }),
        NotConnected::NAME => told(event, |NotConnected { detail, .. }| {
            line(text, &format!("  {detail}"));
        }),
        _ => {}
    }
}

fn told<T: serde::de::DeserializeOwned>(event: &Event, tell: impl FnOnce(T)) {
    if let Some(said) = event.read() {
        tell(said);
    }
}

fn answer(answered: &Answered, text: &mut String) {
    let Answered {
        rcode,
        flags,
        bytes,
        ..
    } = answered;
    let flags = match flags.as_slice() {
        [] => String::new(),
        flags => format!(", flags {}", flags.join(" ")),
    };
    line(text, &format!("  {rcode} in {bytes} bytes{flags}"));
    let sections = [&answered.answer, &answered.authority, &answered.additional];
    for (section, records) in Section::ALL.into_iter().zip(sections) {
        if records.count > 0 {
            line(text, &format!("  {section}"));
            table(records, text);
        }
    }
}

/// Records with their fields in columns.
fn table(records: &Records, text: &mut String) {
    let rows = records.texts.iter().map(|record| {
        let mut fields = record.split('\t');
        let row: Vec<_> = fields.by_ref().take(FIELDS).collect();
        (row, fields.collect::<Vec<_>>().join(" "))
    });
    let rows: Vec<_> = rows.collect();
    let widths: [usize; FIELDS] = std::array::from_fn(|column| {
        let cells = rows.iter().filter(|(row, _)| row.len() == FIELDS);
        cells
            .map(|(row, _)| row[column].len())
            .max()
            .unwrap_or_default()
    });
    for (row, data) in &rows {
        if row.len() < FIELDS {
            // EDNS, which is a comment of some lines.
            for comment in row.join(" ").trim().lines() {
                line(
                    text,
                    &format!("    {}", comment.trim_start_matches([';', ' '])),
                );
            }
            continue;
        }
        let mut shown = "    ".to_owned();
        for (cell, width) in row.iter().zip(widths) {
            let cell = format!("{cell:<width$}  ");
            shown.push_str(&cell);
        }
        line(text, &format!("{shown}{data}"));
    }
    let more = records.count - records.texts.len().min(records.count);
    if more > 0 {
        line(text, &format!("    and {more} more"));
    }
}

fn line(text: &mut String, line: &str) {
    writeln!(text, "{}", line.trim_end()).expect("a String takes whatever is written to it");
}

/// Those before the data: name, TTL, class and type.
const FIELDS: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_stand_in_columns() {
        let records = |texts: &[&str]| Records {
            count: texts.len(),
            texts: texts.iter().map(|text| (*text).to_owned()).collect(),
        };
        let answered = Answered {
            rcode: "NOERROR".to_owned(),
            flags: vec!["aa".into(), "rd".into()],
            bytes: 120,
            answer: records(&[
                "a.test.\t300\tIN\tA\t192.0.2.1",
                "www.a.test.\t86400\tIN\tCNAME\ta.test.",
            ]),
            authority: records(&[]),
            additional: Records {
                count: 101,
                ..records(&["\n;; OPT PSEUDOSECTION:\n; EDNS: version 0; flags:; udp: 1232"])
            },
        };
        let mut text = String::new();
        answer(&answered, &mut text);
        let expected = [
            "  NOERROR in 120 bytes, flags aa rd",
            "  answer",
            "    a.test.      300    IN  A      192.0.2.1",
            "    www.a.test.  86400  IN  CNAME  a.test.",
            "  additional",
            "    OPT PSEUDOSECTION:",
            "    EDNS: version 0; flags:; udp: 1232",
            "    and 100 more",
        ];
        assert_eq!(text.lines().collect::<Vec<_>>(), expected);
    }
}
