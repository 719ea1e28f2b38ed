//! Is an answer read whose header is larger than most?

use super::servers::listening;
use super::{bench, ending};
use crate::client::metrics::{STATUS, UNCOMPRESSED_LENGTH};

/// An answer with so many fields, after one that is not final.
fn answer(fields: usize, body: bool) -> Vec<u8> {
    let interim = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    let many = (1..fields).map(|n| format!("X-{n}: {n}\r\n"));
    let many = many.collect::<Vec<_>>().concat();
    let body = if body {
        "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    } else {
        ""
    };
    format!("{interim}HTTP/1.1 200 OK\r\n{many}Transfer-Encoding: chunked\r\n\r\n{body}").into()
}

#[tokio::test]
async fn an_answer_may_have_a_thousand_fields_and_is_asked_for_once() {
    for (fields, expected) in [
        (1, "good"),
        (100, "good"),
        (101, "good"),
        (1000, "good"),
        (1001, "protocol"),
    ] {
        for method in ["GET", "HEAD", "POST"] {
            let (server, heard) = listening(move |_| answer(fields, method != "HEAD")).await;
            let bench = bench().option("method", method);
            let found = bench.run(&format!("http://{server}/")).await;
            assert_eq!(ending(&found), expected, "{method} {fields}");
            assert_eq!(heard.lock().unwrap().len(), 1, "{method} {fields}");
            if expected == "good" {
                let length = if method == "HEAD" { 0.0 } else { 5.0 };
                assert_eq!(found.gauge(&STATUS, None), Some(200.0));
                assert_eq!(found.gauge(&UNCOMPRESSED_LENGTH, None), Some(length));
            }
        }
    }
}
