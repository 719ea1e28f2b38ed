//! Is a reply that this host drops for want of room told apart from one that the network drops?

use std::fs;

use super::echoes::{Echoes, Ping, without};
use super::lab::Lab;
use super::responder::Responder;
use crate::program::signal;

#[test]
fn replies_without_room_are_suspects_and_none_is_lost() {
    let Some(lab) = Lab::new("replies_without_room_are_suspects_and_none_is_lost") else {
        return;
    };
    for host in [&lab.prober, &lab.far] {
        // So large a packet needs no fragments, whose own buffer would overflow first.
        host.run("ip link set wire mtu 65535");
    }
    let responder = Responder::new(&lab.far);
    // Without CAP_NET_ADMIN the receive buffer has this size, doubled by the kernel.
    let room = fs::read_to_string("/proc/sys/net/core/rmem_max").expect("it is there");
    let room: u64 = 2 * room.trim().parse::<u64>().expect("a number");
    let count = room / PAYLOAD + 100;
    let options = format!("-c {count} -s {PAYLOAD} -i 1ms -W 8s 10.77.0.1");
    let options: Vec<&str> = options.split(' ').collect();
    let ping = Ping::with(&lab.prober, without("net_admin"), &options);

    responder.wait(count);
    signal(ping.process(), "STOP");
    responder.answer(count, 16);
    signal(ping.process(), "CONT");

    let echoes = Echoes::told(&ping.events(), |_| true);
    let ok = echoes.of("ok");
    assert!(0 < ok && ok < count, "{echoes:?}");
    echoes.check(&[("ok", ok), ("local_suspect", count - ok)]);
}

/// Bytes, so that few replies fill the buffer.
const PAYLOAD: u64 = 60_000;
