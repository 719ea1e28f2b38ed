//! Is it only what lies inside that is found?

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use rustix::fs::mkfifoat;
use tempfile::TempDir;

use super::*;

/// A directory with a file of each kind, and a secret beside it.
fn lair() -> TempDir {
    let lair = TempDir::new().unwrap();
    let root = lair.path().join("root");
    fs::create_dir_all(root.join("sub")).unwrap();
    fs::write(lair.path().join("secret"), "secret").unwrap();
    fs::write(root.join("file"), "plain").unwrap();
    fs::write(root.join("sub/file"), "below").unwrap();
    symlink("file", root.join("link")).unwrap();
    symlink("sub", root.join("sublink")).unwrap();
    symlink("../secret", root.join("out")).unwrap();
    symlink("/etc/passwd", root.join("absolute")).unwrap();
    symlink("..", root.join("up")).unwrap();
    symlink("loop", root.join("loop")).unwrap();
    mkfifoat(CWD, root.join("fifo"), Mode::RUSR | Mode::WUSR).unwrap();
    UnixListener::bind(root.join("socket")).unwrap();
    lair
}

fn seen(directory: &Directory, path: &str) -> String {
    match directory.find(&Path::parse(path).unwrap()).unwrap() {
        Found::File(mut file, stamp) => {
            let mut text = String::new();
            file.read_to_string(&mut text).unwrap();
            assert_eq!(stamp.size, text.len() as u64);
            text
        }
        Found::Directory(_) => "a directory".to_owned(),
        Found::Missing => String::new(),
    }
}

#[test]
fn only_regular_files_inside_are_found() {
    let lair = lair();
    let open = |symlinks| Directory::open(lair.path().join("root"), symlinks).unwrap();
    let inside = open(Symlinks::Inside);
    assert!(inside.resolve.is_some(), "this kernel has openat2");
    let deny = open(Symlinks::Deny);
    let walking = Directory {
        resolve: None,
        ..open(Symlinks::Inside)
    };
    for (path, expected, without_links) in [
        ("/file", "plain", "plain"),
        ("/sub/file", "below", "below"),
        ("/sub", "a directory", "a directory"),
        ("/sub/", "a directory", "a directory"),
        ("/", "a directory", "a directory"),
        ("/link", "plain", ""),
        ("/sublink/file", "below", ""),
        ("/out", "", ""),
        ("/absolute", "", ""),
        ("/up/secret", "", ""),
        ("/up/root/file", "", ""),
        ("/loop", "", ""),
        ("/fifo", "", ""),
        ("/socket", "", ""),
        ("/file/", "", ""),
        ("/file/x", "", ""),
        ("/none", "", ""),
        (&format!("/{}", "a".repeat(300)), "", ""),
        (&"/a".repeat(3000), "", ""),
    ] {
        assert_eq!(seen(&inside, path), expected, "{path}");
        for directory in [&deny, &walking] {
            assert_eq!(
                seen(directory, path),
                without_links,
                "{path}, {directory:?}"
            );
        }
    }
}

#[test]
fn what_is_listed_is_what_would_be_found() {
    let lair = lair();
    let root = lair.path().join("root");
    fs::write(root.join(".hidden"), "secret").unwrap();
    fs::write(root.join("back\\slash"), "nobody can ask for it").unwrap();
    let listed = |symlinks, path| -> Option<Vec<(String, Option<u64>)>> {
        let directory = Directory::open(root.clone(), symlinks).unwrap();
        let entries = directory.list(&Path::parse(path).unwrap()).unwrap()?;
        let text = |name| String::from_utf8(name).unwrap();
        Some(
            entries
                .into_iter()
                .map(|entry| (text(entry.name), entry.size))
                .collect(),
        )
    };
    let entry = |name: &str, size| (name.to_owned(), size);
    let (file, sub) = (entry("file", Some(5)), entry("sub", None));
    let inside = [
        file.clone(),
        entry("link", Some(5)),
        sub.clone(),
        entry("sublink", None),
    ];
    assert_eq!(listed(Symlinks::Inside, "/"), Some(inside.into()));
    assert_eq!(listed(Symlinks::Deny, "/"), Some(vec![file.clone(), sub]));
    for path in ["/sub/", "/sublink/"] {
        assert_eq!(
            listed(Symlinks::Inside, path),
            Some(vec![file.clone()]),
            "{path}"
        );
    }
    assert_eq!(listed(Symlinks::Inside, "/none/"), None);
    assert_eq!(listed(Symlinks::Deny, "/sublink/"), None);
}

#[test]
fn every_change_of_a_file_is_noticed() {
    let lair = lair();
    let root = lair.path().join("root");
    let directory = Directory::open(root.clone(), Symlinks::Inside).unwrap();
    let path = Path::parse("/file").unwrap();
    let changes: [fn(&std::path::Path); 4] = [
        |root| fs::write(root.join("file"), "longer than before").unwrap(),
        |root| fs::rename(root.join("sub/file"), root.join("file")).unwrap(),
        |root| {
            File::open(root.join("file"))
                .unwrap()
                .set_modified(std::time::UNIX_EPOCH)
                .unwrap();
        },
        |root| fs::remove_file(root.join("file")).unwrap(),
    ];
    for change in changes {
        let Found::File(_, stamp) = directory.find(&path).unwrap() else {
            panic!("it is there");
        };
        assert!(directory.is_still(&path, &stamp));
        change(&root);
        assert!(!directory.is_still(&path, &stamp));
    }
}
