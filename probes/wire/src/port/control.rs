//! What goes beside a packet to and from the kernel?
//!
//! Control messages (`cmsg(3)`), written and read as bytes: a length, a level and a type, then the
//! value, each padded to the size of a `usize`. Reading never panics, whatever the bytes.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use crate::clock::KernelStamp;
use crate::engine::Key;
use crate::packet::{Reported, error_v4, error_v6};
use crate::{Family, RequestOptions, Ttl};

/// What the kernel is told with every packet of a flow whose IP header it writes; empty if nothing
/// is out of the ordinary.
pub(crate) fn for_packets(family: Family, options: &RequestOptions) -> Arc<[u8]> {
    let (level, tos_type) = match family {
        Family::V4 => (libc::IPPROTO_IP, libc::IP_TOS),
        Family::V6 => (libc::IPPROTO_IPV6, libc::IPV6_TCLASS),
    };
    let has_tos = options.tos != 0;
    // IPv4 has no such control message: there it is an option of the socket.
    let dont_fragment = options.dont_fragment && family == Family::V6;
    let mut control = Vec::new();
    if let Some(ttl) = options.ttl {
        append_ttl(&mut control, family, ttl);
    }
    if has_tos {
        let tos = i32::from(options.tos).to_ne_bytes();
        append(&mut control, level, tos_type, &tos);
    }
    if dont_fragment {
        let one = 1_i32.to_ne_bytes();
        append(&mut control, level, libc::IPV6_DONTFRAG, &one);
    }
    control.into()
}

/// Adds the TTL of one packet, which counts before one that is told already.
pub(crate) fn append_ttl(control: &mut Vec<u8>, family: Family, ttl: Ttl) {
    let (level, kind) = match family {
        Family::V4 => (libc::IPPROTO_IP, libc::IP_TTL),
        Family::V6 => (libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT),
    };
    append(control, level, kind, &i32::from(ttl.hops()).to_ne_bytes());
}

/// Adds the key under which the kernel shall return the stamp of this packet's departure.
pub(crate) fn append_stamp_key(control: &mut Vec<u8>, key: Key) {
    let number = key.number().to_ne_bytes();
    append(control, libc::SOL_SOCKET, SCM_TS_OPT_ID, &number);
}

/// What the kernel told about a received packet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) hop_limit: Option<u8>,
    pub(crate) error: Option<Reported>,
    /// When the packet arrived; with `departed`, when that one left.
    pub(crate) stamp: Option<KernelStamp>,
    /// The key, or the count, of a packet whose departure was stamped.
    pub(crate) departed: Option<u32>,
}

/// Reads what the kernel told.
pub(crate) fn read(control: &[u8]) -> Told {
    let mut told = Told::default();
    let mut rest = control;
    while let Some((level, kind, value)) = split_first(&mut rest) {
        match (level, kind) {
            (libc::IPPROTO_IP, libc::IP_TTL) | (libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT) => {
                let hops = value.first_chunk().map(|hops| i32::from_ne_bytes(*hops));
                told.hop_limit = hops.and_then(|hops| u8::try_from(hops).ok());
            }
            (libc::IPPROTO_IP, libc::IP_RECVERR) | (libc::IPPROTO_IPV6, libc::IPV6_RECVERR) => {
                told.error = read_error(value);
                told.departed = read_departed(value);
            }
            (libc::SOL_SOCKET, SO_TIMESTAMPING_NEW) => told.stamp = read_stamp(value),
            _ => {}
        }
    }
    told
}

/// `struct sock_extended_err` and the offender's address after it; ip(7), `IP_RECVERR`.
fn read_error(value: &[u8]) -> Option<Reported> {
    let (&[_, _, _, _, origin, kind, code, _, i0, i1, i2, i3, ..], offender) =
        value.split_first_chunk::<16>()?;
    let info = u32::from_ne_bytes([i0, i1, i2, i3]);
    match origin {
        libc::SO_EE_ORIGIN_ICMP => Some(Reported {
            what: error_v4(kind, code, info)?,
            from: Ipv4Addr::from(*offender.get(4..)?.first_chunk()?).into(),
        }),
        libc::SO_EE_ORIGIN_ICMP6 => Some(Reported {
            what: error_v6(kind, code, info)?,
            from: Ipv6Addr::from(*offender.get(8..)?.first_chunk()?).into(),
        }),
        // Our own host's errors have already been returned by the call that sent.
        _ => None,
    }
}

/// `struct sock_extended_err` again: the key is its last number.
fn read_departed(value: &[u8]) -> Option<u32> {
    let &[_, _, _, _, libc::SO_EE_ORIGIN_TIMESTAMPING, ..] = value else {
        return None;
    };
    let key = value.get(12..)?.first_chunk()?;
    Some(u32::from_ne_bytes(*key))
}

/// `struct scm_timestamping64`: the first of three times, in seconds and nanoseconds, is the one
/// by software.
fn read_stamp(value: &[u8]) -> Option<KernelStamp> {
    let (seconds, rest) = value.split_first_chunk()?;
    let nanoseconds = i64::from_ne_bytes(*rest.first_chunk()?);
    let whole = i64::from_ne_bytes(*seconds).checked_mul(1_000_000_000)?;
    KernelStamp::new(whole.checked_add(nanoseconds)?)
}

fn append(control: &mut Vec<u8>, level: i32, kind: i32, value: &[u8]) {
    control.extend((HEADER + value.len()).to_ne_bytes());
    control.extend(level.to_ne_bytes());
    control.extend(kind.to_ne_bytes());
    control.extend(value);
    control.resize(control.len().next_multiple_of(ALIGNMENT), 0);
}

fn split_first<'a>(control: &mut &'a [u8]) -> Option<(i32, i32, &'a [u8])> {
    let (length, rest) = control.split_first_chunk()?;
    let (level, rest) = rest.split_first_chunk()?;
    let (kind, _) = rest.split_first_chunk()?;
    let length = usize::from_ne_bytes(*length);
    let value = control.get(HEADER..length)?;
    // The last one need not be padded.
    let next = length.checked_next_multiple_of(ALIGNMENT)?;
    *control = control.get(next..).unwrap_or_default();
    Some((i32::from_ne_bytes(*level), i32::from_ne_bytes(*kind), value))
}

/// Of `struct cmsghdr` as the kernel has it: a `size_t` and two `int`s.
const HEADER: usize = size_of::<usize>() + 2 * size_of::<i32>();
const ALIGNMENT: usize = size_of::<usize>();

// From linux/socket.h, where most architectures have it; the libc crate has them not. The newer
// form of the stamps has 64-bit seconds everywhere.
pub(crate) const SO_TIMESTAMPING_NEW: i32 = 65;
const SCM_TS_OPT_ID: i32 = 81;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::What;

    #[test]
    fn ordinary_packets_need_no_control() {
        for family in [Family::V4, Family::V6] {
            assert!(for_packets(family, &RequestOptions::default()).is_empty());
        }
    }

    #[test]
    fn every_option_travels_in_its_own_message() {
        let options = RequestOptions {
            ttl: Ttl::new(3),
            tos: 0xb8,
            dont_fragment: true,
            ..RequestOptions::default()
        };
        let (hops, tos, one) = (3_i32, 0xb8_i32, 1_i32);
        check(
            &for_packets(Family::V4, &options),
            &[
                (libc::IPPROTO_IP, libc::IP_TTL, &hops.to_ne_bytes()),
                (libc::IPPROTO_IP, libc::IP_TOS, &tos.to_ne_bytes()),
            ],
        );
        let level = libc::IPPROTO_IPV6;
        check(
            &for_packets(Family::V6, &options),
            &[
                (level, libc::IPV6_HOPLIMIT, &hops.to_ne_bytes()),
                (level, libc::IPV6_TCLASS, &tos.to_ne_bytes()),
                (level, libc::IPV6_DONTFRAG, &one.to_ne_bytes()),
            ],
        );
    }

    fn check(mut control: &[u8], expected: &[(i32, i32, &[u8])]) {
        let messages: Vec<_> = std::iter::from_fn(|| split_first(&mut control)).collect();
        assert_eq!(messages, expected);
    }

    #[test]
    fn an_error_is_read_with_who_reports_it() {
        let mut control = Vec::new();
        append(
            &mut control,
            libc::IPPROTO_IP,
            libc::IP_TTL,
            &63_i32.to_ne_bytes(),
        );
        append(&mut control, libc::IPPROTO_IP, libc::IP_RECVERR, &too_big());
        let error = Reported {
            what: What::TooBig { mtu: Some(1400) },
            from: [192, 0, 2, 1].into(),
        };
        assert_eq!(
            read(&control),
            Told {
                hop_limit: Some(63),
                error: Some(error),
                ..Told::default()
            }
        );
    }

    #[test]
    fn a_departure_is_read_with_its_key_and_stamp() {
        let mut control = Vec::new();
        let mut stamp = [7_i64.to_ne_bytes(), 9_i64.to_ne_bytes()].concat();
        stamp.resize(48, 0);
        append(&mut control, libc::SOL_SOCKET, SO_TIMESTAMPING_NEW, &stamp);
        // Errno 42 (no message), origin timestamping, of the departure, then the key.
        let error = [
            42_u32.to_ne_bytes(),
            [4, 0, 0, 0],
            0_u32.to_ne_bytes(),
            0xabc0_0007_u32.to_ne_bytes(),
        ]
        .concat();
        append(&mut control, libc::IPPROTO_IP, libc::IP_RECVERR, &error);
        let departed = Told {
            stamp: KernelStamp::new(7_000_000_009),
            departed: Some(0xabc0_0007),
            ..Told::default()
        };
        assert_eq!(read(&control), departed);
    }

    #[test]
    fn damaged_control_messages_are_read_as_far_as_they_go() {
        let mut control = Vec::new();
        append(
            &mut control,
            libc::IPPROTO_IP,
            libc::IP_TTL,
            &63_i32.to_ne_bytes(),
        );
        append(&mut control, libc::IPPROTO_IP, libc::IP_RECVERR, &too_big());
        append(
            &mut control,
            libc::SOL_SOCKET,
            SO_TIMESTAMPING_NEW,
            &[0x7f; 48],
        );
        for end in 0..control.len() {
            read(&control[..end]);
        }
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..100_000 {
            let mut damaged = control.clone();
            for _ in 0..random.usize(1..4) {
                let at = random.usize(..damaged.len());
                damaged[at] = random.u8(..);
            }
            read(&damaged);
        }
        read(&[0xff; 64]);
    }

    /// Errno 90, origin ICMP, type 3, code 4, MTU 1400; then `sockaddr_in` of 192.0.2.1.
    fn too_big() -> Vec<u8> {
        let mut error = [
            90_u32.to_ne_bytes(),
            [2, 3, 4, 0],
            1400_u32.to_ne_bytes(),
            [0; 4],
        ]
        .concat();
        error.extend([2, 0, 0, 0, 192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
        error
    }
}
