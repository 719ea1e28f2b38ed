//! Does an echo cost an allocation, once everything has its size?
//!
//! Counts what the whole process allocates while echoes go to loopback. What grows once does so
//! while the first ones go; the machine may be busy and a queue longer than ever before, so that
//! it is the best of some rounds that must allocate nothing.

#![expect(unsafe_code, reason = "a global allocator that counts")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use leadsman_wire::{Flow, Heard, OpenError, Plan, RequestOptions, Sweep};

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

#[global_allocator]
static COUNTING: Counting = Counting;

// SAFETY: all is the system's; counting touches no memory but a number.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the system's conditions.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the system's conditions.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the system's conditions.
        unsafe { System.realloc(memory, layout, size) }
    }
}

/// One after the other, for the count is the whole process's.
#[test]
fn no_echo_costs_an_allocation() {
    match Flow::open(Ipv4Addr::LOCALHOST.into(), RequestOptions::default()) {
        Err(OpenError::NotPermitted { .. }) => {
            let must_not = std::env::var_os("LEADSMAN_TEST_MUST_NOT_SKIP").is_some();
            assert!(!must_not, "may not be skipped: no ICMP sockets here");
            println!("SKIPPED: no ICMP sockets here");
        }
        flow => {
            of_a_flow(&flow.unwrap());
            of_a_sweep();
        }
    }
}

fn of_a_flow(flow: &Flow) {
    let round = || {
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        for _ in 0..ECHOES {
            flow.send(WAIT);
            let heard = wait(flow);
            assert!(matches!(heard, Heard::Answer(_)), "{heard:?}");
        }
        ALLOCATIONS.load(Ordering::Relaxed) - before
    };
    let rounds: Vec<_> = (0..ROUNDS).map(|_| round()).collect();
    assert!(
        rounds.contains(&0),
        "allocations of {ECHOES} echoes: {rounds:?}"
    );
}

/// Polls rather than have a runtime that allocates.
fn wait(flow: &Flow) -> Heard {
    let mut heard = pin!(flow.heard());
    loop {
        let mut nobody = Context::from_waker(Waker::noop());
        if let Poll::Ready(heard) = heard.as_mut().poll(&mut nobody) {
            return heard;
        }
        std::thread::yield_now();
    }
}

fn of_a_sweep() {
    let addresses: Vec<IpAddr> = (1..=20).map(|n| [127, 0, 0, n].into()).collect();
    let plan = Plan {
        count: (ECHOES * ROUNDS / addresses.len()) as u32,
        until_answered: false,
        interval: Duration::from_millis(1),
        wait: WAIT,
        rate: None,
    };
    let mut rounds = [0; ROUNDS];
    let mut ended = 0;
    let mut before = ALLOCATIONS.load(Ordering::Relaxed);
    let mut on = |_, heard: Heard| {
        assert!(matches!(heard, Heard::Answer(_)), "{heard:?}");
        ended += 1;
        if ended % ECHOES == 0 {
            let now = ALLOCATIONS.load(Ordering::Relaxed);
            rounds[ended / ECHOES - 1] = now - before;
            before = now;
        }
    };
    let swept = Sweep::new(RequestOptions::default()).run(&addresses, &plan, || false, &mut on);
    swept.expect("what a flow may, a sweep may");
    assert_eq!(ended, ECHOES * ROUNDS);
    assert!(
        rounds.contains(&0),
        "allocations of {ECHOES} echoes: {rounds:?}"
    );
}

/// Of a round: far fewer than double what went before, so that a round grows nothing.
const ECHOES: usize = 500;
const ROUNDS: usize = 40;
const WAIT: Duration = Duration::from_millis(500);
