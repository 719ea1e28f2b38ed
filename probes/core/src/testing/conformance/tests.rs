//! Does each check of the kit find what it is there to find?
//!
//! One probe does everything right and must pass the whole kit. The other does one thing wrong at
//! a time, and the check for that thing must say so in words.

mod banner;
mod crooked;
pub(super) mod idle;

use std::net::SocketAddr;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use super::*;
use crate::testing::Bench;
use crate::{Cause, Plugin};
use banner::BANNER;
use crooked::{CROOKED, Manner};
use idle::Idle;
use seen::Seen;

/// Serves banners, each on a port of its own, and says with which port it is.
async fn banners<const N: usize>() -> [SocketAddr; N] {
    let mut addresses = Vec::new();
    for _ in 0..N {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        addresses.push(address);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                // The probe may have been dropped already.
                let line = format!("{}\n", word(address));
                stream.write_all(line.as_bytes()).await.ok();
            }
        });
    }
    addresses.try_into().unwrap()
}

fn word(address: SocketAddr) -> String {
    format!("banner-{}", address.port())
}

/// What is made of a lab, a good peer with a bench, and all others.
struct Scene {
    lab: Lab,
    peers: Peers,
    bench: Bench,
    crowd: Vec<Member>,
}

type Examined = Result<Vec<String>, Stuck>;

/// Examines the probe that does just this wrong, in its turn.
async fn examined(manner: Manner, examine: fn(&mut Scene) -> Examined) -> Examined {
    let good = banners::<20>().await;
    let kit = Kit::of(Bench::of(&CROOKED).option("manner", manner))
        .good(good[0].to_string())
        .many(|n| (good[n % 20].to_string(), word(good[n % 20])))
        .tcp_servers(|at| at.to_string());
    let examine = move || {
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let Kit {
            bench,
            peers,
            crowd,
            servers: _servers,
            shown_elsewhere: _,
        } = kit;
        examine(&mut Scene {
            lab: Lab::new(),
            peers,
            bench,
            crowd,
        })
    };
    tokio::task::spawn_blocking(examine).await.unwrap()
}

/// Expects `examine` to find just one kind of mistake with this manner, and to tell it so.
async fn check(manner: Manner, examine: fn(&mut Scene) -> Examined, expected: &str) {
    let mistakes = match examined(manner, examine).await {
        Ok(mistakes) => mistakes,
        Err(stuck) => vec![stuck.to_string()],
    };
    assert!(!mistakes.is_empty(), "{manner:?} is not found out");
    for mistake in mistakes {
        assert!(mistake.contains(expected), "{manner:?}: {mistake}");
    }
}

fn good(scene: &mut Scene) -> Examined {
    good::check(&mut scene.lab, &scene.peers.good)
}

fn deadline(scene: &mut Scene) -> Examined {
    deadline::check(&mut scene.lab, &scene.peers.hostile[..1])
}

fn cancel(scene: &mut Scene) -> Examined {
    good(scene)?;
    // Each leak is waited for, and is there with every peer.
    scene.peers.hostile.clear();
    cancel::check(&scene.lab, &scene.peers)
}

fn panics(scene: &mut Scene) -> Examined {
    panics::check(&scene.lab, &scene.peers.good)
}

fn crowd(scene: &mut Scene) -> Examined {
    crowd::check(&scene.lab, &scene.bench, &scene.crowd)
}

fn seen(scene: &mut Scene) -> Result<&Seen, Stuck> {
    good(scene)?;
    deadline::check(&mut scene.lab, &scene.peers.hostile)?;
    Ok(&scene.lab.seen)
}

#[tokio::test]
async fn a_probe_that_does_everything_right_passes() {
    let good = banners::<100>().await;
    Kit::of(&BANNER)
        .good(good[0].to_string())
        .many(|n| (good[n % 100].to_string(), word(good[n % 100])))
        .tcp_servers(|at| at.to_string())
        .provoking(
            "a long line",
            Bench::of(&BANNER).option("longest", 3),
            good[1].to_string(),
        )
        .assert()
        .await;
}

#[tokio::test]
async fn a_probe_that_does_nothing_aright_is_told_all_of_it() {
    let report = Kit::of(Bench::of(&CROOKED).option("manner", Manner::NeverSucceeds))
        .check()
        .await;
    let failed: Vec<_> = report.failed().map(|check| check.name).collect();
    let expected = [
        "a good peer is a success",
        "the deadline is kept",
        "every declared metric appears",
    ];
    assert_eq!(failed, expected, "{report}");
    assert!(
        report
            .to_string()
            .starts_with("crooked: 3 of 16 checks failed\n  passed  name")
    );
}

#[tokio::test]
#[should_panic(expected = "FAILED  a good peer is a success\n          no good peer is named")]
async fn a_kit_without_peers_passes_nobody() {
    Kit::of(&BANNER).assert().await;
}

#[tokio::test]
#[should_panic(expected = "cannot aim banner at nowhere: the target is not ADDRESS:PORT")]
async fn a_mistake_of_the_author_is_told_at_once() {
    drop(Kit::of(&BANNER).good("nowhere"));
}

#[tokio::test]
async fn a_probe_that_keeps_its_thread_misses_the_deadline() {
    let expected = "with 300ms to its deadline";
    check(Manner::KeepsItsThread, deadline, expected).await;
    check(Manner::ClosesSlowly, deadline, expected).await;
}

#[tokio::test]
async fn a_probe_that_never_yields_does_not_hang_the_kit() {
    check(
        Manner::NeverYields,
        deadline,
        "silent: still running 2s after its deadline",
    )
    .await;
    check(
        Manner::PanicsWhenDropped,
        good,
        "good: panicked outside of `measure`",
    )
    .await;
}

#[tokio::test]
async fn what_a_dropped_run_leaves_behind_is_found() {
    check(
        Manner::LeaksDescriptor,
        cancel,
        "left behind are tasks 0, descriptors [socket:",
    )
    .await;
    check(Manner::LeaksTask, cancel, ", descriptors []").await;
    check(
        Manner::BreaksWhenDropped,
        cancel,
        "the next run fails: still running",
    )
    .await;
}

#[tokio::test]
async fn a_panic_that_spreads_is_found() {
    check(
        Manner::PanicsForAll,
        panics,
        "one that panicked fails: broken by a panic",
    )
    .await;
}

#[tokio::test]
async fn runs_that_confuse_their_answers_are_found() {
    let others = "which is another's answer; its own is";
    check(Manner::SharesItsTarget, crowd, others).await;
    check(Manner::SaysOthersAnswers, crowd, others).await;
    let silent = |scene: &mut Scene| {
        for member in &mut scene.crowd {
            member.word = Some("unheard".to_owned());
        }
        crowd(scene)
    };
    let expected = "did not say \"unheard\" in any info or event";
    check(Manner::None, silent, expected).await;
    check(
        Manner::NeverSucceeds,
        crowd,
        "1000 of 1000 runs, such as 127.0.0.1:",
    )
    .await;
}

#[tokio::test]
async fn a_crowd_that_nobody_named_is_of_good_peers() {
    let Kit { peers, .. } = Kit::of(&BANNER).good(banners::<1>().await[0].to_string());
    let crowd = move || crowd::of_good_peers(&mut Lab::new(), &peers);
    let crowd = tokio::task::spawn_blocking(crowd).await.unwrap().unwrap();
    let words: Vec<_> = crowd.into_iter().map(|member| member.word).collect();
    assert_eq!(words, vec![Some("127.0.0.1".to_owned()); 1000]);
}

#[test]
fn a_plugin_that_can_fail_can_time_out() {
    static PLUGIN: Plugin = Plugin::new::<Idle>("idle", "Nothing").causes(&[Cause::Refused]);
    let mistakes = Seen::default().undeclared_causes(&PLUGIN);
    let expected = ["Cause::Timeout is not declared, but the core ends runs with it"];
    assert_eq!(mistakes, expected);
}

#[test]
fn a_probe_that_asks_behind_a_fence_is_found() {
    static PLUGIN: Plugin = Plugin::new::<Idle>("idle", "Nothing");
    let Kit { peers, .. } = Kit::of(&PLUGIN).good("192.0.2.1:7");
    let mistakes = fence::check(&Lab::new(), &peers.good).unwrap();
    let expected = "good: asked although the fence is closed: call Context::permits";
    assert_eq!(mistakes, [expected]);
}

const ELSEWHERE: &[&str] = &["probe_crooked_odd"];

#[tokio::test]
async fn what_is_recorded_is_held_against_what_is_declared() {
    let panics = |scene: &mut Scene| seen(scene).map(Seen::panics);
    let absent = |scene: &mut Scene| seen(scene).map(|seen| seen.absent(&CROOKED, &[]));
    let causes = |scene: &mut Scene| seen(scene).map(|seen| seen.undeclared_causes(&CROOKED));
    let own = |scene: &mut Scene| seen(scene).map(Seen::wrongly_own);
    let undeclared = "probe_crooked_undeclared_total is recorded but not among";
    check(Manner::RecordsUndeclared, panics, undeclared).await;
    let seldom = "probe_crooked_odd{kind=\"seldom\"} is declared, but no run recorded it";
    check(Manner::RecordsTooLittle, absent, seldom).await;
    let excused = |scene: &mut Scene| seen(scene).map(|seen| seen.absent(&CROOKED, ELSEWHERE));
    assert_eq!(
        examined(Manner::RecordsTooLittle, excused).await,
        Ok(vec![])
    );
    check(Manner::FailsOtherwise, causes, "not that (Cause::Tls)").await;
    check(Manner::BlamesUs, own, ": ").await;
    let all = |scene: &mut Scene| {
        let seen = seen(scene)?;
        let (absent, causes) = (seen.absent(&CROOKED, &[]), seen.undeclared_causes(&CROOKED));
        Ok([seen.panics(), absent, causes, seen.wrongly_own()].concat())
    };
    assert_eq!(examined(Manner::None, all).await, Ok(vec![]));
}
