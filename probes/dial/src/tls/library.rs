//! Which certificates need not be read again?
//!
//! A server shows the same ones in every run, and to read one costs as much as a tenth of a handshake.
//! Those that were read lately are kept by their bytes. Whether one is trusted is never kept, for that
//! depends on the time and on whom it is shown for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::certificate::Certificate;

/// Certificates that were read lately.
#[derive(Debug, Default)]
pub(super) struct Library(Mutex<HashMap<Box<[u8]>, Arc<Certificate>>>);

impl Library {
    /// Reads a certificate in DER; `None` if that is beyond reading.
    pub(super) fn read(&self, der: &[u8]) -> Option<Arc<Certificate>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(read) = kept.get(der) {
            return Some(Arc::clone(read));
        }
        let read = Arc::new(Certificate::read(der)?);
        if kept.len() == MOST {
            kept.clear();
        }
        kept.insert(der.into(), Arc::clone(&read));
        Some(read)
    }
}

/// How many are kept: of so many servers, or a few kilobytes for each.
const MOST: usize = 1000;

#[cfg(test)]
mod tests {
    use rcgen::generate_simple_self_signed;

    use super::*;

    #[test]
    fn certificate_is_read_once_and_no_more_than_so_many_are_kept() {
        let library = Library::default();
        let own = generate_simple_self_signed(["a.test".to_owned()]).unwrap();
        let own = own.cert.der();
        let first = library.read(own).unwrap();
        assert_eq!(first.dns_names, "a.test");
        assert!(Arc::ptr_eq(&first, &library.read(own).unwrap()));
        assert!(library.read(b"none").is_none());
        let kept = || library.0.lock().unwrap().len();
        assert_eq!(kept(), 1);
        let read = Arc::clone(&first);
        let others = (0..MOST - 1).map(|n| (n.to_le_bytes().into(), Arc::clone(&read)));
        library.0.lock().unwrap().extend(others);
        let other = generate_simple_self_signed(["b.test".to_owned()]).unwrap();
        assert_eq!(library.read(other.cert.der()).unwrap().dns_names, "b.test");
        assert_eq!(kept(), 1);
    }
}
