//! Is the path MTU found, whatever routers say or do not say?

use super::*;

/// A link on the way, and what its router does with what is larger.
#[derive(Debug, Clone, Copy)]
enum Link {
    /// It says what fits.
    Tells(u32),
    /// It refuses without saying what fits.
    Refuses(u32),
    /// It drops without a word.
    Drops(u32),
    /// It refuses, but says another size.
    Says(u32, u32),
}

#[test]
fn what_routers_tell_is_found_in_as_many_round_trips_as_there_are_narrowings() {
    check(&[], 1500, false, 1);
    check(&[Link::Tells(1500)], 1500, false, 1);
    check(&[Link::Tells(1280)], 1280, false, 2);
    check(&[Link::Tells(1400), Link::Tells(1280)], 1280, false, 3);
}

#[test]
fn routers_that_do_not_tell_are_searched_past() {
    check(&[Link::Refuses(1492)], 1492, false, 5);
    check(&[Link::Refuses(1400)], 1400, false, 13);
    check(&[Link::Refuses(100)], 100, false, 14);
}

#[test]
fn black_holes_are_found_and_named() {
    check(&[Link::Drops(1400)], 1400, true, 40);
    check(&[Link::Drops(1280)], 1280, true, 40);
    check(&[Link::Tells(1450), Link::Drops(1300)], 1300, true, 40);
}

#[test]
fn a_router_that_says_nonsense_is_not_believed() {
    check(&[Link::Says(1400, 1500)], 1400, false, 13);
    check(&[Link::Says(1400, 0)], 1400, false, 14);
    check(&[Link::Says(1400, u32::MAX)], 1400, false, 13);
}

#[test]
fn ipv6_routers_that_say_less_than_every_link_must_carry_are_not_believed() {
    let (search, _) = search(Bounds::v6(1500), &[Link::Says(1300, 600)]);
    let (mtu, black_hole) = (1300, false);
    let found = Outcome::Found { mtu, black_hole };
    assert_eq!(search.outcome(), Some(found));
}

#[test]
fn a_target_that_does_not_answer_is_said_not_to() {
    let (search, packets) = search(Bounds::v4(1500), &[Link::Drops(0)]);
    assert_eq!(search.outcome(), Some(Outcome::Unanswered));
    assert_eq!(packets, 6);
}

/// It may also believe what it has learnt of the path earlier, or know nothing.
#[test]
fn the_system_knows_what_the_first_link_carries() {
    for believed in [Some(1500), Some(1280), Some(9000), None] {
        let mut search = MtuSearch::new(Bounds::of(router(0)), ms(100));
        let mut packets = 0;
        while let MtuStep::Send(size) = search.poll(ms(0)) {
            if size > 1500 {
                search.refused_here(size, believed);
            } else {
                search.arrived(size);
                packets += 1;
            }
        }
        let (mtu, black_hole) = (1500, false);
        assert_eq!(search.outcome(), Some(Outcome::Found { mtu, black_hole }));
        assert!(packets <= 12, "{believed:?}: {packets} packets");
    }
}

#[test]
fn reports_name_the_router_before_each_narrow_link() {
    let links = [Link::Tells(1400), Link::Tells(1280)];
    let (search, _) = search(Bounds::v4(1500), &links);
    let reports = search.reports().iter();
    let reports: Vec<_> = reports.map(|report| (report.from, report.mtu)).collect();
    assert_eq!(reports, [(router(0), Some(1400)), (router(1), Some(1280))]);
}

#[test]
fn any_mtu_is_found_and_some_loss_does_not_mislead() {
    let mut random = fastrand::Rng::with_seed(1191);
    for _ in 0..500 {
        let mtu = random.u32(68..=9000);
        let most = random.u32(mtu..=9000);
        let link = match random.u8(..3) {
            0 => Link::Tells(mtu),
            1 => Link::Refuses(mtu),
            _ => Link::Drops(mtu.max(576)),
        };
        let mut search = MtuSearch::new(Bounds::v4(most), ms(100));
        run(&mut search, &[link], || random.f64() < 0.02);
        let expected = match link {
            Link::Drops(mtu) => mtu.min(most),
            _ => mtu,
        };
        let Some(Outcome::Found { mtu, .. }) = search.outcome() else {
            panic!("{link:?} of {most}: {:?}", search.outcome());
        };
        assert_eq!(mtu, expected, "{link:?} of {most}");
    }
}

fn check(links: &[Link], mtu: u32, black_hole: bool, most_packets: u32) {
    let (search, packets) = search(Bounds::v4(1500), links);
    let expected = Outcome::Found { mtu, black_hole };
    assert_eq!(search.outcome(), Some(expected), "{links:?}");
    assert!(packets <= most_packets, "{links:?}: {packets} packets");
}

fn search(bounds: Bounds, links: &[Link]) -> (MtuSearch, u32) {
    let mut search = MtuSearch::new(bounds, ms(100));
    let packets = run(&mut search, links, || false);
    (search, packets)
}

/// Answers at once, and returns the number of packets.
fn run(search: &mut MtuSearch, links: &[Link], mut is_lost: impl FnMut() -> bool) -> u32 {
    let mut now = Duration::ZERO;
    for packets in 0..200 {
        let size = loop {
            match search.poll(now) {
                MtuStep::Send(size) => break size,
                MtuStep::Wait(until) => now = until,
                MtuStep::Done => return packets,
            }
        };
        if !is_lost() {
            send(search, links, size);
        }
    }
    panic!("it does not end: {search:?}");
}

fn send(search: &mut MtuSearch, links: &[Link], size: u32) {
    for (number, link) in links.iter().enumerate() {
        let (carries, mtu) = match *link {
            Link::Tells(mtu) => (mtu, Some(mtu)),
            Link::Says(mtu, said) => (mtu, Some(said)),
            Link::Drops(mtu) if size > mtu => return,
            Link::Refuses(mtu) | Link::Drops(mtu) => (mtu, None),
        };
        if size > carries {
            let (from, refused) = (router(number), size);
            return search.refused(Report { from, refused, mtu });
        }
    }
    search.arrived(size);
}

fn router(number: usize) -> IpAddr {
    IpAddr::from([10, 0, 0, number as u8 + 1])
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}
