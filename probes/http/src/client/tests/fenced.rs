//! Is nobody asked whom a fence keeps out, whatever leads there?

use std::net::{IpAddr, SocketAddr};

use leadsman_core::Fence;
use leadsman_core::testing::Finished;

use super::servers::{listening, ok, redirect};
use super::{bench, ending};

/// Permits the name `good.test` wherever it leads, and one address with its port.
#[derive(Debug)]
struct Only(SocketAddr);

impl Fence for Only {
    fn admits(&self, host: Option<&str>, address: IpAddr, port: Option<u16>) -> bool {
        host == Some("good.test")
            || (address == self.0.ip() && port.is_none_or(|port| port == self.0.port()))
    }

    fn admits_name(&self, host: &str, _: u16) -> bool {
        host == "good.test"
    }

    fn admits_path(&self, _: &str) -> bool {
        false
    }

    fn place(&self) -> &'static str {
        "the list"
    }
}

#[tokio::test]
async fn no_redirect_and_no_proxy_leads_around_a_fence() {
    let (forbidden, heard) = listening(|_| ok("secret").into_bytes()).await;
    let target = format!("http://{forbidden}/inside");
    let (door, _) = listening(move |_| redirect(302, &target).into_bytes()).await;
    let (proxy, asked) = listening(|_| ok("").into_bytes()).await;
    let loopback = [door.ip()];
    let fenced = |admitted: SocketAddr| {
        let bench = bench().fence(Only(admitted));
        bench
            .host("good.test", loopback)
            .host("evil.test", loopback)
    };
    let by_proxy = |host: &str| {
        let bench = fenced(proxy)
            .option("proxy_url", format!("http://{proxy}"))
            .option("skip_resolve_phase_with_proxy", true);
        let url = format!("http://{host}/");
        async move { bench.run(&url).await }
    };
    let refused = |found: &Finished| {
        assert_eq!(ending(found), "permission", "{:?}", found.run.result);
    };
    // A redirect to where nobody may go.
    refused(&fenced(door).run(&format!("http://{door}/")).await);
    // Another port of an address that is permitted; a name that leads there; the address itself.
    for host in ["evil.test", "127.0.0.1", "[::ffff:127.0.0.1]"] {
        let url = format!("http://{host}:{}/", forbidden.port());
        refused(&fenced(door).run(&url).await);
    }
    let good = format!("http://good.test:{}/", forbidden.port());
    let found = fenced(door).run(&good).await;
    assert_eq!(ending(&found), "good", "{:?}", found.run.result);
    assert_eq!(
        heard.lock().unwrap().len(),
        1,
        "only what was permitted came"
    );
    // A proxy is asked for nobody else, and has to be permitted itself.
    refused(&by_proxy("evil.test").await);
    refused(&by_proxy("127.0.0.1").await);
    assert_eq!(asked.lock().unwrap().len(), 0);
    assert_eq!(ending(&by_proxy("good.test").await), "good");
    let elsewhere = bench()
        .fence(Only(door))
        .host("good.test", [[192, 0, 2, 1].into()])
        .option("proxy_url", format!("http://{proxy}"));
    refused(&elsewhere.run("http://good.test/").await);
    assert_eq!(asked.lock().unwrap().len(), 1);
}
