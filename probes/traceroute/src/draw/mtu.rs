//! How is it shown what a path carries?
//!
//! A line for each hop that answers, with the largest packet that gets there; behind the last hop
//! before a narrow link stands what that carries, and what becomes of larger packets. Where more may
//! fit than is known to, the largest that it can be stands beside.

use std::fmt::Write as _;

use super::INFALLIBLE;
use crate::events::sounding::{Narrowing, PathMtu};

/// Writes what was found below a trace.
pub(super) fn write(found: &PathMtu, width: usize, page: &mut String) {
    let packets = match found.packets {
        1 => "1 packet".to_owned(),
        packets => format!("{packets} packets"),
    };
    match found.bytes {
        Some(bytes) => writeln!(page, "\nMTU {bytes} bytes: {packets}"),
        None => writeln!(
            page,
            "\nMTU unknown, for no large packet was answered: {packets}"
        ),
    }
    .expect(INFALLIBLE);
    let own = found
        .narrowings
        .iter()
        .filter(|narrow| narrow.after_ttl == 0);
    let mut lines: Vec<_> = own
        .map(|narrow| format!("  0  this host{}", remark(narrow)))
        .collect();
    let addresses = found.hops.iter().map(|hop| hop.address.to_string().len());
    let column = addresses.max().unwrap_or(0);
    for hop in &found.hops {
        let address = hop.address.to_string();
        let mut line = format!("{:>3}  {address:column$}  {:>5}", hop.ttl, hop.bytes);
        if let Some(most) = hop.at_most {
            write!(line, " or more, at most {most}").expect(INFALLIBLE);
        }
        let narrow = found
            .narrowings
            .iter()
            .filter(|narrow| narrow.after_ttl == hop.ttl);
        narrow.for_each(|narrow| line.push_str(&remark(narrow)));
        lines.push(line);
    }
    for line in lines {
        page.extend(line.chars().take(width));
        page.push('\n');
    }
}

fn remark(narrow: &Narrowing) -> String {
    let larger = match &*narrow.larger {
        "silent" => ": a black hole, larger packets vanish",
        "refused" => ": larger packets are refused without saying so",
        _ => "",
    };
    format!("  mtu {}{larger}", narrow.bytes)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn narrow_links_stand_behind_the_hop_before_them() {
        let narrowings = json!([
            { "after_ttl": 1, "bytes": 1400, "larger": "told" },
            { "after_ttl": 2, "bytes": 1280, "larger": "silent" },
        ]);
        let hops = json!([
            { "ttl": 1, "address": "10.0.0.1", "bytes": 1400, "at_most": 1500 },
            { "ttl": 2, "address": "10.0.10.1", "bytes": 1400 },
            { "ttl": 4, "address": "10.0.0.4", "bytes": 1280 },
        ]);
        let expected = "
MTU 1280 bytes: 21 packets
  1  10.0.0.1    1400 or more, at most 1500  mtu 1400
  2  10.0.10.1   1400  mtu 1280: a black hole, larger packets vanish
  4  10.0.0.4    1280
";
        check(Some(1280), &hops, &narrowings, expected);
    }

    #[test]
    fn the_own_link_may_be_the_narrow_one_and_nothing_be_known() {
        let narrowings = json!([{ "after_ttl": 0, "bytes": 1400, "larger": "silent" }]);
        let hops = json!([{ "ttl": 1, "address": "10.0.0.1", "bytes": 1400 }]);
        let expected = "
MTU 1400 bytes: 21 packets
  0  this host  mtu 1400: a black hole, larger packets vanish
  1  10.0.0.1   1400
";
        check(Some(1400), &hops, &narrowings, expected);
        let expected = "\nMTU unknown, for no large packet was answered: 21 packets\n";
        check(None, &json!([]), &json!([]), expected);
    }

    #[track_caller]
    fn check(bytes: Option<u32>, hops: &Value, narrowings: &Value, expected: &str) {
        let found = json!({
            "bytes": bytes,
            "black_hole": true,
            "packets": 21,
            "hops": hops,
            "narrowings": narrowings,
        });
        let mut page = String::new();
        write(&serde_json::from_value(found).unwrap(), 80, &mut page);
        assert_eq!(page, expected);
    }
}
