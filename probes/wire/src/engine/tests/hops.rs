//! Does a request with a TTL of its own look like the others, and is what routers remark told?

use super::*;
use crate::Ttl;

#[test]
fn a_ttl_of_its_own_changes_nothing_that_routers_choose_the_way_by() {
    let mut bench = Bench::new();
    let (_, usual) = bench.ask(0);
    for hops in [1, 2, 30, 255] {
        let request = ask_hop(&mut bench, hops);
        assert_eq!((usual[8], request[8]), (64, hops));
        // Version to length, protocol, destination; type, code, checksum and identifier.
        for same in [0..4, 9..10, 16..20, 20..26] {
            assert_eq!(request[same.clone()], usual[same.clone()], "{same:?}");
        }
    }
}

#[test]
fn remarks_are_told_to_those_who_asked_for_them() {
    for asked in [true, false] {
        let mut bench = Bench::new();
        let options = RequestOptions {
            remarks: asked,
            ..RequestOptions::default()
        };
        bench.peer = bench.engine.admit(TARGET.into(), &options);
        let mut request = ask_hop(&mut bench, 1);
        request[1] = 0xb8;
        let heard = bench.hear(&unreachable(&request, 28), 3, None);
        let [Heard::Answer(answer)] = &heard[..] else {
            panic!("{heard:?}");
        };
        let quoted = answer.remarks.as_ref().map(|remarks| remarks.quoted);
        let expected = asked.then(|| crate::Quoted {
            ttl: 1,
            tos: 0xb8,
            source: Ipv4Addr::UNSPECIFIED.into(),
            identification: Some(u16::from_be_bytes([request[4], request[5]])),
            identifier: u16::from_be_bytes([request[24], request[25]]),
            checksum: Some(u16::from_be_bytes([request[22], request[23]])),
        });
        assert_eq!(quoted, expected);
    }
}

fn ask_hop(bench: &mut Bench, hops: u8) -> Vec<u8> {
    let mut packet = Vec::new();
    let ask = Ask {
        peer: bench.peer,
        sequence: bench.asked,
        wait: WAIT,
        asked: ms(1),
        ttl: Ttl::new(hops),
        padding: 0,
    };
    bench.asked += 1;
    let out = &mut |_, heard| panic!("{heard:?}");
    let key = bench.engine.ask(ask, reading(1), &mut packet, out);
    key.expect("there is a number");
    packet
}
