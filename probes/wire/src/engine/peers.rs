//! Whom do we ask, and is this answer really theirs?
//!
//! The identifier and sequence number have already led to one request of one peer; what remains is
//! to tell its answers from a stranger's who uses the same numbers.

use std::net::IpAddr;

use etherparse::{icmpv4, icmpv6};

use crate::What;
use crate::echo::{Content, Cookie, HEADER};
use crate::engine::PeerKey;
use crate::packet::Message;
use crate::packet::start::{Quote, Start};
use crate::template::Template;

/// One destination as one user of the engine asks it.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) destination: IpAddr,
    pub(super) template: Template,
    /// Whether its user wants to know what errors tell beside.
    pub(super) remarks: bool,
    /// The number of its newest request.
    pub(super) newest: u64,
    pub(super) in_flight: u32,
}

impl Peer {
    /// Says what a message means for the request it names, or nothing if it is about another's.
    pub(super) fn judge(
        &self,
        cookie: Cookie,
        padding: u16,
        from: IpAddr,
        message: &Message<'_>,
    ) -> Option<What> {
        let expected_source = from == self.destination;
        match (*message, &self.template) {
            (Message::Reply { intact: false, .. }, Template::Echo(_)) => {
                expected_source.then_some(What::Corrupt)
            }
            (Message::Reply { echo, payload, .. }, Template::Echo(template)) => {
                match template.check_reply(echo.seq, cookie, padding, payload) {
                    Content::Foreign => None,
                    Content::Same if expected_source || self.is_group() => Some(What::Reply {
                        bytes: HEADER + payload.len(),
                    }),
                    Content::Same => Some(What::WrongSource),
                    Content::Altered => expected_source.then_some(What::Corrupt),
                }
            }
            (Message::Datagram { ports, bytes, .. }, Template::Udp(template)) => {
                let ours = expected_source && template.is_ours(ports.theirs, cookie, &[]);
                ours.then_some(What::Reply { bytes })
            }
            (
                Message::Segment {
                    ports,
                    number,
                    refuses,
                    bytes,
                },
                Template::Tcp(template),
            ) => {
                let ours = expected_source && template.is_ours(ports.theirs, number);
                ours.then_some(if refuses {
                    What::Refused
                } else {
                    What::Reply { bytes }
                })
            }
            (Message::Error { what, quote, .. }, _) => {
                let ours = quote.destination == self.destination && self.sent(cookie, &quote);
                let what = match (what, &self.template) {
                    (What::Unreachable { code }, Template::Udp(_)) if code == self.port_code() => {
                        What::Refused
                    }
                    _ => what,
                };
                ours.then_some(what)
            }
            _ => None,
        }
    }

    /// How a destination unreachable says that it is the port (RFC 792, RFC 4443 section 3.1).
    fn port_code(&self) -> u8 {
        match self.destination {
            IpAddr::V4(_) => icmpv4::CODE_DST_UNREACH_PORT,
            IpAddr::V6(_) => icmpv6::CODE_DST_UNREACH_PORT,
        }
    }

    /// Whether what was returned is the start of a request of ours.
    fn sent(&self, cookie: Cookie, quote: &Quote<'_>) -> bool {
        match (quote.start, &self.template) {
            (Start::Echo { echo, payload }, Template::Echo(template)) => {
                template.check_start(echo.seq, cookie, payload) != Content::Foreign
            }
            (Start::Udp { ports, payload, .. }, Template::Udp(template)) => {
                template.is_ours(ports.theirs, cookie, payload)
            }
            (Start::Tcp { ports, number }, Template::Tcp(template)) => {
                template.is_ours(ports.theirs, number)
            }
            _ => false,
        }
    }

    /// The number of the request whose lower half is given: the newest that is not newer.
    pub(super) fn sequence(&self, lower: u32) -> u64 {
        self.newest - u64::from((self.newest as u32).wrapping_sub(lower))
    }

    /// Whether many hosts may answer. A subnet's own broadcast address looks like a host's.
    fn is_group(&self) -> bool {
        match self.destination {
            IpAddr::V4(address) => address.is_multicast() || address.is_broadcast(),
            IpAddr::V6(address) => address.is_multicast(),
        }
    }
}

/// All peers of an engine, found by index.
#[derive(Debug, Default)]
pub(super) struct Peers {
    places: Vec<Place>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Place {
    generation: u32,
    peer: Option<Peer>,
}

impl Peers {
    /// Makes room for so many more at once.
    pub(super) fn expect(&mut self, peers: usize) {
        self.places.reserve_exact(peers);
    }

    /// Takes in the peer that `make` makes for its key.
    pub(super) fn insert(&mut self, make: impl FnOnce(PeerKey) -> Peer) -> PeerKey {
        let index = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place {
                generation: 0,
                peer: None,
            });
            self.places.len() as u32 - 1
        });
        let place = &mut self.places[index as usize];
        place.generation = place.generation.wrapping_add(1);
        let key = PeerKey {
            index,
            generation: place.generation,
        };
        place.peer = Some(make(key));
        key
    }

    pub(super) fn remove(&mut self, key: PeerKey) -> Option<Peer> {
        self.get(key)?;
        self.free.push(key.index);
        self.places[key.index()].peer.take()
    }

    pub(super) fn get(&self, key: PeerKey) -> Option<&Peer> {
        let place = self.places.get(key.index())?;
        place
            .peer
            .as_ref()
            .filter(|_| place.generation == key.generation)
    }

    pub(super) fn get_mut(&mut self, key: PeerKey) -> Option<&mut Peer> {
        let place = self.places.get_mut(key.index())?;
        place
            .peer
            .as_mut()
            .filter(|_| place.generation == key.generation)
    }

    pub(super) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }
}
