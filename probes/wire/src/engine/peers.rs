//! Whom do we ask, and is this answer really theirs?
//!
//! The identifier and sequence number have already led to one request of one peer; what remains is
//! to tell its answers from a stranger's who uses the same numbers.

use std::net::IpAddr;

use crate::What;
use crate::echo::{Content, Cookie, HEADER, Template};
use crate::engine::PeerKey;
use crate::packet::Message;

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
        match *message {
            Message::Reply { intact: false, .. } => expected_source.then_some(What::Corrupt),
            Message::Reply { echo, payload, .. } => {
                match self
                    .template
                    .check_reply(echo.seq, cookie, padding, payload)
                {
                    Content::Foreign => None,
                    Content::Same if expected_source || self.is_group() => Some(What::Reply {
                        bytes: HEADER + payload.len(),
                    }),
                    Content::Same => Some(What::WrongSource),
                    Content::Altered => expected_source.then_some(What::Corrupt),
                }
            }
            Message::Error { what, quote, .. } => {
                let content = self
                    .template
                    .check_start(quote.echo.seq, cookie, quote.payload);
                let ours = quote.destination == self.destination && content != Content::Foreign;
                ours.then_some(what)
            }
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
