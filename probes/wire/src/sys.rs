//! Which calls to the kernel does the socket crate not have, or not in safe form?
//!
//! With `batch`, `connection` and `memory`, the only `unsafe` code of the workspace, and nothing but thin
//! calls: what to do with them is decided elsewhere.

#![expect(unsafe_code, reason = "setsockopt, getsockopt, ppoll and eventfd")]

pub(crate) mod batch;
pub(crate) mod connection;
#[cfg(feature = "laboratory")]
pub mod laboratory;
pub(crate) mod memory;

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd};
use std::ptr;
use std::time::Duration;

use socket2::Socket;

/// Waits until one of the descriptors can be read, or until the time is over (`ppoll(2)`); returns
/// whether the first of them can be.
///
/// There are 34 descriptors at most.
pub(crate) fn wait<'a>(
    descriptors: impl Iterator<Item = BorrowedFd<'a>>,
    most: Option<Duration>,
) -> io::Result<bool> {
    let none = libc::pollfd {
        fd: -1,
        events: libc::POLLIN,
        revents: 0,
    };
    let mut polls = [none; 34];
    let mut count = 0;
    for (poll, descriptor) in polls.iter_mut().zip(descriptors) {
        poll.fd = descriptor.as_raw_fd();
        count += 1;
    }
    let most = most.map(|most| libc::timespec {
        tv_sec: most.as_secs().cast_signed(),
        tv_nsec: most.subsec_nanos().into(),
    });
    let most = most.as_ref().map_or(ptr::null(), ptr::from_ref);
    // SAFETY: the pointers are to as many pollfds as the count says, and to a timespec or to
    // nothing; all live through the call. The signal mask is not changed.
    done(unsafe { libc::ppoll(polls.as_mut_ptr(), count, most, ptr::null()) })?;
    Ok(polls[0].revents & libc::POLLIN != 0)
}

/// Makes a descriptor that can be read once something was written to it (`eventfd(2)`).
pub(crate) fn event() -> io::Result<File> {
    // SAFETY: takes no pointers.
    let descriptor = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
    done(descriptor)?;
    // SAFETY: it was just opened, and nobody else knows it.
    Ok(unsafe { File::from_raw_fd(descriptor) })
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
