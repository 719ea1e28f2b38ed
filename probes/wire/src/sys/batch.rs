//! How do many packets cross to and from the kernel in one call?
//!
//! The arrays of pointers that the kernel wants live on the stack for one call each, so that
//! nothing here points into itself.

#![expect(unsafe_code, reason = "sendmmsg and recvmmsg")]

use std::io;
use std::mem::MaybeUninit;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsRawFd;
use std::ptr;

use libc::{iovec, mmsghdr, msghdr};
use socket2::{SockAddr, Socket};

/// Packets that one call hands over at most.
pub(crate) const MOST_SENT: usize = 64;

/// Packets that one call receives at most: more than are sent at once, so that all answers to
/// those fit into one that is not full, which says that there are no more.
const MOST_RECEIVED: usize = 72;

/// The same until so many have come together: whoever asks one address gets one answer, and the
/// memory for all of them is a dozen pages that the kernel has to find first.
const FEW_RECEIVED: usize = 8;

/// A packet on its way to the kernel.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parcel<'a> {
    pub(crate) to: &'a SockAddr,
    pub(crate) packet: &'a [u8],
    pub(crate) control: &'a [u8],
}

/// Sends packets, the first [`MOST_SENT`] of them, without waiting (`sendmmsg(2)`); returns how many
/// were sent before one was refused. An error is about the first.
pub(crate) fn send<'a>(
    socket: &Socket,
    parcels: impl Iterator<Item = Parcel<'a>>,
) -> io::Result<usize> {
    let mut pieces = [const { MaybeUninit::<iovec>::uninit() }; MOST_SENT];
    let mut messages = [const { MaybeUninit::<mmsghdr>::uninit() }; MOST_SENT];
    let mut count = 0;
    for ((parcel, piece), message) in parcels.zip(&mut pieces).zip(&mut messages) {
        let piece = piece.write(iovec {
            iov_base: parcel.packet.as_ptr().cast_mut().cast(),
            iov_len: parcel.packet.len(),
        });
        let mut header = empty();
        header.msg_name = parcel.to.as_ptr().cast_mut().cast();
        header.msg_namelen = parcel.to.len();
        header.msg_iov = piece;
        header.msg_iovlen = 1;
        if !parcel.control.is_empty() {
            header.msg_control = parcel.control.as_ptr().cast_mut().cast();
            header.msg_controllen = parcel.control.len();
        }
        message.write(mmsghdr {
            msg_hdr: header,
            msg_len: 0,
        });
        count += 1;
    }
    // SAFETY: the first `count` messages are written; they point to pieces on this stack and to
    // what the parcels borrow, all of which outlive the call. The kernel only reads behind them.
    let sent = unsafe {
        libc::sendmmsg(
            socket.as_raw_fd(),
            messages.as_mut_ptr().cast(),
            count,
            libc::MSG_DONTWAIT,
        )
    };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// Where the kernel writes packets and what it tells about them.
pub(crate) struct Incoming {
    /// One stride of bytes each, of which the kernel has written as many as `lengths` says.
    packets: Box<[MaybeUninit<u8>]>,
    stride: usize,
    controls: Box<[[u8; CONTROL]]>,
    names: Box<[libc::sockaddr_in6]>,
    /// Whether the kernel writes the names.
    named: bool,
    lengths: Box<[Lengths]>,
    /// Whether the last call received as many as there is room for.
    is_full: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct Lengths {
    packet: usize,
    control: usize,
}

impl Incoming {
    /// Makes room for packets of so many bytes: of longer ones the rest is lost.
    pub(crate) fn new(longest: usize) -> Self {
        // Not a power of two, or all packets would compete for the same lines of the cache.
        Self::with_room(longest.next_multiple_of(64) + 64, FEW_RECEIVED)
    }

    fn with_room(stride: usize, count: usize) -> Self {
        // SAFETY: a sockaddr_in6 is made of numbers, all of which may be zero.
        let name = unsafe { MaybeUninit::<libc::sockaddr_in6>::zeroed().assume_init() };
        Self {
            // Not zeroed: most of it is never used, and would still take memory.
            packets: Box::new_uninit_slice(stride * count),
            stride,
            controls: vec![[0; CONTROL]; count].into(),
            names: vec![name; count].into(),
            named: true,
            lengths: vec![Lengths::default(); count].into(),
            is_full: false,
        }
    }

    /// Does without names, for each packet says itself who sent it.
    pub(crate) fn unnamed(mut self) -> Self {
        self.named = false;
        self
    }

    /// Makes room for packets of so many bytes, if there is less.
    pub(crate) fn fit(&mut self, longest: usize) {
        if self.stride < longest {
            *self = Self {
                named: self.named,
                ..Self::new(longest)
            };
        }
    }

    /// Receives what is there, without waiting, or with `MSG_ERRQUEUE` what the kernel reports
    /// about packets sent (`recvmmsg(2)`); returns how many, and whether there may be more.
    pub(crate) fn receive(&mut self, socket: &Socket, flags: i32) -> io::Result<(usize, bool)> {
        if self.is_full && self.lengths.len() < MOST_RECEIVED {
            *self = Self {
                named: self.named,
                ..Self::with_room(self.stride, MOST_RECEIVED)
            };
        }
        let mut pieces = [const { MaybeUninit::<iovec>::uninit() }; MOST_RECEIVED];
        let mut messages = [const { MaybeUninit::<mmsghdr>::uninit() }; MOST_RECEIVED];
        let packets = self.packets.chunks_exact_mut(self.stride);
        let beside = self.controls.iter_mut().zip(self.names.iter_mut());
        let room = self.lengths.len();
        for (((packet, (control, name)), piece), message) in
            packets.zip(beside).zip(&mut pieces).zip(&mut messages)
        {
            let piece = piece.write(iovec {
                iov_base: packet.as_mut_ptr().cast(),
                iov_len: packet.len(),
            });
            let mut header = empty();
            if self.named {
                header.msg_name = ptr::from_mut(name).cast();
                header.msg_namelen = size_of::<libc::sockaddr_in6>() as libc::socklen_t;
            }
            header.msg_iov = piece;
            header.msg_iovlen = 1;
            header.msg_control = control.as_mut_ptr().cast();
            header.msg_controllen = CONTROL;
            message.write(mmsghdr {
                msg_hdr: header,
                msg_len: 0,
            });
        }
        // SAFETY: as many messages are written as there is room for; they point to pieces on this
        // stack and to parts of our own buffers with their lengths, none of which is used otherwise
        // during the call.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                messages.as_mut_ptr().cast(),
                room as libc::c_uint,
                flags | libc::MSG_DONTWAIT,
                ptr::null_mut(),
            )
        };
        let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
        for (message, lengths) in messages[..count].iter().zip(&mut self.lengths) {
            // SAFETY: written above, and updated by the kernel.
            let message = unsafe { message.assume_init_ref() };
            lengths.packet = (message.msg_len as usize).min(self.stride);
            lengths.control = message.msg_hdr.msg_controllen.min(CONTROL);
        }
        self.is_full = count == room;
        Ok((count, self.is_full))
    }

    /// The packet with this number of those that the last call received.
    pub(crate) fn packet(&self, number: usize) -> &[u8] {
        let packet = &self.packets[number * self.stride..][..self.lengths[number].packet];
        // SAFETY: that many bytes were written by the kernel, in this call or an earlier one: a
        // length is 0 before, and changes only with what it is the length of.
        unsafe { packet.assume_init_ref() }
    }

    /// What the kernel told about it.
    pub(crate) fn control(&self, number: usize) -> &[u8] {
        &self.controls[number][..self.lengths[number].control]
    }

    /// The port that it came from, or was sent to.
    pub(crate) fn port(&self, number: usize) -> u16 {
        // In a sockaddr_in it stands in the same place.
        u16::from_be(self.names[number].sin6_port)
    }

    /// The address it came from, or was sent to; 0.0.0.0 without names.
    pub(crate) fn name(&self, number: usize) -> IpAddr {
        let name = &self.names[number];
        if i32::from(name.sin6_family) == libc::AF_INET6 {
            return Ipv6Addr::from(name.sin6_addr.s6_addr).into();
        }
        // In a sockaddr_in the address stands where a sockaddr_in6 has the flow information.
        Ipv4Addr::from(name.sin6_flowinfo.to_ne_bytes()).into()
    }
}

fn empty() -> msghdr {
    // SAFETY: a msghdr is made of numbers and of pointers, all of which may be zero.
    unsafe { MaybeUninit::zeroed().assume_init() }
}

/// Room for all control messages that we ask for.
const CONTROL: usize = 256;
