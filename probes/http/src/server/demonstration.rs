//! What does the file server show where nobody said what to serve?

use std::{fs, io};

use leadsman_core::{Stage, Staged};
use serde_json::json;

/// Writes a page to be served and probed.
pub(super) fn stage(stage: &Stage<'_>) -> io::Result<Staged> {
    fs::write(stage.directory.join("index.html"), PAGE)?;
    Ok(Staged::new(
        json!({ "directory": stage.directory, "listen": stage.listen, "threads": 1 }),
        format!("http://{}/", stage.listen),
    ))
}

const PAGE: &str = "<!doctype html>
<html lang=\"en\">
<meta charset=\"utf-8\">
<title>leadsman</title>
<h1>This page is there to be probed</h1>
<p>The demonstration of leadsman serves it, and asks for it once a second.</p>
</html>
";
