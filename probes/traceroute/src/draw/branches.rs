//! How are all paths to a target shown to a person?
//!
//! A line for each router below those of the trace, one TTL after the other. Where several stand
//! at two TTLs in a row, an arrow says which of them lead to which; elsewhere it is plain.

use std::fmt::Write as _;
use std::net::IpAddr;

use leadsman_core::draw::Stage;

use super::INFALLIBLE;
use crate::events::branching::{Branches, Enumerated, Said};

/// What is known of all paths to one target: nothing if they are not wanted.
#[derive(Default)]
pub(super) struct Branching {
    /// By TTL.
    hops: Vec<Branches>,
    ended: Option<Enumerated>,
}

impl Branching {
    pub(super) fn take(&mut self, said: Said) {
        match said {
            Said::Branches(branches) => self.hops.push(branches),
            Said::Enumerated(ended) => self.ended = Some(ended),
        }
    }

    pub(super) fn write(&self, stage: &Stage, page: &mut String) {
        let Some(ended) = &self.ended else { return };
        let paths = counted(ended.paths, "path");
        let (diamonds, packets) = (ended.diamonds as u64, ended.packets);
        let (diamonds, packets) = (counted(diamonds, "diamond"), counted(packets, "packet"));
        let sure = match (ended.confidence, ended.most_flows) {
            (Some(percent), _) => format!("all at {percent} %"),
            (None, Some(flows)) => {
                format!("perhaps more: there are only {flows} flows without privileges")
            }
            (None, None) if ended.complete => "some hops answer too seldom to be sure".to_owned(),
            (None, None) => "stopped before all were found".to_owned(),
        };
        writeln!(page, "\nPATHS {paths}, {diamonds}, {sure}: {packets}").expect(INFALLIBLE);
        let addresses = self.hops.iter().flat_map(|hop| &hop.routers);
        let column = addresses.map(|router| router.address.to_string().len());
        let column = column.max().unwrap_or(1);
        for (at, hop) in self.hops.iter().enumerate() {
            let goes_apart = self
                .hops
                .get(at + 1)
                .is_some_and(|next| next.routers.len() > 1);
            for line in lines(hop, column, goes_apart, arrow(stage.utf8)) {
                page.extend(line.trim_end().chars().take(stage.width));
                page.push('\n');
            }
        }
    }
}

/// A line for each router of a TTL; `goes_apart` if there are several at the next.
fn lines(hop: &Branches, column: usize, goes_apart: bool, arrow: &str) -> Vec<String> {
    if hop.routers.is_empty() {
        return vec![format!("{:>3}  *", hop.ttl)];
    }
    let several = hop.routers.len() > 1;
    let routers = hop.routers.iter().enumerate();
    let lines = routers.map(|(place, router)| {
        let ttl = if place == 0 {
            hop.ttl.to_string()
        } else {
            String::new()
        };
        let address = router.address.to_string();
        let mut line = format!("{ttl:>3}  {address:column$}");
        if several && goes_apart && !router.next.is_empty() {
            let next: Vec<_> = router.next.iter().map(IpAddr::to_string).collect();
            write!(line, "  {arrow} {}", next.join(", ")).expect(INFALLIBLE);
        }
        match &*hop.spread {
            "per_flow" if place == 0 => line.push_str("  by flow"),
            "per_packet" if place == 0 => line.push_str("  by packet"),
            _ => {}
        }
        line
    });
    lines.collect()
}

fn counted(count: u64, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}

fn arrow(utf8: bool) -> &'static str {
    if utf8 { "→" } else { "->" }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use leadsman_core::Target;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn branches_stand_beneath_each_other_and_arrows_where_they_are_needed() {
        let router = |address: &str, next: &[&str]| json!({ "address": address, "next": next });
        let hops = [
            hop(
                1,
                "single",
                &[router("10.0.0.1", &["10.0.1.1", "10.0.1.2"])],
            ),
            hop(
                2,
                "per_flow",
                &[
                    router("10.0.1.1", &["10.0.2.10"]),
                    router("10.0.1.2", &["10.0.2.20", "10.0.2.30"]),
                ],
            ),
            hop(
                3,
                "per_flow",
                &[
                    router("10.0.2.10", &[]),
                    router("10.0.2.20", &[]),
                    router("10.0.2.30", &[]),
                ],
            ),
            hop(4, "silent", &[]),
            hop(
                5,
                "per_packet",
                &[router("10.0.3.1", &[]), router("10.0.3.2", &[])],
            ),
        ];
        let expected = "
PATHS 3 paths, 2 diamonds, all at 95 %: 61 packets
  1  10.0.0.1
  2  10.0.1.1   → 10.0.2.10  by flow
     10.0.1.2   → 10.0.2.20, 10.0.2.30
  3  10.0.2.10  by flow
     10.0.2.20
     10.0.2.30
  4  *
  5  10.0.3.1   by packet
     10.0.3.2
";
        check(&hops, (true, Some(95)), expected);
        let expected = "
PATHS 3 paths, 2 diamonds, stopped before all were found: 61 packets
  1  10.0.0.1
";
        check(&hops[..1], (false, None), expected);
        let expected = "
PATHS 3 paths, 2 diamonds, some hops answer too seldom to be sure: 61 packets
  1  10.0.0.1
";
        check(&hops[..1], (true, None), expected);
        let mut drawing = Branching::default();
        drawing.take(Said::Enumerated(Enumerated {
            most_flows: Some(16),
            ..enumerated(true, None)
        }));
        let mut page = String::new();
        drawing.write(&stage(), &mut page);
        let words = "perhaps more: there are only 16 flows without privileges: 61 packets";
        assert!(page.contains(words), "{page}");
    }

    #[track_caller]
    fn check(hops: &[Value], (complete, confidence): (bool, Option<u8>), expected: &str) {
        let mut drawing = Branching::default();
        for hop in hops {
            let hop = serde_json::from_value(hop.clone()).unwrap();
            drawing.take(Said::Branches(hop));
        }
        let mut page = String::new();
        drawing.write(&stage(), &mut page);
        assert_eq!(page, "", "before it is over");
        drawing.take(Said::Enumerated(enumerated(complete, confidence)));
        drawing.write(&stage(), &mut page);
        assert_eq!(page, expected);
    }

    fn enumerated(complete: bool, confidence: Option<u8>) -> Enumerated {
        Enumerated {
            paths: 3,
            diamonds: 2,
            packets: 61,
            complete,
            confidence,
            most_flows: None,
        }
    }

    fn stage() -> Stage {
        Stage {
            targets: vec![Arc::new(Target::new("example.com"))],
            width: 80,
            color: false,
            utf8: true,
        }
    }

    fn hop(ttl: u8, spread: &str, routers: &[Value]) -> Value {
        json!({ "ttl": ttl, "spread": spread, "flows": 6, "routers": routers })
    }
}
