//! What does a laboratory need of the kernel that no safe crate offers?
//!
//! Here because this crate has the workspace's only `unsafe` code; nothing in this crate uses it.

use std::ffi::CStr;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt as _;

use super::done;

/// Moves the calling thread into a new network namespace of its own, with nothing in it but a
/// loopback interface that is down (`unshare(2)`). Needs `CAP_SYS_ADMIN`.
///
/// The namespace goes when the last thread, process, socket or descriptor in it does.
pub fn enter_new_network() -> io::Result<()> {
    // SAFETY: takes no pointers; what it changes is this thread's alone.
    done(unsafe { libc::unshare(libc::CLONE_NEWNET) })
}

/// Makes a TUN interface of this name in the calling thread's network namespace. Needs
/// `CAP_NET_ADMIN`.
///
/// Each read takes one IP packet that the kernel sends there, each write hands it one; neither
/// blocks. The interface goes with the file. A name may have up to 15 bytes.
pub fn open_tun(name: &CStr) -> io::Result<File> {
    let name = name.to_bytes_with_nul();
    let flags = (libc::IFF_TUN | libc::IFF_NO_PI) as libc::c_short;
    let mut request = libc::ifreq {
        ifr_name: [0; libc::IFNAMSIZ],
        ifr_ifru: libc::__c_anonymous_ifr_ifru { ifru_flags: flags },
    };
    if name.len() > request.ifr_name.len() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    for (to, from) in request.ifr_name.iter_mut().zip(name) {
        *to = from.cast_signed() as libc::c_char;
    }
    let tun = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NONBLOCK)
        .open("/dev/net/tun")?;
    // SAFETY: the pointer is to an `ifreq` that outlives the call, and that the kernel fills in.
    done(unsafe { libc::ioctl(tun.as_raw_fd(), libc::TUNSETIFF, &raw mut request) })?;
    Ok(tun)
}
