//! Is a request led through each kind of proxy?

use std::sync::{Arc, Mutex};

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::servers::{Certified, accepting, ok, read};
use super::{bench, ending, last_phase};

#[tokio::test]
async fn a_proxy_may_want_tls() {
    let certified = Certified::new(&["name.test"]);
    let acceptor = certified.acceptor(&[]);
    let heard = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&heard);
    let proxy = accepting(move |stream| {
        let (acceptor, kept) = (acceptor.clone(), Arc::clone(&kept));
        async move {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                return;
            };
            let request = read(&mut stream).await.unwrap();
            let line = request.lines().next().unwrap().to_owned();
            let tunnel = line.starts_with("CONNECT");
            kept.lock().unwrap().push(line);
            if tunnel {
                stream.write_all(b"HTTP/1.1 200 x\r\n\r\n").await.unwrap();
                let mut inner = acceptor.accept(stream).await.unwrap();
                read(&mut inner).await.unwrap();
                inner.write_all(ok("").as_bytes()).await.unwrap();
                inner.flush().await.unwrap();
            } else {
                stream.write_all(ok("").as_bytes()).await.unwrap();
                stream.flush().await.unwrap();
            }
        }
    });
    let through = bench()
        .host("name.test", [[192, 0, 2, 1].into()])
        .option("proxy_url", format!("https://{}", proxy.await))
        .option("tls_config", json!({ "ca": certified.authority }));
    for (address, expected) in [
        ("http://name.test/x", "GET http://192.0.2.1:80/x HTTP/1.1"),
        ("https://name.test/x", "CONNECT 192.0.2.1:443 HTTP/1.1"),
    ] {
        let found = through.run(address).await;
        assert_eq!(ending(&found), "good", "{:?}", found.run.result);
        assert_eq!(heard.lock().unwrap().pop().as_deref(), Some(expected));
    }
    // Whom the proxy's certificate is not for is told in the phase that the tunnel belongs to.
    let stranger = through.option("tls_config", json!({}));
    let found = stranger.run("http://name.test/x").await;
    assert_eq!(ending(&found), "tls", "{:?}", found.run.result);
    assert_eq!(last_phase(&found).as_deref(), Some("connect"));
}

#[tokio::test]
async fn a_socks_proxy_leads_on_whatever_is_asked() {
    let certified = Certified::new(&["name.test"]);
    let acceptor = certified.acceptor(&[]);
    let heard = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&heard);
    let proxy = accepting(move |mut stream| {
        let (acceptor, kept) = (acceptor.clone(), Arc::clone(&kept));
        async move {
            stream.read_exact(&mut [0; 3]).await.unwrap();
            stream.write_all(&[5, 0]).await.unwrap();
            let mut request = [0; 64];
            let length = stream.read(&mut request).await.unwrap();
            kept.lock().unwrap().push(request[3..length].to_vec());
            let refused = request[length - 1] == 81;
            let answer = [5, u8::from(refused) * 5, 0, 1, 127, 0, 0, 1, 0, 80];
            stream.write_all(&answer).await.unwrap();
            if request[length - 1] == 80 {
                let request = read(&mut stream).await.unwrap();
                assert!(request.starts_with("GET /x HTTP/1.1\r\n"), "{request}");
                stream.write_all(ok("").as_bytes()).await.unwrap();
            } else if !refused {
                let mut stream = acceptor.accept(stream).await.unwrap();
                read(&mut stream).await.unwrap();
                stream.write_all(ok("").as_bytes()).await.unwrap();
                stream.flush().await.unwrap();
            }
        }
    })
    .await;
    for (scheme, address, expected, reason) in [
        (
            "socks5",
            "http://name.test/x",
            &b"\x01\xc0\0\x02\x01\0\x50"[..],
            "good",
        ),
        (
            "socks5h",
            "http://name.test/x",
            b"\x03\x09name.test\0\x50",
            "good",
        ),
        (
            "socks5",
            "https://name.test/x",
            b"\x01\xc0\0\x02\x01\x01\xbb",
            "good",
        ),
        (
            "socks5",
            "http://name.test:81/",
            b"\x01\xc0\0\x02\x01\0\x51",
            "refused",
        ),
    ] {
        let found = bench()
            .host("name.test", [[192, 0, 2, 1].into()])
            .option("proxy_url", format!("{scheme}://{proxy}"))
            .option("tls_config", json!({ "ca": certified.authority }))
            .run(address)
            .await;
        assert_eq!(ending(&found), reason, "{:?}", found.run.result);
        assert_eq!(heard.lock().unwrap().pop().as_deref(), Some(expected));
    }
}
