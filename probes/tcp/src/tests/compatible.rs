//! Does it do as `blackbox_exporter` where it is to be mimicked?

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::servers::{accepting, closing, saying};
use super::{bench, detail, together};

#[tokio::test]
async fn no_second_address_is_tried() {
    let _together = together().await;
    let server = saying(b"").await;
    let addresses = [[127, 0, 0, 2].into(), [127, 0, 0, 1].into()];
    let two = bench("tcp").host("a.test", addresses);
    let address = format!("a.test:{}", server.port());
    assert_eq!(two.run(&address).await.ending(), "good");
    assert_eq!(two.compatible().run(&address).await.ending(), "refused");
}

#[tokio::test]
async fn bytes_are_read_once_and_past_what_was_read_for_lines() {
    let _together = together().await;
    let asked = accepting(|mut stream| async move {
        stream.write_all(b"a\n").await.ok();
        if stream.read_u8().await.is_ok() {
            stream.write_all(b"bc").await.ok();
        }
        stream.read_u8().await.ok();
    });
    let (asked, at_once) = (asked.await, closing(b"a\nbc").await);
    let steps = json!([{ "expect": "^a$", "send": "x" }, { "expect_bytes": "bc" }]);
    let other = json!([{ "expect": "^a$", "send": "x" }, { "expect_bytes": "bd" }]);
    for (server, steps, compatible, expected, bytes) in [
        (asked, &steps, true, "good", 0.0),
        (asked, &steps, false, "good", 0.0),
        (asked, &other, true, "mismatch", 1.0),
        (at_once, &steps, true, "closed", 0.0),
        (at_once, &steps, false, "good", 0.0),
    ] {
        let mut bench = bench("tcp").option("query_response", steps);
        if compatible {
            bench = bench.compatible();
        }
        let found = bench.run(&server.to_string()).await;
        assert_eq!(found.ending(), expected, "{steps}: {}", detail(&found));
        assert_eq!(found.named("probe_failed_due_to_bytes", None), Some(bytes));
    }
}
