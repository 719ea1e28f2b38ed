//! Which calls to the kernel does the socket crate not have, or not in safe form?
//!
//! The only `unsafe` code of the workspace, and nothing but thin calls: what to do with them is
//! decided elsewhere.

#![expect(
    unsafe_code,
    reason = "setsockopt, getsockopt and poll; bytes that recvmsg wrote"
)]

#[cfg(feature = "laboratory")]
pub mod laboratory;

use std::io;
use std::mem::MaybeUninit;
use std::net::IpAddr;
use std::os::fd::AsRawFd;
use std::time::Duration;

use socket2::{MaybeUninitSlice, MsgHdrMut, SockAddr, Socket};

/// Where the kernel writes a packet and what it tells about it.
pub(crate) struct Buffers {
    /// Never holds an uninitialised byte: zeroed when made, and written to by the kernel alone.
    packet: Box<[MaybeUninit<u8>]>,
    /// As above.
    control: Box<[MaybeUninit<u8>]>,
}

impl Buffers {
    /// Makes room for the largest IP packet and all control messages that we ask for.
    pub(crate) fn new() -> Self {
        let zeroed = |length| vec![MaybeUninit::new(0); length].into();
        Self {
            packet: zeroed(65_536),
            control: zeroed(512),
        }
    }

    /// Receives one packet, or with `MSG_ERRQUEUE` one error (`recvmsg(2)`).
    ///
    /// The address given is the one that the kernel names: a packet's sender, or the destination
    /// of the request that an error is about.
    pub(crate) fn receive(
        &mut self,
        socket: &Socket,
        mut named: SockAddr,
        flags: i32,
    ) -> io::Result<Received<'_>> {
        let mut packet = [MaybeUninitSlice::new(&mut self.packet)];
        let mut message = MsgHdrMut::new()
            .with_addr(&mut named)
            .with_buffers(&mut packet)
            .with_control(&mut self.control);
        let length = socket.recvmsg(&mut message, flags)?;
        let control_length = message.control_len();
        let named = named.as_socket().ok_or(io::ErrorKind::InvalidData)?.ip();
        // SAFETY: see the fields.
        let packet = unsafe { self.packet.assume_init_ref() };
        // SAFETY: see the fields.
        let control = unsafe { self.control.assume_init_ref() };
        Ok(Received {
            bytes: &packet[..length],
            control: &control[..control_length],
            named,
        })
    }
}

/// A packet or an error as the kernel delivers it.
pub(crate) struct Received<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) control: &'a [u8],
    pub(crate) named: IpAddr,
}

/// Waits until one of the sockets has a packet or an error to read, or until the time is over
/// (`poll(2)`).
pub(crate) fn wait(
    packets: &Socket,
    errors: Option<&Socket>,
    most: Option<Duration>,
) -> io::Result<()> {
    let poll = |socket: &Socket, events| libc::pollfd {
        fd: socket.as_raw_fd(),
        events,
        revents: 0,
    };
    // Errors are waited for unasked; a negative descriptor stands for none.
    let mut polls = [
        poll(packets, libc::POLLIN),
        errors.map_or(
            libc::pollfd {
                fd: -1,
                events: 0,
                revents: 0,
            },
            |socket| poll(socket, 0),
        ),
    ];
    // Rounded up, lest it be over before the time is.
    let most = most.map_or(-1, |most| most.as_millis() as libc::c_int + 1);
    // SAFETY: the pointer is to as many pollfds as the count says, which live through the call.
    done(unsafe { libc::poll(polls.as_mut_ptr(), polls.len() as libc::nfds_t, most) })
}

/// A value that the kernel may read byte by byte: it has no padding.
pub(crate) trait OptionValue: Copy {}
impl OptionValue for i32 {}
impl OptionValue for [u32; 8] {}

/// Sets an option of a socket (`setsockopt(2)`).
pub(crate) fn set_option(
    socket: &Socket,
    level: i32,
    name: i32,
    value: impl OptionValue,
) -> io::Result<()> {
    // SAFETY: the pointer and the length are those of `value`, which outlives the call and has no
    // uninitialised bytes; the kernel only reads it.
    done(unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            (&raw const value).cast(),
            size_of_val(&value) as libc::socklen_t,
        )
    })
}

/// Reads an integer option of a socket (`getsockopt(2)`).
pub(crate) fn option(socket: &Socket, level: i32, name: i32) -> io::Result<i32> {
    let mut value = 0_i32;
    let mut length = size_of::<i32>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes to `value`; every bit pattern is an i32.
    done(unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            level,
            name,
            (&raw mut value).cast(),
            &raw mut length,
        )
    })?;
    Ok(value)
}

/// Returns how many packets a socket could not queue for want of room, since it was opened and
/// wrapping (`SO_MEMINFO`). A raw socket counts packets of others too.
pub(crate) fn drops(socket: &Socket) -> io::Result<u32> {
    let mut meminfo = [0_u32; libc::SK_MEMINFO_DROPS as usize + 1];
    let mut length = size_of_val(&meminfo) as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes to `meminfo`, in any pattern.
    done(unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            SO_MEMINFO,
            meminfo.as_mut_ptr().cast(),
            &raw mut length,
        )
    })?;
    Ok(meminfo[libc::SK_MEMINFO_DROPS as usize])
}

fn done(result: libc::c_int) -> io::Result<()> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// Moves the calling thread into a new network namespace of its own (`unshare(2)`).
#[cfg(test)]
pub(crate) fn enter_new_network() -> io::Result<()> {
    // SAFETY: takes no pointers; what it changes is this thread's alone.
    done(unsafe { libc::unshare(libc::CLONE_NEWNET) })
}

/// Returns the calling thread's number, by which other programs know it.
#[cfg(test)]
pub(crate) fn thread_number() -> i32 {
    // SAFETY: takes nothing and cannot fail.
    unsafe { libc::gettid() }
}

/// From linux/socket.h; the libc crate has it not.
const SO_MEMINFO: i32 = 55;
