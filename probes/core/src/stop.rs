//! Has somebody asked for an end?

use std::future;

use tokio::sync::watch;

/// Asks everybody who holds a [`Stop`] to end. Dropping it asks for nothing.
#[derive(Debug)]
pub struct Stopper(watch::Sender<bool>);

/// Tells its holder when to end in good order.
#[derive(Clone, Debug)]
pub struct Stop(Option<watch::Receiver<bool>>);

impl Stopper {
    /// A stopper and the stop that hears it.
    pub fn new() -> (Self, Stop) {
        let (sender, receiver) = watch::channel(false);
        (Self(sender), Stop(Some(receiver)))
    }

    /// Asks for the end; asking again changes nothing.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Stop {
    /// A stop that is never asked for.
    pub const fn never() -> Self {
        Self(None)
    }

    /// Completes when the end was asked for, at once if it was asked for before.
    pub async fn requested(&self) {
        let heard = match &self.0 {
            Some(receiver) => receiver.clone().wait_for(|stop| *stop).await.is_ok(),
            None => false,
        };
        if !heard {
            future::pending::<()>().await;
        }
    }

    /// Whether the end was asked for.
    pub fn is_requested(&self) -> bool {
        self.0.as_ref().is_some_and(|receiver| *receiver.borrow())
    }
}
