//! How does memory that is free become the system's again?

/// Gives back memory that was freed but is kept by the allocator (`malloc_trim(3)`), of which there is
/// much once very many things were there at the same time. It takes some milliseconds then, so it is
/// for rare occasions. Where the allocator is another one, nothing happens.
pub fn give_back_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: takes no pointers, may be called by any thread at any time, and changes nothing that is
    // in use.
    unsafe {
        libc::malloc_trim(0);
    }
}
