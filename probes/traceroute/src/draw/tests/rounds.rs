//! What does a person see of the rounds?

use leadsman_wire::Ttl;

use super::*;
use crate::rounds::{Plan, Rounds};
use crate::simulation::{self, Bucket, End, Line, TARGET};

#[test]
fn eighty_columns_have_the_figures_of_all_hops_and_what_is_out_of_the_ordinary_beneath() {
    let mut drawing = on(80);
    tell(&mut *drawing);
    let expected = "\
TRACE example.com (203.0.113.9), 44 bytes of ICMP, round 4
                              loss  sent  last   avg  best  wrst  sdev   jit
  1  AS64500 gw.example.net     0%     4  4.00  2.50  1.00  4.00  1.29 0.176
  2  AS64500 10.0.0.2           0%     4  4.00  2.33  1.00  4.00  1.53 0.062
       └ 10.0.0.22 33.3%
       MPLS 16005 ttl 1, incoming et-0/0/1
  3          *                  0%     4     -     -     -     -     -     -
  4          203.0.113.9        0%     4  4.00  2.50  1.00  4.00  1.29 0.176
       tos 0x00
";
    let table = drawing.table().unwrap();
    assert_eq!(table, expected, "\n{table}");
}

#[test]
fn the_round_that_is_under_way_is_told_and_in_the_end_how_many_there_were() {
    for (rounds, expected) in [(1, ["round 1", "1 round"]), (4, ["round 4", "4 rounds"])] {
        let mut drawing = on(80);
        said(&mut *drawing, "sent", sent(1));
        for round in 1..=rounds {
            let begun = json!({ "round": round, "reach": 1 });
            said(&mut *drawing, "round", begun);
        }
        let head = |drawing: &dyn Draw| {
            let table = drawing.table().unwrap();
            let head = table.lines().next().unwrap();
            head.rsplit(", ").next().unwrap().to_owned()
        };
        let under_way = head(&*drawing);
        drawing.finished(0, &run(Ok(())), &mut String::new());
        assert_eq!([under_way, head(&*drawing)], expected);
    }
}

#[test]
fn a_hundred_and_sixty_columns_have_more_and_nothing_is_wider() {
    let mut drawing = on(160);
    tell(&mut *drawing);
    let expected = "
                                        loss  sent  last   avg  best  wrst  sdev   jit unans  back                                                ▁:1.00 █:4.77
  1  AS64500 gw.example.net (10.0.0.1)    0%     4  4.00  2.50  1.00  4.00  1.29 0.176    0%    +0                                                         ▁▄▅▇
  2  AS64500 10.0.0.2                     0%     4  4.00  2.33  1.00  4.00  1.53 0.062   25%    +1                                                         ▁▄x▇
";
    let table = drawing.table().unwrap();
    let shown: String = table.split_inclusive('\n').skip(1).take(3).collect();
    assert_eq!(shown, expected.trim_start_matches('\n'), "\n{table}");
    for width in [1, 20, 40, 79, 80, 119, 120, 160, 250] {
        let mut drawing = on(width);
        tell(&mut *drawing);
        let table = drawing.table().unwrap();
        let widest = table.lines().skip(1).map(|line| line.chars().count()).max();
        assert!(widest <= Some(width.max(40)), "{width}:\n{table}");
    }
}

#[test]
fn the_end_of_a_path_that_was_not_reached_is_a_star_and_the_reason_stands_below() {
    let mut drawing = on(80);
    for round in 1..=3 {
        said(
            &mut *drawing,
            "round",
            json!({ "round": round, "reach": 2 }),
        );
        for ttl in 1..=2 {
            said(&mut *drawing, "sent", of_round(round, sent(ttl)));
        }
        said(&mut *drawing, "hop", of_round(round, hop(1, json!({}))));
        let lost = json!({ "round": round, "ttl": 2, "local_suspect": round == 3 });
        said(&mut *drawing, "lost", lost);
    }
    let fault = Fault::target(Cause::Timeout, "203.0.113.9 did not answer");
    drawing.finished(0, &run(Err(fault)), &mut String::new());
    let expected = "\
TRACE example.com (203.0.113.9), 44 bytes of ICMP, 3 rounds
                      loss  sent  last   avg  best  wrst  sdev   jit
  1  10.0.0.1           0%     3  3.25  3.25  3.25  3.25 0.000 0.000
  2  *                100%     2     -     -     -     -     -     -
203.0.113.9 did not answer
";
    let table = drawing.table().unwrap();
    assert_eq!(table, expected, "\n{table}");
}

#[test]
fn a_router_that_limits_its_answers_is_marked_and_has_no_loss() {
    let mut line = Line::new(&[ms(1), ms(2), ms(3), ms(4)]);
    line.routers[1].bucket = Some(Bucket::new(6, ms(1_000)));
    let (drawing, table) = observed(line, 100);
    assert!(row(&table, 2).contains(" 0%   100 "), "{table}");
    let note = "rate-limited: answers 6 at once, then one per 1s; 85% unanswered";
    assert_eq!(table.matches("rate-limited").count(), 1, "{table}");
    assert!(table.contains(note), "{table}");
    let hop = &drawing.figures(0)["hops"][1];
    assert_eq!(hop["loss_ratio"], 0.0);
    assert_eq!(hop["unanswered_ratio"], 0.85);
    assert_eq!(
        hop["rate_limit"],
        json!({ "burst": 6, "every_seconds": 1.0 })
    );
    assert_eq!((&hop["sent"], &hop["lost"]), (&100.into(), &85.into()));
}

#[test]
fn loss_up_to_a_router_that_answers_less_itself_is_marked_as_a_bound() {
    let mut line = Line::new(&[ms(1), ms(2), ms(3)]);
    line.routers[1].silence = 1.0;
    if let End::Target(target) = &mut line.end {
        target.silence = 0.2;
    }
    let (_, table) = observed(line, 100);
    assert!(!row(&table, 1).contains('≤'), "{table}");
    assert!(row(&table, 2).contains(" ≤"), "{table}");
    assert!(!row(&table, 3).contains('≤'), "{table}");
    assert!(table.contains("\n       silent\n"), "{table}");
}

#[test]
fn loss_is_that_of_the_way_and_no_router_is_blamed_for_it() {
    let mut line = Line::new(&[ms(1), ms(2), ms(3)]);
    for router in &mut line.routers {
        router.silence = 0.2;
    }
    if let End::Target(target) = &mut line.end {
        target.silence = 0.2;
    }
    let (drawing, table) = observed(line, 400);
    assert!(!table.contains("rate-limited"), "{table}");
    for hop in drawing.figures(0)["hops"].as_array().unwrap() {
        let loss = hop["loss_ratio"].as_f64().unwrap();
        assert!((0.14..0.26).contains(&loss), "{table}");
    }
}

#[test]
fn a_program_gets_what_rounds_come_to_and_nothing_without_them() {
    let mut drawing = on(80);
    said(&mut *drawing, "sent", sent(1));
    assert!(drawing.figures(0).is_empty());
    tell(&mut *drawing);
    let figures = drawing.figures(0);
    assert_eq!(
        (&figures["rounds"], &figures["reached"]),
        (&4.into(), &true.into())
    );
    let hops = figures["hops"].as_array().unwrap();
    assert_eq!(hops.len(), 4);
    assert_eq!(hops[0]["addresses"][0]["name"], "gw.example.net");
    assert_eq!(hops[0]["addresses"][0]["system"], 64500);
    assert_eq!(hops[1]["addresses"][1]["address"], "10.0.0.22");
    assert_eq!(hops[1]["asymmetry"], 1);
    assert_eq!(hops[0]["rtt_seconds"]["mean"], 0.0025);
}

/// Four rounds of four hops: the second has two addresses and loses one answer, the third is
/// silent.
fn tell(drawing: &mut dyn Draw) {
    let name = json!({ "address": "10.0.0.1", "name": "gw.example.net" });
    for router in [
        name,
        json!({ "address": "10.0.0.1", "system": 64500 }),
        json!({ "address": "10.0.0.2", "system": 64500 }),
    ] {
        said(drawing, "router", router);
    }
    for round in 1..=4 {
        said(drawing, "round", json!({ "round": round, "reach": 4 }));
        let rtt = f64::from(round) / 1e3;
        for ttl in 1..=4 {
            said(drawing, "sent", of_round(round, sent(ttl)));
            let told = match (ttl, round) {
                (3, _) | (2, 3) => {
                    let lost = json!({ "round": round, "ttl": ttl, "local_suspect": false });
                    said(drawing, "lost", lost);
                    continue;
                }
                (2, 2) => json!({ "from": "10.0.0.22" }),
                (2, _) => json!({
                    "hop_limit": 253,
                    "labels": [{ "label": 16005, "traffic_class": 0, "ttl": 1 }],
                    "interfaces": [{ "role": "incoming", "name": "et-0/0/1" }],
                }),
                (4, _) => json!({ "from": "203.0.113.9", "arrived": true, "changed_tos": 0 }),
                _ => json!({ "hop_limit": 255 }),
            };
            let mut heard = of_round(round, hop(ttl, told));
            heard["rtt_seconds"] = rtt.into();
            said(drawing, "hop", heard);
        }
    }
}

/// Rounds of 100 ms over a simulated line, as told to a drawing, and its table.
fn observed(mut line: Line, count: u32) -> (Box<dyn Draw>, String) {
    let reach = Ttl::new(line.routers.len() as u8 + 1).unwrap();
    let plan = Plan {
        first: Ttl::new(1).unwrap(),
        max: Ttl::new(30).unwrap(),
        interval: ms(100),
        rounds: Some(count),
        flows: Vec::new(),
    };
    let mut events = Vec::new();
    let mut rounds = Rounds::new(TARGET, reach, plan);
    simulation::run(&mut rounds, ms(100) * count, |probe, now| {
        let (round, ttl) = (probe.round + 1, probe.ttl.hops());
        let begin = json!({ "round": round, "reach": reach.hops() });
        events.push((now, "round", begin));
        events.push((now, "sent", of_round(round, sent(ttl))));
        let reply = line.answer(probe.ttl, now);
        events.push(if let Some(reply) = &reply {
            let arrived = reply.arrived_at(TARGET);
            let told = json!({ "from": reply.from, "arrived": arrived });
            (now + reply.rtt, "hop", of_round(round, hop(ttl, told)))
        } else {
            let lost = json!({ "round": round, "ttl": ttl, "local_suspect": false });
            (now + ms(50), "lost", lost)
        });
        reply
    });
    events.sort_by_key(|(at, ..)| *at);
    let mut drawing = on(80);
    for (at, name, fields) in events {
        said_at(at, &mut *drawing, name, fields);
    }
    let table = drawing.table().unwrap();
    (drawing, table)
}

fn row(table: &str, ttl: u8) -> &str {
    let start = format!("{ttl:>3}  ");
    let mut lines = table.lines();
    lines.find(|line| line.starts_with(&start)).unwrap()
}

fn of_round(round: u32, mut fields: Value) -> Value {
    fields["round"] = round.into();
    fields
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}
