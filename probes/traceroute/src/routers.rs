//! Who is it that answers at an address?
//!
//! Names and numbers are for people to read, so nothing waits for them: a look-up goes on beside the
//! measuring, and what it finds is an event. Every address is looked up once in a run, if somebody
//! is there to read it.

use std::collections::BTreeSet;
use std::future::{Future, pending};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use leadsman_core::Context;

use crate::events::Router;
use crate::systems::Systems;

/// The routers met in one run.
pub(crate) struct Routers<'a> {
    cx: &'a Context<'a>,
    /// Whether their names are wanted.
    named: bool,
    systems: Option<Arc<Systems>>,
    met: BTreeSet<IpAddr>,
    asked: FuturesUnordered<Pin<Box<dyn Future<Output = (IpAddr, Option<String>)> + Send + 'a>>>,
}

impl<'a> Routers<'a> {
    /// Nobody was met yet; `named` is whether names are wanted.
    pub(crate) fn new(cx: &'a Context<'a>, named: bool, systems: Option<Arc<Systems>>) -> Self {
        Self {
            cx,
            named,
            systems,
            met: BTreeSet::new(),
            asked: FuturesUnordered::new(),
        }
    }

    /// Tells the system of an address and begins to look up its name, if it is new.
    pub(crate) fn meet(&mut self, address: IpAddr) {
        if !self.cx.is_watched() || self.met.len() >= MOST_MET || !self.met.insert(address) {
            return;
        }
        let cx = self.cx;
        let systems = self.systems.as_ref();
        if let Some(system) = systems.and_then(|systems| systems.of(address)) {
            cx.event(Router::NAME, || Router {
                address,
                name: None,
                system: Some(system.0),
            });
        }
        if self.named {
            let name = async move { (address, cx.name_of(address).await) };
            self.asked.push(Box::pin(name));
        }
    }

    /// Goes on until one look-up has ended, for ever if there is none. Cancel safe.
    pub(crate) async fn learn(&mut self) {
        match self.asked.next().await {
            Some((address, name)) => self.tell(address, name),
            None => pending().await,
        }
    }

    /// Goes on until all look-ups have ended.
    pub(crate) async fn learn_all(&mut self) {
        while let Some((address, name)) = self.asked.next().await {
            self.tell(address, name);
        }
    }

    fn tell(&self, address: IpAddr, name: Option<String>) {
        if name.is_some() {
            self.cx.event(Router::NAME, || Router {
                address,
                name,
                system: None,
            });
        }
    }
}

/// Far more than a path has, however it changes.
const MOST_MET: usize = 4_096;
