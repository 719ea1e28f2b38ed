//! Which files need not be read again?
//!
//! Those that were read lately and are still as they were, which is looked up at most once a second
//! for each. A path without percent-encoding is its own key, so that an answer from here needs no
//! look at its path at all. What is kept is bounded in bytes; when it is full, half of it goes.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::path::Path;
use super::representation::Representation;

/// Files in memory, by the path of a request.
#[derive(Debug)]
pub(super) struct Cache {
    kept: HashMap<Box<[u8]>, Kept>,
    bytes: usize,
    most: usize,
    /// How many of the files have a twin, which takes a descriptor.
    twins: usize,
}

/// A file that was found in memory.
pub(super) enum Hit {
    /// It was looked at within the last second.
    Fresh(Arc<Representation>),
    /// Whether it is still the same is to be seen.
    Stale(Arc<Representation>),
}

#[derive(Debug)]
struct Kept {
    file: Arc<Representation>,
    checked: Instant,
}

impl Cache {
    /// Keeps at most so many bytes.
    pub(super) fn new(most: usize) -> Self {
        Self {
            kept: HashMap::new(),
            bytes: 0,
            most,
            twins: 0,
        }
    }

    /// Looks for the decoded path of a request.
    ///
    /// A file is told to be stale once in a second: whoever is told has to see to it.
    pub(super) fn find(&mut self, path: &[u8], now: Instant) -> Option<Hit> {
        let kept = self.kept.get_mut(path)?;
        let file = Arc::clone(&kept.file);
        if now.duration_since(kept.checked) < FRESH {
            return Some(Hit::Fresh(file));
        }
        kept.checked = now;
        Some(Hit::Stale(file))
    }

    /// Keeps a file that was found at a path just now.
    pub(super) fn keep(&mut self, path: &Path, file: &Arc<Representation>, now: Instant) {
        let key = path.as_bytes();
        let weight = weight(key, file);
        if weight > self.most {
            return;
        }
        self.forget(key);
        while self.bytes + weight > self.most {
            self.halve();
        }
        self.bytes += weight;
        self.twins += usize::from(file.twin.is_some());
        let kept = Kept {
            file: Arc::clone(file),
            checked: now,
        };
        self.kept.insert(key.into(), kept);
    }

    /// Forgets what was found at a path.
    pub(super) fn forget(&mut self, path: &[u8]) {
        if let Some((key, kept)) = self.kept.remove_entry(path) {
            self.bytes -= weight(&key, &kept.file);
            self.twins -= usize::from(kept.file.twin.is_some());
        }
    }

    /// Whether one more file may have a twin.
    pub(super) fn has_room_for_twin(&self) -> bool {
        self.twins < MOST_TWINS
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    /// Forgets every second file in the order of the map, which is as good as any.
    fn halve(&mut self) {
        let mut goes = false;
        let (bytes, twins) = (&mut self.bytes, &mut self.twins);
        self.kept.retain(|key, kept| {
            goes = !goes;
            if goes {
                *bytes -= weight(key, &kept.file);
                *twins -= usize::from(kept.file.twin.is_some());
            }
            !goes
        });
    }
}

/// Bytes that it costs to keep a file.
fn weight(key: &[u8], file: &Representation) -> usize {
    file.all().fold(2 * key.len(), |bytes, file| {
        let length = usize::try_from(file.length()).unwrap_or(usize::MAX);
        let twice = if file.twin.is_some() { 2 } else { 1 };
        let length = length.saturating_mul(twice);
        bytes.saturating_add(length).saturating_add(OVERHEAD)
    })
}

/// For how long a file is not looked at again.
const FRESH: Duration = Duration::from_secs(1);
/// Descriptors that twins may take.
const MOST_TWINS: usize = 64;
/// Bytes of what is kept beside the content and the path: fields, map, allocations.
const OVERHEAD: usize = 1800;

#[cfg(test)]
mod tests {
    use std::fs::File;

    use rustix::fs::ftruncate;
    use tempfile::tempfile;

    use super::*;
    use crate::server::directory::Stamp;

    /// Some file of so many bytes.
    async fn file(size: u64) -> Arc<Representation> {
        let file: File = tempfile().unwrap();
        ftruncate(&file, size).unwrap();
        let stamp = Stamp::of_file(&file).unwrap();
        let path = Path::parse("/file").unwrap();
        Arc::new(Representation::of(path, file, stamp).await.unwrap())
    }

    fn path(n: usize) -> Path {
        Path::parse(&format!("/{n:04}")).unwrap()
    }

    #[tokio::test]
    async fn bytes_in_memory_are_bounded_and_counted() {
        let mut cache = Cache::new(100_000);
        let file = file(5000).await;
        let now = Instant::now();
        for n in 0..1000 {
            cache.keep(&path(n), &file, now);
            // The same again takes no more.
            cache.keep(&path(n), &file, now);
            let counted: usize = cache
                .kept
                .iter()
                .map(|(key, kept)| weight(key, &kept.file))
                .sum();
            assert_eq!(cache.twins, 0);
            assert!(cache.bytes == counted && counted <= 100_000 && cache.len() > 0);
        }
        let kept: Vec<_> = (0..1000)
            .filter(|n| cache.find(path(*n).as_bytes(), now).is_some())
            .collect();
        for n in kept {
            cache.forget(path(n).as_bytes());
        }
        assert_eq!((cache.len(), cache.bytes), (0, 0));
    }

    #[tokio::test]
    async fn descriptors_are_bounded_and_counted() {
        let mut cache = Cache::new(8 << 20);
        let now = Instant::now();
        for n in 0..200 {
            let mut file = Arc::into_inner(file(40_000).await).unwrap();
            if cache.has_room_for_twin() {
                file.make_twin();
            }
            cache.keep(&path(n), &Arc::new(file), now);
            let counted = cache
                .kept
                .values()
                .filter(|kept| kept.file.twin.is_some())
                .count();
            assert!(cache.twins == counted && counted <= MOST_TWINS);
        }
        assert!(cache.twins > 0);
        for n in 0..200 {
            cache.forget(path(n).as_bytes());
        }
        assert_eq!((cache.twins, cache.bytes), (0, 0));
    }

    #[tokio::test]
    async fn file_too_large_for_all_memory_puts_nothing_out_of_it() {
        let mut cache = Cache::new(10_000);
        let now = Instant::now();
        cache.keep(&path(1), &file(1000).await, now);
        cache.keep(&path(2), &file(20_000).await, now);
        assert_eq!(cache.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn only_one_is_told_in_a_second_that_a_file_is_stale() {
        let mut cache = Cache::new(10_000);
        let begin = Instant::now();
        cache.keep(&path(1), &file(0).await, begin);
        for (millis, stale) in [
            (0, false),
            (999, false),
            (1000, true),
            (1001, false),
            (2001, true),
        ] {
            let hit = cache.find(path(1).as_bytes(), begin + Duration::from_millis(millis));
            assert_eq!(matches!(hit, Some(Hit::Stale(_))), stale, "{millis}");
        }
        assert!(cache.find(path(2).as_bytes(), begin).is_none());
    }
}
