//! What has fuzzing kept?

use std::fs;
use std::path::Path;

/// The inputs that are kept for a fuzz target: the files of the folder of its name in `corpora`.
///
/// # Panics
/// If there are none, or one cannot be read.
pub fn corpus(corpora: impl AsRef<Path>, target: &str) -> Vec<Vec<u8>> {
    let folder = corpora.as_ref().join(target);
    let files = fs::read_dir(&folder).unwrap_or_else(|why| panic!("{}: {why}", folder.display()));
    let inputs = files.map(|file| fs::read(file.expect("it can be listed").path()));
    let inputs: Vec<_> = inputs.map(|input| input.expect("it can be read")).collect();
    assert!(!inputs.is_empty(), "{target} has no corpus");
    inputs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_read_as_they_are() {
        let corpora = tempfile::tempdir().unwrap();
        fs::create_dir(corpora.path().join("target")).unwrap();
        fs::write(corpora.path().join("target/input"), b"\xff\r\n").unwrap();
        assert_eq!(corpus(corpora.path(), "target"), [b"\xff\r\n"]);
    }

    #[test]
    #[should_panic = "target has no corpus"]
    fn target_without_inputs_is_an_error() {
        let corpora = tempfile::tempdir().unwrap();
        fs::create_dir(corpora.path().join("target")).unwrap();
        corpus(corpora.path(), "target");
    }
}
