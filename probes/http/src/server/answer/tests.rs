//! What is kept of files, and for how long?

use std::fs;
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::advance;

use super::*;
use crate::server::directory::Symlinks;
use crate::server::tests::harness::settle;

/// A site with nothing out of the ordinary.
pub(in crate::server) fn site(directory: &TempDir) -> Site {
    let directory = Directory::open(directory.path().into(), Symlinks::Inside).unwrap();
    let manners = Manners {
        cookie: Cookie::PLAIN,
        listing: false,
    };
    let oddities = Oddities {
        faults: false,
        disturbances: Disturbances::new(&[]),
    };
    Site::new(
        Arc::new(directory),
        1 << 20,
        manners,
        Arc::new(oddities),
        None,
        Arc::default(),
    )
}

async fn status(site: &Site, target: &str) -> StatusCode {
    let request = Request::get(target).header("host", "a").body(()).unwrap();
    site.answer(&request).await.status()
}

#[tokio::test]
async fn memory_is_taken_by_files_and_not_by_ways_to_ask_for_them() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("index.html");
    fs::write(&file, "content").unwrap();
    settle(&file);
    let site = site(&directory);
    for n in 0..1000 {
        let asked = status(&site, &format!("/index.html?{n}")).await;
        assert_eq!(asked, StatusCode::OK);
        let asked = status(&site, &format!("/none/{n}")).await;
        assert_eq!(asked, StatusCode::NOT_FOUND);
    }
    for same in ["/%69ndex.html", "//index.html", "/index.htm%6C"] {
        assert_eq!(status(&site, same).await, StatusCode::OK);
    }
    assert_eq!(site.memory().cache.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_comes_and_goes_beside_a_file_in_memory_is_noticed() {
    let directory = TempDir::new().unwrap();
    let settled = |name| {
        let file = directory.path().join(name);
        fs::write(&file, name).unwrap();
        settle(&file);
        file
    };
    settled("file");
    let site = site(&directory);
    let is_compressed = async || {
        advance(Duration::from_secs(1)).await;
        let request = Request::get("/file").header("host", "a");
        let request = request.header("accept-encoding", "gzip").body(());
        let answer = site.answer(&request.unwrap()).await;
        assert_eq!(site.memory().cache.len(), 1);
        answer.headers().contains_key(CONTENT_ENCODING)
    };
    assert!(!is_compressed().await);
    let beside = settled("file.gz");
    assert!(is_compressed().await);
    fs::remove_file(beside).unwrap();
    assert!(!is_compressed().await);
}

#[tokio::test]
async fn what_is_in_memory_is_not_found_by_a_path_that_is_encoded_once_more() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("%61");
    fs::write(&file, "content").unwrap();
    settle(&file);
    let site = site(&directory);
    assert_eq!(status(&site, "/%2561").await, StatusCode::OK);
    assert_eq!(site.memory().cache.len(), 1);
    assert_eq!(status(&site, "/%61").await, StatusCode::NOT_FOUND);
}
