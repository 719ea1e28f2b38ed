//! Are the responders those that were wanted last, whatever fails to open?

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use leadsman_core::options::Node;
use leadsman_core::schemars::{self, JsonSchema};
use leadsman_core::{Responder, ResponderOptions, Stop};
use serde::{Deserialize, Serialize};
use tokio::net::{TcpListener, TcpStream};

use super::*;

static BUOY: ResponderPlugin = ResponderPlugin::new::<Buoy>("buoy", "Answers");

/// Listens where it is told; the first peer ends it.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(crate = "schemars")]
struct Buoy(SocketAddr);

impl Default for Buoy {
    fn default() -> Self {
        Self(SocketAddr::from(([127, 0, 0, 1], 0)))
    }
}

#[async_trait]
impl ResponderOptions for Buoy {
    async fn open(&self) -> Result<Box<dyn Responder>, Box<dyn Error + Send + Sync>> {
        Ok(Box::new(Afloat(TcpListener::bind(self.0).await?)))
    }
}

struct Afloat(TcpListener);

#[async_trait]
impl Responder for Afloat {
    fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    async fn serve(self: Box<Self>, stop: Stop) -> Result<(), Box<dyn Error + Send + Sync>> {
        tokio::select! {
            () = stop.requested() => Ok(()),
            _ = self.0.accept() => Err("it sank".into()),
        }
    }
}

/// A buoy that opens only if it has not been opened before.
#[derive(Debug, Default)]
struct OpensOnce(AtomicBool);

#[async_trait]
impl Open for OpensOnce {
    async fn open(&self) -> Result<Box<dyn Responder>, Box<dyn Error + Send + Sync>> {
        if self.0.swap(true, Ordering::Relaxed) {
            return Err("worn out".into());
        }
        ResponderOptions::open(&Buoy::default()).await
    }

    fn shown(&self) -> serde_json::Value {
        format!("{:p}", &raw const self.0).into()
    }
}

/// A buoy at this address of loopback.
fn buoy(address: SocketAddr) -> Wanted {
    Wanted {
        plugin: &BUOY,
        options: BUOY.parse(&Node::word(address.to_string())).unwrap(),
    }
}

/// An address that nobody listens on.
fn free() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0");
    listener.and_then(|listener| listener.local_addr()).unwrap()
}

async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    TcpStream::connect(address).await
}

#[tokio::test]
async fn those_from_before_are_put_back_if_a_new_one_cannot_be_opened() {
    let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let taken = other.local_addr().unwrap();
    let (before, new) = (free(), free());
    let mut responders = Responders::new(Own::new("1"));
    responders.adopt(&[buoy(before)]).await.unwrap();
    let why = responders.adopt(&[buoy(new), buoy(taken)]).await;
    let why = why.unwrap_err().to_string();
    assert!(why.starts_with("cannot open the buoy responder: "), "{why}");
    assert!(!why.contains("ran before"), "{why}");
    assert!(connect(new).await.is_err());
    assert!(connect(before).await.is_ok());
}

#[tokio::test]
async fn one_that_cannot_be_put_back_is_named() {
    let mut responders = Responders::new(Own::new("1"));
    let before = Arc::new(OpensOnce::default());
    let wanted = |options: Arc<dyn Open>| Wanted {
        plugin: &BUOY,
        options,
    };
    responders.adopt(&[wanted(before)]).await.unwrap();
    let never = Arc::new(OpensOnce(AtomicBool::new(true)));
    let why = responders.adopt(&[wanted(never)]).await.unwrap_err();
    let why = why.to_string();
    assert_eq!(
        why.matches("cannot open the buoy responder: worn out")
            .count(),
        2,
        "{why}"
    );
    assert!(why.contains(", but without one that ran before: "), "{why}");
}

#[tokio::test]
async fn one_that_has_ended_by_itself_is_opened_anew() {
    let address = free();
    let mut responders = Responders::new(Own::new("1"));
    responders.adopt(&[buoy(address)]).await.unwrap();
    connect(address).await.unwrap();
    while responders.running[0].runs() {
        tokio::task::yield_now().await;
    }
    assert!(connect(address).await.is_err());
    responders.adopt(&[buoy(address)]).await.unwrap();
    assert!(connect(address).await.is_ok());
}
