//! A daytime server (RFC 867) that always tells the same time.

use std::error::Error;
use std::io;
use std::net::SocketAddr;

use leadsman_core::{Responder, ResponderOptions, ResponderPlugin, Stop, async_trait, inventory};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpSocket};

inventory::submit! {
    ResponderPlugin::new::<DaytimeServer>("daytime", "Tells the time to whoever connects")
}

/// Where it listens and what it says.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct DaytimeServer {
    /// Address and port to listen on.
    listen: SocketAddr,
    /// What it says to everybody.
    time: String,
}

impl Default for DaytimeServer {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            time: "Thursday, January 1, 1970 00:00:00-UTC".to_owned(),
        }
    }
}

#[async_trait]
impl ResponderOptions for DaytimeServer {
    async fn open(&self) -> Result<Box<dyn Responder>, Box<dyn Error + Send + Sync>> {
        let named = |why: io::Error| format!("cannot listen on {}: {why}", self.listen);
        let listener = listen(self.listen).map_err(named)?;
        let address = listener.local_addr()?;
        Ok(Box::new(Open {
            listener,
            address,
            line: format!("{}\r\n", self.time),
        }))
    }
}

/// As `TcpListener::bind`, with room for a thousand who come at once: it has room for 128, and who
/// waits for a server that speaks first may never learn that there was none.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(1024)
}

struct Open {
    listener: TcpListener,
    address: SocketAddr,
    line: String,
}

#[async_trait]
impl Responder for Open {
    fn address(&self) -> SocketAddr {
        self.address
    }

    async fn serve(self: Box<Self>, stop: Stop) -> Result<(), Box<dyn Error + Send + Sync>> {
        loop {
            tokio::select! {
                () = stop.requested() => return Ok(()),
                connection = self.listener.accept() => {
                    let mut client = connection?.0;
                    // A client that has gone away again is no reason to end.
                    client.write_all(self.line.as_bytes()).await.ok();
                }
            }
        }
    }
}
