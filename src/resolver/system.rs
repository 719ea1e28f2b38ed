//! What has this machine been told about names?
//!
//! The hosts file and the resolver configuration are read when the first name is asked for, and
//! again whenever one of them has changed: a prober runs for months, and often starts before the
//! network does. Names that need no network are answered here. How resolvers are asked is not
//! decided here.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use hickory_resolver::Hosts;
use hickory_resolver::proto::op::Query;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::system_conf::parse_resolv_conf;
use leadsman_core::Family;
use tracing::warn;

use super::cache::{Answer, Question, Wanted};
use super::names::Named;
use super::upstream::{Upstream, spelt};

/// The files of this machine that say how names are resolved.
#[derive(Debug)]
pub(super) struct System {
    hosts: PathBuf,
    resolv_conf: PathBuf,
    read: Mutex<Option<Read>>,
}

impl System {
    /// The usual files: `/etc/hosts` and `/etc/resolv.conf`.
    pub(super) fn usual() -> Self {
        Self::of("/etc/hosts".into(), "/etc/resolv.conf".into())
    }

    /// These files, which may be missing.
    pub(super) fn of(hosts: PathBuf, resolv_conf: PathBuf) -> Self {
        Self {
            hosts,
            resolv_conf,
            read: Mutex::new(None),
        }
    }

    /// No files, and this in place of what they would say.
    pub(super) fn asking(upstream: Upstream) -> Self {
        let mut system = Self::of(PathBuf::new(), PathBuf::new());
        system.read = Mutex::new(Some(Read {
            modified: [None; 2],
            configuration: Arc::new(Configuration {
                hosts: Hosts::default(),
                upstream: Ok(upstream),
            }),
        }));
        system
    }

    /// What the files say now. Blocks on them, if they have changed.
    pub(super) fn current(&self) -> Arc<Configuration> {
        // The times are read before the contents: what changes in between is read again.
        let modified = [modified(&self.hosts), modified(&self.resolv_conf)];
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(read) = &*read
            && read.modified == modified
        {
            return Arc::clone(&read.configuration);
        }
        let configuration = Arc::new(Configuration {
            hosts: hosts(&self.hosts),
            upstream: upstream(&self.resolv_conf),
        });
        *read = Some(Read {
            modified,
            configuration: Arc::clone(&configuration),
        });
        configuration
    }
}

/// The files' contents, and the times at which they were last changed.
#[derive(Debug)]
struct Read {
    modified: [Option<SystemTime>; 2],
    configuration: Arc<Configuration>,
}

/// What the files say.
#[derive(Debug)]
pub(super) struct Configuration {
    hosts: Hosts,
    /// Whom to ask, or why nobody can be asked.
    pub(super) upstream: Result<Upstream, String>,
}

impl Configuration {
    /// The answer to a question that needs no network: a name in the hosts file, or `localhost`
    /// and the names below it (RFC 6761, section 6.3). A name in the hosts file has no other
    /// addresses than those.
    pub(super) fn local(&self, question: &Question) -> Option<Answer> {
        let Wanted::Addresses(family) = question.wanted else {
            return None;
        };
        let name = Name::from_str_relaxed(&question.name).ok()?;
        let listed = |family| {
            let query = Query::query(name.clone(), record_type(family));
            self.hosts.lookup_static_host(&query)
        };
        let addresses: Arc<[IpAddr]> = if let Some(listed) = listed(family) {
            let addresses = listed.answers().iter();
            addresses
                .filter_map(|record| record.data.ip_addr())
                .collect()
        } else if name.is_localhost() {
            Arc::new([match family {
                Family::V4 => Ipv4Addr::LOCALHOST.into(),
                Family::V6 => Ipv6Addr::LOCALHOST.into(),
            }])
        } else if listed(family.other()).is_some() {
            Arc::new([])
        } else {
            return None;
        };
        Some(Answer {
            records: addresses,
            ttl: LOCAL_TTL,
        })
    }

    /// The name that the hosts file has for an address; of several the first in the alphabet.
    pub(super) fn local_name(&self, address: IpAddr) -> Option<Named> {
        let query = Query::query(address.into(), RecordType::PTR);
        let listed = self.hosts.lookup_static_host(&query)?;
        let names = listed
            .answers()
            .iter()
            .filter_map(|record| match &record.data {
                RData::PTR(name) => Some(spelt(name)),
                _ => None,
            });
        Some(Named {
            name: names.min(),
            ttl: LOCAL_TTL,
        })
    }
}

/// The type of the records that hold addresses of a family.
pub(super) const fn record_type(family: Family) -> RecordType {
    match family {
        Family::V4 => RecordType::A,
        Family::V6 => RecordType::AAAA,
    }
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|file| file.modified()).ok()
}

fn hosts(path: &Path) -> Hosts {
    let mut hosts = Hosts::default();
    let read = fs::read(path).and_then(|text| hosts.read_hosts_conf(text.as_slice()));
    if let Err(error) = read {
        warn!(%error, path = %path.display(), "cannot read the hosts file, and do without it");
    }
    hosts
}

fn upstream(path: &Path) -> Result<Upstream, String> {
    let path_shown = path.display();
    let text = fs::read(path).map_err(|error| format!("cannot read {path_shown}: {error}"))?;
    let (config, options) =
        parse_resolv_conf(text).map_err(|error| format!("cannot use {path_shown}: {error}"))?;
    Upstream::new(config, options).map_err(|error| format!("cannot use {path_shown}: {error}"))
}

/// How soon a change of the hosts file is noticed.
const LOCAL_TTL: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_again_once_they_have_changed() {
        let folder = tempfile::tempdir().unwrap();
        let [hosts, resolv_conf] = ["hosts", "resolv.conf"].map(|name| folder.path().join(name));
        let system = System::of(hosts.clone(), resolv_conf.clone());
        let epoch = SystemTime::UNIX_EPOCH;
        let write = |path: &Path, text: &str, seconds| {
            fs::write(path, text).unwrap();
            let file = fs::File::options().append(true).open(path).unwrap();
            file.set_modified(epoch + Duration::from_secs(seconds))
                .unwrap();
        };
        let printer = || {
            let question = Question::new("printer", Family::V4);
            let answer = system.current().local(&question)?;
            Some(answer.records.to_vec())
        };
        assert_eq!(printer(), None);
        assert!(system.current().upstream.is_err());
        write(&hosts, "192.0.2.7 printer", 1);
        write(&resolv_conf, "nameserver 192.0.2.53", 1);
        assert_eq!(printer(), Some(vec![[192, 0, 2, 7].into()]));
        assert!(system.current().upstream.is_ok());
        assert!(Arc::ptr_eq(&system.current(), &system.current()));
        write(&hosts, "192.0.2.8 printer", 2);
        write(&resolv_conf, "search test", 2);
        assert_eq!(printer(), Some(vec![[192, 0, 2, 8].into()]));
        let why = system.current().upstream.as_ref().unwrap_err().clone();
        assert!(
            why.starts_with("cannot use ") && why.contains("no nameserver"),
            "{why}"
        );
    }
}
