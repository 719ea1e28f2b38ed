//! What are a flow's requests, whatever their protocol?

use std::net::IpAddr;

use crate::clock::Stamp;
use crate::echo::{Cookie, Cookies, Fillers};
use crate::engine::{Framing, PeerKey};
use crate::remarks::Sent;
use crate::{Protocol, RequestOptions, echo, tcp, udp};

/// All of a flow's requests but for what differs between them.
#[derive(Debug)]
pub(crate) enum Template {
    Echo(echo::Template),
    Udp(udp::Template),
    Tcp(tcp::Template),
}

impl Template {
    /// Prepares the requests of a flow with the identifier or source port `id`.
    pub(crate) fn new(
        cookies: &Cookies,
        fillers: &mut Fillers,
        whose: PeerKey,
        framing: Framing,
        id: u16,
        destination: IpAddr,
        options: &RequestOptions,
    ) -> Self {
        match options.protocol {
            Protocol::Icmp => Self::Echo(echo::Template::new(
                cookies,
                fillers,
                whose,
                framing,
                id,
                destination,
                options,
            )),
            Protocol::Udp => Self::Udp(udp::Template::new(framing, id, destination, options)),
            Protocol::Tcp => {
                let secret = cookies.secret(whose);
                Self::Tcp(tcp::Template::new(
                    framing,
                    id,
                    secret,
                    destination,
                    options,
                ))
            }
        }
    }

    /// Appends a request to `packet`.
    pub(crate) fn write(&self, sequence: u16, cookie: Cookie, time: Stamp, packet: &mut Vec<u8>) {
        match self {
            Self::Echo(template) => template.write(sequence, cookie, time, packet),
            Self::Udp(template) => template.write(sequence, cookie, packet),
            Self::Tcp(template) => template.write(sequence, packet),
        }
    }

    /// Adds padding to a written request, which begins at `begin`: to echo requests only, for the
    /// others have no larger ones among them.
    pub(crate) fn pad(&self, packet: &mut Vec<u8>, begin: usize, padding: u16) {
        if let Self::Echo(template) = self {
            template.pad(packet, begin, padding);
        }
    }

    /// What of a request translators change.
    pub(crate) fn sent(&self, sequence: u16) -> Sent {
        match self {
            Self::Echo(template) => template.sent(sequence),
            Self::Udp(template) => template.sent(sequence),
            Self::Tcp(template) => template.sent(sequence),
        }
    }
}

/// Length of requests after the IP header, in bytes.
pub(crate) fn bytes(options: &RequestOptions) -> usize {
    match options.protocol {
        Protocol::Icmp => echo::HEADER + options.payload_size,
        Protocol::Udp => udp::bytes(options),
        Protocol::Tcp => tcp::BYTES,
    }
}
