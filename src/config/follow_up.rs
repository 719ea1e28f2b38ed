//! What is run when a target starts to fail, and at which host?
//!
//! A target is written as its protocol has it: a URL, a mail address, a host with a port. The
//! module is aimed at the host in it, which has to do for each target.

use std::sync::Arc;

use leadsman_core::Target;
use leadsman_core::options::Node;

use super::modules::{Module, Modules};
use super::reading::Reading;
use super::targets::Written;

/// What follows a failure of a scheduled probe's targets.
#[derive(Clone, Debug)]
pub(crate) struct FollowUp {
    /// How to look. It has options: its prober is linked into this program.
    pub(crate) module: Arc<Module>,
    /// The host of each target, in their order.
    pub(crate) hosts: Vec<Arc<Target>>,
}

/// Reads `trace_on_failure:`.
pub(super) fn read(
    reading: &mut Reading<'_>,
    node: &Node,
    modules: &Modules<'_>,
    targets: &[Written<'_>],
) -> Option<FollowUp> {
    let (module, _) = modules.usable(reading, "trace_on_failure", node)?;
    let module = Arc::clone(module);
    let hosts: Vec<_> = targets
        .iter()
        .map(|written| Arc::new(Target::new(host(&written.target.address))))
        .collect();
    let refused = hosts.iter().find_map(|host| {
        let refused = module.options.aim(host).err()?;
        Some((host, refused))
    });
    if let Some((host, why)) = refused {
        reading.error(
            node,
            format!(
                "the module `{}` cannot be aimed at {:?}: {}",
                module.name, host.address, why.message
            ),
            "name a module that takes a host, without a port or a path",
        );
        return None;
    }
    Some(FollowUp { module, hosts })
}

/// The host in a URL, a mail address, or a host with or without a port.
fn host(address: &str) -> &str {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let place = authority.rsplit('@').next().unwrap_or(authority);
    if let Some((inside, _)) = place
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
    {
        return inside;
    }
    match place.split_once(':') {
        // More than one colon without brackets is an IPv6 address.
        Some((host, port)) if !port.contains(':') => host,
        _ => place,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_found_in_every_kind_of_address() {
        for (address, expected) in [
            ("example.com", "example.com"),
            ("192.0.2.1", "192.0.2.1"),
            ("2001:db8::1", "2001:db8::1"),
            ("example.com:25", "example.com"),
            ("[2001:db8::1]:25", "2001:db8::1"),
            ("http://example.com", "example.com"),
            (
                "https://user:word@example.com:8443/a?b=c@d#e",
                "example.com",
            ),
            ("http://[::1]:8080/", "::1"),
            ("http://example.com?q=/", "example.com"),
            ("postmaster@example.com", "example.com"),
        ] {
            assert_eq!(host(address), expected, "{address}");
        }
    }
}
