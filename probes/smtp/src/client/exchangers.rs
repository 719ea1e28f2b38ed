//! Who takes the mail of a domain, and in which order are they tried?
//!
//! RFC 5321, section 5.1, and RFC 7505, decided from what was found in the DNS: preference first,
//! those of one preference shuffled. A domain without exchangers takes its mail itself, but only if
//! it is known to have none. Where the hosts are is not known here.

use std::net::IpAddr;

use leadsman_core::{Exchanger, ResolveError};

use super::phase::Outcome;

/// Who is to be tried, in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) candidates: Vec<Candidate>,
    /// Whether the domain stands in for exchangers that it does not have.
    pub(crate) is_implicit: bool,
    /// How many records there are.
    pub(crate) records: usize,
    /// Records that are wrong, and why.
    pub(crate) flaws: Vec<(MxFlaw, String)>,
}

/// A host that is to be tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) preference: u16,
    pub(crate) host: String,
}

/// What can be wrong with a record; a closed set, for it becomes a label value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MxFlaw {
    /// `.` stands among others, where it means nothing (RFC 7505, section 3).
    NullAmongOthers,
    /// An address stands in the place of a name.
    Numeric,
    /// The host's name is an alias (RFC 2181, section 10.3).
    Alias,
    /// The host has no address.
    Dangling,
}

/// The values of the label `flaw`, in the order of [`MxFlaw`].
pub(crate) const FLAWS: &[&str] = &["null_among_others", "numeric", "alias", "dangling"];

/// Why there is nobody to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Nobody {
    pub(crate) outcome: Outcome,
    pub(crate) detail: String,
    /// Records that are wrong, and why.
    pub(crate) flaws: Vec<(MxFlaw, String)>,
}

impl MxFlaw {
    /// The value of the label `flaw`.
    pub(crate) const fn label(self) -> &'static str {
        FLAWS[self as usize]
    }
}

/// Orders what was found of a domain's exchangers.
pub(crate) fn plan(
    domain: &str,
    found: &Result<Vec<Exchanger>, ResolveError>,
    seed: u64,
) -> Result<Plan, Nobody> {
    let nobody = |outcome, detail| {
        Err(Nobody {
            outcome,
            detail,
            flaws: Vec::new(),
        })
    };
    let records = match found {
        Ok(records) => records,
        Err(why @ (ResolveError::NoName(_) | ResolveError::NoRecord(_))) => {
            return nobody(Outcome::DnsPermanent, why.to_string());
        }
        // What failed may be there all the same, so that nothing stands in for it.
        Err(why) => return nobody(Outcome::DnsTemporary, why.to_string()),
    };
    if records.is_empty() {
        return Ok(Plan {
            candidates: vec![Candidate {
                preference: 0,
                host: domain.to_owned(),
            }],
            is_implicit: true,
            ..Plan::default()
        });
    }
    if let [only] = &records[..]
        && only.host.is_empty()
    {
        return nobody(
            Outcome::NullMx,
            format!("{domain} takes no mail (RFC 7505)"),
        );
    }
    let mut flaws = Vec::new();
    let mut candidates = Vec::new();
    for Exchanger { preference, host } in records {
        if host.is_empty() {
            flaws.push((MxFlaw::NullAmongOthers, ".".to_owned()));
        } else if host.parse::<IpAddr>().is_ok() {
            flaws.push((MxFlaw::Numeric, host.to_string()));
        } else {
            candidates.push(Candidate {
                preference: *preference,
                host: host.to_string(),
            });
        }
    }
    if candidates.is_empty() {
        let detail = format!("none of the mail exchangers of {domain} has a name");
        return Err(Nobody {
            outcome: Outcome::DnsPermanent,
            detail,
            flaws,
        });
    }
    fastrand::Rng::with_seed(seed).shuffle(&mut candidates);
    candidates.sort_by_key(|candidate| candidate.preference);
    Ok(Plan {
        candidates,
        is_implicit: false,
        records: records.len(),
        flaws,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(records: &[(u16, &str)]) -> Vec<Exchanger> {
        let exchanger = |(preference, host): &(u16, &str)| Exchanger {
            preference: *preference,
            host: (*host).into(),
        };
        records.iter().map(exchanger).collect()
    }

    #[test]
    fn exchangers_are_tried_by_preference_and_what_is_none_is_told() {
        let check = |found: &Result<_, _>, expected: &str| {
            let told = match plan("a.test", found, 1) {
                Ok(plan) => {
                    let hosts = plan.candidates.iter().map(|host| host.host.clone());
                    let flaws = plan.flaws.iter().map(|(flaw, _)| flaw.label().to_owned());
                    let implicit = plan.is_implicit.then(|| "implicit".to_owned());
                    let told = hosts.chain(flaws).chain(implicit);
                    told.collect::<Vec<_>>().join(" ")
                }
                Err(nobody) => nobody.outcome.label().to_owned(),
            };
            assert_eq!(told, expected, "{found:?}");
        };
        check(&Ok(records(&[(20, "b"), (5, "c"), (10, "a")])), "c a b");
        check(&Ok(records(&[])), "a.test implicit");
        check(&Ok(records(&[(0, "")])), "null_mx");
        check(&Ok(records(&[(0, ""), (10, "a")])), "a null_among_others");
        check(&Ok(records(&[(10, "127.0.0.1"), (20, "a")])), "a numeric");
        check(&Ok(records(&[(10, "127.0.0.1")])), "dns_permanent");
        check(&Ok(records(&[(0, ""), (0, "")])), "dns_permanent");
        let name = || "a.test".to_owned();
        let why = || "SERVFAIL".to_owned();
        check(&Err(ResolveError::NoName(name())), "dns_permanent");
        check(&Err(ResolveError::Failed(name(), why())), "dns_temporary");
        check(
            &Err(ResolveError::Unanswered(name(), why())),
            "dns_temporary",
        );
    }

    #[test]
    fn those_of_one_preference_are_shuffled_by_the_seed() {
        let found = Ok(records(&[(10, "a"), (10, "b"), (10, "c"), (20, "d")]));
        let order = |seed| {
            let plan = plan("a.test", &found, seed).unwrap();
            let hosts = plan.candidates.iter().map(|host| host.host.as_str());
            hosts.collect::<String>()
        };
        let orders: std::collections::BTreeSet<_> = (0..200).map(order).collect();
        assert_eq!(orders.len(), 6, "{orders:?}");
        assert!(orders.iter().all(|order| order.ends_with('d')));
        assert_eq!(order(7), order(7));
    }
}
