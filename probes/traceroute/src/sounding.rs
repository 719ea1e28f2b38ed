//! How large a packet gets through, and where does the way get narrower?
//!
//! What to send is decided by [`crate::mtu`]; here it is carried out on the flow whose path is
//! known. First the largest packet that gets to the end is searched for; then, for every link that
//! turned out too narrow, the router before it: by the address that refused, or if that is none of
//! the path's, by how far such a packet gets. A search that is cut short leaves nothing.

use std::iter;
use std::net::IpAddr;
use std::pin::pin;
use std::time::Duration;

use leadsman_core::{Context, Fault};
use leadsman_wire::{Answer, Arrived, Heard, Refusal, Ttl, What};
use tokio::time::{Instant, sleep_until};

use crate::answer::reply;
use crate::discovery::{Discovery, Limits};
use crate::enumeration::{MARGIN, patience};
use crate::events::sounding::{HopMtu, Narrowing, PathMtu};
use crate::line::Line;
use crate::metrics::{MTU_BLACK_HOLE, PATH_MTU, SENT};
use crate::mtu::{Bounds, Depth, DepthStep, MtuSearch, MtuStep, Outcome, Report};
use crate::step::{Flow, Probe};
use crate::toll::Toll;

/// The path on which to search.
#[derive(Debug)]
pub(crate) struct Way {
    flow: Flow,
    /// Those that answer, the nearest first; at least one.
    hops: Vec<(Ttl, IpAddr)>,
    /// How long to wait for an answer.
    wait: Duration,
}

impl Way {
    /// That of a discovery; none if nobody answered.
    pub(crate) fn of(discovery: &Discovery, flow: Flow, limits: Limits) -> Option<Self> {
        let arrived = discovery.arrived();
        let hops = discovery.hops().iter();
        let hops = hops.take_while(|hop| arrived.is_none_or(|arrived| hop.ttl <= arrived));
        let hops: Vec<_> = hops
            .filter_map(|hop| Some((hop.ttl, hop.reply.as_ref()?.from)))
            .collect();
        let wait = patience(discovery, limits)?;
        (!hops.is_empty()).then_some(Self { flow, hops, wait })
    }

    fn end(&self) -> Ttl {
        let (ttl, _) = self.hops.last().expect("there is at least one");
        *ttl
    }
}

/// One search under way.
pub(crate) struct Sounding<'a> {
    cx: &'a Context<'a>,
    way: Way,
    line: &'a mut Line,
    begin: Instant,
    /// The sizes of the packets, by their round.
    sizes: Vec<u32>,
    /// The smallest that this host did not send.
    refused_here: u32,
    /// The largest that are known to have got to a TTL, at least.
    arrived: Vec<(Ttl, u32)>,
    toll: Toll,
}

impl<'a> Sounding<'a> {
    pub(crate) fn new(cx: &'a Context<'a>, way: Way, line: &'a mut Line, toll: Toll) -> Self {
        line.begin();
        Self {
            cx,
            way,
            line,
            begin: Instant::now(),
            sizes: Vec::new(),
            refused_here: u32::MAX,
            arrived: Vec::new(),
            toll,
        }
    }

    /// Searches to the end, or until a stop.
    pub(crate) async fn run(mut self) -> Result<(), Fault> {
        let cx = self.cx;
        let end = cx.deadline().checked_sub(MARGIN).unwrap_or(self.begin);
        let mut ended = pin!(async {
            tokio::select! {
                () = cx.stopped() => {}
                () = sleep_until(end) => {}
            }
        });
        tokio::select! {
            biased;
            done = self.sound() => done,
            () = ended.as_mut() => Ok(()),
        }
    }

    async fn sound(&mut self) -> Result<(), Fault> {
        let search = self.search().await?;
        let found = match search.outcome() {
            Some(Outcome::Found { mtu, black_hole }) => Some((mtu, black_hole)),
            Some(Outcome::Unanswered) | None => None,
        };
        let narrowings = match found {
            Some((mtu, black_hole)) => self.narrowings(search.reports(), mtu, black_hole).await?,
            None => Vec::new(),
        };
        if let Some((mtu, black_hole)) = found {
            self.cx.set(&PATH_MTU, mtu.into());
            self.cx
                .set(&MTU_BLACK_HOLE, f64::from(u8::from(black_hole)));
        }
        let first = self.largest_sent();
        let carried = |ttl: Ttl| {
            let before = narrowings
                .iter()
                .filter(|narrow| narrow.after_ttl < ttl.hops());
            before.map(|narrow| narrow.bytes).fold(first, u32::min)
        };
        let hops = self.way.hops.iter().filter(|_| found.is_some());
        let hops = hops.map(|(ttl, address)| {
            let (bytes, most) = (self.sure(*ttl), carried(*ttl));
            HopMtu {
                ttl: ttl.hops(),
                address: *address,
                bytes,
                at_most: (bytes < most).then_some(most),
            }
        });
        let (hops, packets) = (hops.collect(), self.sizes.len() as u64);
        self.cx.event(PathMtu::NAME, || PathMtu {
            bytes: found.map(|(mtu, _)| mtu),
            black_hole: found.is_some_and(|(_, black_hole)| black_hole),
            packets,
            hops,
            narrowings,
        });
        Ok(())
    }

    /// Finds what gets to the end of the way.
    async fn search(&mut self) -> Result<MtuSearch, Fault> {
        let mut bounds = Bounds::of(self.line.address());
        bounds.least = bounds.least.max(self.line.usual_size());
        bounds.base = bounds.base.max(bounds.least);
        let mut search = MtuSearch::new(bounds, self.way.wait);
        loop {
            let until = match search.poll(self.begin.elapsed()) {
                MtuStep::Send(size) => {
                    self.send(self.way.end(), size)?;
                    continue;
                }
                MtuStep::Wait(until) => until,
                MtuStep::Done => return Ok(search),
            };
            let Some((probe, heard)) = self.heard(until).await else {
                continue;
            };
            let size = self.size(probe);
            match self.told(probe, &heard)? {
                Told::Arrived => search.arrived(size),
                Told::Refused { from, mtu } => search.refused(Report {
                    from,
                    refused: size,
                    mtu,
                }),
                Told::RefusedHere { believed } => {
                    self.refused_here = self.refused_here.min(size);
                    search.refused_here(size, believed);
                }
                Told::Nothing => {}
            }
        }
    }

    /// Finds the routers before the narrow links.
    async fn narrowings(
        &mut self,
        reports: &[Report],
        mtu: u32,
        black_hole: bool,
    ) -> Result<Vec<Narrowing>, Fault> {
        let mut narrowings: Vec<Narrowing> = Vec::new();
        for report in reports {
            let told = report
                .mtu
                .filter(|told| (mtu..report.refused).contains(told));
            let mut hops = self.way.hops.iter();
            let after = match hops.find(|(_, address)| *address == report.from) {
                Some((ttl, _)) => Some(*ttl),
                None => self.farthest(report.refused).await?,
            };
            let after_ttl = after.map_or(0, Ttl::hops);
            // One that does not say what fits refuses again and again.
            narrowings.retain(|narrow| narrow.after_ttl != after_ttl);
            narrowings.push(Narrowing {
                after_ttl,
                bytes: told.unwrap_or(mtu),
                larger: if told.is_some() { "told" } else { "refused" }.into(),
            });
        }
        if black_hole {
            let before = narrowings.iter().map(|narrow| narrow.bytes);
            let fits = before.fold(self.largest_sent(), u32::min);
            narrowings.push(Narrowing {
                after_ttl: self.farthest(fits).await?.map_or(0, Ttl::hops),
                bytes: mtu,
                larger: "silent".into(),
            });
        }
        narrowings.sort_by_key(|narrow| narrow.after_ttl);
        Ok(narrowings)
    }

    /// How far packets of this size get.
    async fn farthest(&mut self, size: u32) -> Result<Option<Ttl>, Fault> {
        let hops = self.way.hops.iter().map(|(ttl, _)| *ttl);
        let mut depth = Depth::new(hops, self.way.wait);
        loop {
            let until = match depth.poll(self.begin.elapsed()) {
                DepthStep::Send(ttl) => {
                    self.send(ttl, size)?;
                    continue;
                }
                DepthStep::Wait(until) => until,
                DepthStep::Done => return Ok(depth.farthest()),
            };
            let Some((probe, heard)) = self.heard(until).await else {
                continue;
            };
            match self.told(probe, &heard)? {
                _ if self.size(probe) != size => {}
                Told::Arrived => depth.answered(probe.ttl),
                Told::Refused { .. } | Told::RefusedHere { .. } => depth.refused(probe.ttl),
                Told::Nothing => {}
            }
        }
    }

    /// What is sure to get to a TTL.
    fn sure(&self, ttl: Ttl) -> u32 {
        let arrived = self.arrived.iter().filter(|(place, _)| *place >= ttl);
        let sizes = arrived.map(|(_, size)| *size);
        sizes.fold(self.line.usual_size(), u32::max)
    }

    fn send(&mut self, ttl: Ttl, size: u32) -> Result<(), Fault> {
        let (flow, round) = (self.way.flow, self.sizes.len() as u32);
        self.line
            .send_sized(Probe { ttl, flow, round }, size, self.way.wait)?;
        self.sizes.push(size);
        self.cx.add(&SENT, 1);
        Ok(())
    }

    /// What is heard until then, if anything but silence: all that has come is read before it is
    /// nothing.
    async fn heard(&mut self, until: Duration) -> Option<(Probe, Heard)> {
        let end = sleep_until(self.begin + until);
        let mut end = pin!(end);
        loop {
            tokio::select! {
                biased;
                heard = self.line.heard() => if !is_silence(&heard) {
                    return Some(heard);
                },
                () = end.as_mut() => break,
            }
        }
        self.line.settle();
        iter::from_fn(|| self.line.heard_already()).find(|heard| !is_silence(heard))
    }

    fn told(&mut self, probe: Probe, heard: &Heard) -> Result<Told, Fault> {
        if let Heard::Answer(answer) = heard {
            self.toll.note(answer.from, self.line.address());
        }
        let told = self.read(heard)?;
        let place = match &told {
            Told::Arrived => Some(probe.ttl),
            // It had got to whoever refused it.
            Told::Refused { from, .. } => {
                let mut hops = self.way.hops.iter();
                hops.find(|(_, address)| address == from)
                    .map(|(ttl, _)| *ttl)
            }
            Told::RefusedHere { .. } | Told::Nothing => None,
        };
        let size = self.size(probe);
        self.arrived.extend(place.map(|place| (place, size)));
        Ok(told)
    }

    fn read(&self, heard: &Heard) -> Result<Told, Fault> {
        Ok(match heard {
            Heard::Answer(Answer {
                arrived: Arrived::Again,
                ..
            })
            | Heard::Silence(_) => Told::Nothing,
            // As if it were lost, for this host is too busy.
            Heard::NotSent(refused) if refused.refusal == Refusal::TooLate => Told::Nothing,
            Heard::Answer(Answer {
                what: What::TooBig { mtu },
                from,
                ..
            }) => Told::Refused {
                from: *from,
                mtu: *mtu,
            },
            Heard::Answer(answer) if reply(answer).is_some() => Told::Arrived,
            Heard::Answer(_) => Told::Nothing,
            Heard::NotSent(refused) => Told::RefusedHere {
                believed: self.line.too_long(refused.refusal)?,
            },
        })
    }

    fn size(&self, probe: Probe) -> u32 {
        self.sizes[probe.round as usize]
    }

    /// What the first link carries, as far as it was tried.
    fn largest_sent(&self) -> u32 {
        let sizes = self.sizes.iter().copied();
        let sent = sizes.filter(|size| *size < self.refused_here);
        sent.max().unwrap_or(0)
    }
}

fn is_silence((_, heard): &(Probe, Heard)) -> bool {
    matches!(heard, Heard::Silence(_))
}

/// What became of a packet.
enum Told {
    /// It got as far as its TTL let it.
    Arrived,
    Refused {
        from: IpAddr,
        mtu: Option<u32>,
    },
    RefusedHere {
        believed: Option<u32>,
    },
    Nothing,
}
