//! Which autonomous system does an address belong to?
//!
//! Read from a file of this host, in the format of iptoasn.com: a line for each range of addresses,
//! with its first and last address and the number of the system that announces it, then what is not
//! needed here, all separated by tabs. Nothing is asked over the network, and where the file comes
//! from and how old it is are its owner's affair.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::path::Asn;

/// Ranges of addresses and the systems that announce them: 12 bytes for one of IPv4, 36 for one of
/// IPv6.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Systems {
    /// Both in ascending order.
    v4: Vec<Range<Ipv4Addr>>,
    v6: Vec<Range<Ipv6Addr>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range<A> {
    first: A,
    last: A,
    system: Asn,
}

/// Why there is no database.
#[derive(Debug, thiserror::Error)]
pub enum SystemsError {
    /// The system refused to read it.
    #[error("cannot read the database of autonomous systems {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A line of it makes no sense.
    #[error(
        "cannot read the database of autonomous systems {}, line {line}: {why}; a line is the first \
         and the last address of a range and the number of its system, separated by tabs, as in \
         the files of iptoasn.com", path.display()
    )]
    Line {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        why: &'static str,
    },
}

impl Systems {
    /// Reads a file, unless somebody in this process has it already. Blocks, for up to a second if
    /// it holds the whole Internet.
    pub fn shared(path: &Path) -> Result<Arc<Self>, SystemsError> {
        static READ: Mutex<BTreeMap<PathBuf, Weak<Systems>>> = Mutex::new(BTreeMap::new());
        // Whoever comes meanwhile waits: a second copy would cost more.
        let mut read = READ.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(systems) = read.get(path).and_then(Weak::upgrade) {
            return Ok(systems);
        }
        let failed = |source| SystemsError::Read {
            path: path.to_owned(),
            source,
        };
        let file = File::open(path).map_err(failed)?;
        let systems = Self::read(BufReader::new(file)).map_err(|mistake| match mistake {
            Mistake::Read(source) => failed(source),
            Mistake::Line(line, why) => SystemsError::Line {
                path: path.to_owned(),
                line,
                why,
            },
        })?;
        let systems = Arc::new(systems);
        read.insert(path.to_owned(), Arc::downgrade(&systems));
        Ok(systems)
    }

    /// The system that announces an address, if any does.
    pub fn of(&self, address: IpAddr) -> Option<Asn> {
        match address.to_canonical() {
            IpAddr::V4(address) => find(&self.v4, address),
            IpAddr::V6(address) => find(&self.v6, address),
        }
    }

    fn read(text: impl BufRead) -> Result<Self, Mistake> {
        let mut systems = Self::default();
        for (line, text) in (1..).zip(text.lines()) {
            let text = text.map_err(Mistake::Read)?;
            let entry = systems.add(text.trim_end());
            entry.map_err(|why| Mistake::Line(line, why))?;
        }
        systems.v4.sort_unstable_by_key(|range| range.first);
        systems.v4.shrink_to_fit();
        systems.v6.sort_unstable_by_key(|range| range.first);
        systems.v6.shrink_to_fit();
        Ok(systems)
    }

    fn add(&mut self, line: &str) -> Result<(), &'static str> {
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        let mut fields = line.split('\t');
        let mut address = || fields.next()?.parse().ok();
        let first = address().ok_or("its first field is no address")?;
        let last = address().ok_or("its second field is no address")?;
        let number = fields.next().and_then(|number| number.parse().ok());
        let system = Asn(number.ok_or("its third field is no number of a system")?);
        if system == NOBODY {
            return Ok(());
        }
        match (first, last) {
            (IpAddr::V4(first), IpAddr::V4(last)) if first <= last => self.v4.push(Range {
                first,
                last,
                system,
            }),
            (IpAddr::V6(first), IpAddr::V6(last)) if first <= last => self.v6.push(Range {
                first,
                last,
                system,
            }),
            _ => return Err("its range has no beginning and end of one family, in that order"),
        }
        Ok(())
    }
}

enum Mistake {
    Read(io::Error),
    Line(usize, &'static str),
}

fn find<A: Ord + Copy>(ranges: &[Range<A>], address: A) -> Option<Asn> {
    let beyond = ranges.partition_point(|range| range.first <= address);
    let range = ranges.get(beyond.checked_sub(1)?)?;
    (address <= range.last).then_some(range.system)
}

/// What such files call an address that nobody announces (RFC 7607 reserves it).
const NOBODY: Asn = Asn(0);

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
2001:db8::\t2001:db8:0:ffff:ffff:ffff:ffff:ffff\t64503\tZZ\tSIX
192.0.2.128\t192.0.2.255\t64502\tZZ\tUPPER, with a comma
192.0.2.0\t192.0.2.127\t64501\tZZ\tLOWER
198.51.100.0\t198.51.100.255\t0\tNone\tNot routed

# a remark
203.0.113.9\t203.0.113.9\t4294967294
";

    #[test]
    fn addresses_belong_to_the_range_that_holds_them() {
        let systems = read(FILE).unwrap();
        for (address, expected) in [
            ("192.0.1.255", None),
            ("192.0.2.0", Some(64501)),
            ("192.0.2.127", Some(64501)),
            ("192.0.2.128", Some(64502)),
            ("192.0.2.255", Some(64502)),
            ("192.0.3.0", None),
            ("198.51.100.7", None),
            ("203.0.113.9", Some(4_294_967_294)),
            ("255.255.255.255", None),
            ("::ffff:192.0.2.1", Some(64501)),
            ("2001:db8::1", Some(64503)),
            ("2001:db8:1::", None),
            ("::", None),
        ] {
            let found = systems.of(address.parse().unwrap());
            assert_eq!(found, expected.map(Asn), "{address}");
        }
    }

    #[test]
    fn a_line_that_makes_no_sense_is_told() {
        for (line, expected) in [
            ("192.0.2.0/24\t64501", "1: its first field is no address"),
            ("\n192.0.2.0\t\t64501", "2: its second field is no address"),
            (
                "192.0.2.0\t192.0.2.9\tAS1",
                "1: its third field is no number",
            ),
            ("192.0.2.0\t192.0.2.9", "1: its third field is no number"),
            ("192.0.2.9\t192.0.2.0\t1", "1: its range has no beginning"),
            ("192.0.2.0\t::1\t1", "1: its range has no beginning"),
            ("\u{0}\u{1}ü\t\t\t", "1: its first field is no address"),
        ] {
            let said = read(line).unwrap_err();
            assert!(said.starts_with(expected), "{line:?}: {said}");
        }
    }

    #[test]
    fn a_file_is_read_once_for_all() {
        let path = std::env::temp_dir().join(format!("systems-{}", std::process::id()));
        let missing = Systems::shared(&path).unwrap_err().to_string();
        assert!(missing.contains(path.to_str().unwrap()), "{missing}");
        std::fs::write(&path, FILE).unwrap();
        let one = Systems::shared(&path);
        let other = Systems::shared(&path);
        std::fs::remove_file(&path).unwrap();
        assert!(Arc::ptr_eq(&one.unwrap(), &other.unwrap()));
    }

    fn read(text: &str) -> Result<Systems, String> {
        Systems::read(text.as_bytes()).map_err(|mistake| match mistake {
            Mistake::Read(error) => error.to_string(),
            Mistake::Line(line, why) => format!("{line}: {why}"),
        })
    }
}
