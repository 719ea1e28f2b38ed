//! Where does the program let people in?

use std::process::Command;

use crate::program::{LEADSMAN, skipped};

/// Whether a namespace with this setting could be made; `$0` is the program.
const NAMESPACE: &str = "ip link set lo up && echo 1 >/proc/sys/net/ipv6/bindv6only";
/// Ends well once both families are let in.
const BOTH: &str = r#"
cd / && "$0" run --listen :9115 --log.level=error &
for attempt in $(seq 200); do
    if (exec 3<>/dev/tcp/127.0.0.1/9115 4<>/dev/tcp/::1/9115) 2>/dev/null; then exit 0; fi
    sleep 0.05
done
exit 1
"#;

#[test]
fn a_port_alone_lets_in_both_families_where_ipv6_sockets_take_only_their_own() {
    let run = |script: &str| {
        let namespace = ["-Urnpf", "--kill-child", "bash", "-c", script, LEADSMAN];
        Command::new("unshare").args(namespace).output()
    };
    if !run(NAMESPACE).is_ok_and(|made| made.status.success()) {
        skipped("a port alone lets in both families", "unshare with ip(8)");
        return;
    }
    let run = run(&format!("{NAMESPACE} || exit 1\n{BOTH}")).expect("it just worked");
    assert!(run.status.success(), "{run:?}");
}
