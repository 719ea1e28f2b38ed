//! Do a thousand runs at once keep their answers apart?

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::Value;
use tokio::task::JoinSet;

use super::lab::{Lab, Stuck};
use super::peer::{Peer, Peers};
use crate::metric::common;
use crate::testing::{Bench, Finished};

/// Where one run of the crowd is aimed, and the word that only its own answer has.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) address: String,
    pub(super) word: Option<String>,
}

/// Runs all members at once. Each must succeed, say its own word, and say no other's.
pub(super) fn check(lab: &Lab, bench: &Bench, crowd: &[Member]) -> Result<Vec<String>, Stuck> {
    make_room();
    let bench = Arc::new(bench.clone().timeout(PATIENCE));
    let addresses: Vec<_> = crowd.iter().map(|member| member.address.clone()).collect();
    let finished = lab.watch("all at once", PATIENCE, async move {
        let mut runs = JoinSet::new();
        for (n, address) in addresses.into_iter().enumerate() {
            let bench = Arc::clone(&bench);
            runs.spawn(async move { (n, bench.run(&address).await) });
        }
        runs.join_all().await
    })?;
    let all: BTreeSet<_> = crowd
        .iter()
        .filter_map(|member| member.word.as_deref())
        .collect();
    let mistakes = finished.iter().filter_map(|(n, finished)| {
        let member = &crowd[*n];
        let words = judge(finished, member.word.as_deref(), &all)?;
        Some(format!("{}: {words}", member.address))
    });
    let mistakes: Vec<_> = mistakes.collect();
    let (count, runs) = (mistakes.len(), crowd.len());
    let first = mistakes.into_iter().next();
    let told = first.map(|first| format!("{count} of {runs} runs, such as {first}"));
    Ok(told.into_iter().collect())
}

/// The crowd where the author named none: the good peers over and over, each with the address that
/// a run of its own finds.
pub(super) fn of_good_peers(lab: &mut Lab, peers: &Peers) -> Result<Vec<Member>, Stuck> {
    let mut members = Vec::new();
    for peer in &peers.good {
        members.push(alone(lab, peer)?);
    }
    Ok(members.into_iter().cycle().take(CROWD).collect())
}

fn alone(lab: &mut Lab, peer: &Peer) -> Result<Member, Stuck> {
    let finished = lab.run(peer)?;
    let address = finished
        .text(&common::TARGET_INFO)
        .map(|text| text[0].to_owned());
    Ok(Member {
        address: peer.address.clone(),
        word: address,
    })
}

/// What is wrong with a run, if anything is.
fn judge(finished: &Finished, word: Option<&str>, all: &BTreeSet<&str>) -> Option<String> {
    if let Err(fault) = &finished.run.result {
        return Some(fault.to_string());
    }
    let word = word?;
    let said = said(finished);
    if let Some(other) = said
        .iter()
        .find(|said| *said != word && all.contains(said.as_str()))
    {
        return Some(format!(
            "got {other:?}, which is another's answer; its own is {word:?}"
        ));
    }
    (!said.contains(word)).then(|| format!("did not say {word:?} in any info or event"))
}

/// Every text of a run's infos, and every value of its events.
fn said(finished: &Finished) -> BTreeSet<String> {
    let recording = &finished.run.recording;
    let places = recording.layout().places().iter();
    let infos = places.filter(|place| place.len == 0);
    let texts = infos
        .filter_map(|place| recording.text(place))
        .flatten()
        .map(str::to_owned);
    let values = finished
        .events
        .iter()
        .flat_map(|event| event.fields().into_iter());
    let values = values.map(|(_, value)| match value {
        Value::String(text) => text,
        value => value.to_string(),
    });
    texts.chain(values).collect()
}

/// Lets the process open as many descriptors as it may. Where that is too few, runs fail and say
/// so.
fn make_room() {
    let limit = getrlimit(Resource::Nofile);
    let most = Rlimit {
        current: limit.maximum,
        ..limit
    };
    setrlimit(Resource::Nofile, most).ok();
}

/// How many runs there are at once.
pub(super) const CROWD: usize = 1000;
/// How long all of them may take on a small and busy machine.
const PATIENCE: Duration = Duration::from_secs(20);
