//! Is what one trace told what happened?

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;
use leadsman_lab::{Answer, Delivered, Record};
use serde_json::Value;

use super::Case;
/// One trace, as the program told it and as it was.
pub(super) struct Trace<'a> {
    pub(super) what: String,
    pub(super) case: &'a Case,
    pub(super) target: IpAddr,
    pub(super) events: Vec<Value>,
    pub(super) records: Vec<Record>,
}

impl Trace<'_> {
    /// Checks all that was told, and returns by how many seconds the round trips differ from those
    /// of the record.
    pub(super) fn check(&self) -> Vec<f64> {
        let what = &self.what;
        let ended = self.named("ended").next();
        let ended = ended.unwrap_or_else(|| panic!("{what}: {:?}", self.events));
        let expected = &self.case.expect;
        assert_eq!(
            ended["result"], *expected.result,
            "{what}: {:?}",
            self.events
        );
        // What was to go beyond the target may be called off.
        assert!(self.named("sent").count() >= self.records.len(), "{what}");
        let mut errors = Vec::new();
        for (place, names) in expected.hops.iter().enumerate() {
            let ttl = place as u8 + 1;
            let asked = self.records.iter();
            let asked = asked.filter(|record| record.request.ttl == ttl).count();
            let sent = self.sent(ttl).len();
            assert_eq!(sent, asked, "{what} at {ttl}");
            let told = self.of("hop", ttl);
            let told: Vec<_> = told.into_iter().filter(|hop| hop["round"] == 0).collect();
            let from: BTreeSet<IpAddr> = told.iter().map(|hop| address(&hop["from"])).collect();
            let right = self.addresses(names);
            assert!(
                from.is_subset(&right),
                "{what}: {from:?} at {ttl}, not {names}"
            );
            let is_silent = !self.of("silent", ttl).is_empty();
            assert_eq!(is_silent, from.is_empty(), "{what} at {ttl}");
            // Whoever answers may be told to be silent if this machine was too busy to let the
            // answer come in time, which the check of the silence tells.
            let is_late = is_silent && !self.answers(ttl).is_empty();
            let may_be_silent = is_late || names.split('|').any(|name| name == "*");
            assert!(may_be_silent || !is_silent, "{what}: nobody at {ttl}");
            errors.extend(self.check_answers(ttl, &told));
            self.check_silence(ttl);
            for (field, value) in expected.tells.get(&ttl.to_string()).into_iter().flatten() {
                let said = told.iter().all(|hop| hop[field] == *value);
                assert!(said, "{what}: {field} is not {value} at {ttl}: {told:?}");
            }
        }
        errors.extend(self.check_rounds());
        self.check_turns();
        assert_eq!(self.has_wrapped(), expected.wraps, "{what}");
        errors
    }

    /// Holds what became of each packet of a round against the record, and returns the errors of the
    /// round trips.
    fn check_rounds(&self) -> Vec<f64> {
        let what = &self.what;
        let mut errors = Vec::new();
        let packets = (1..=LAST_TTL).flat_map(|ttl| self.packets(ttl));
        for (sent, record) in packets.filter(|(sent, _)| sent["round"] != 0) {
            let ttl = record.request.ttl;
            let is_its = |event: &&&Value| event["round"] == sent["round"];
            let hops = self.of("hop", ttl);
            let hop = hops.iter().find(is_its);
            let lost = self.of("lost", ttl);
            let lost = lost.iter().find(is_its);
            let answer = self.answer(record);
            if let Some(hop) = hop {
                let answer = answer.unwrap_or_else(|| panic!("{what}: {hop} is nobody's"));
                assert_eq!(address(&hop["from"]), answer.from, "{what}: {hop}");
                let rtt = hop["rtt_seconds"].as_f64().expect("it is a number");
                errors.push(rtt - record.round_trip(&answer).as_secs_f64());
            }
            let in_time = hop.is_some_and(|hop| hop["arrival"] == "in_time");
            assert_ne!(in_time, lost.is_some(), "{what}: one end of {sent}");
            if let (Some(lost), Some(answer)) = (lost, answer) {
                let took = self.longest(record, &answer);
                let is_suspect = lost["local_suspect"] == true;
                assert!(took > WAIT || is_suspect, "{what}: {took:?}, {lost}");
            }
        }
        errors
    }

    /// Checks that those who are to answer one after the other do, and that nobody comes back.
    fn check_turns(&self) {
        for (ttl, names) in &self.case.expect.turns {
            let ttl = ttl.parse().expect("it is a TTL");
            // What is late may come after what left later.
            let mut told = self.of("hop", ttl);
            told.sort_by_key(|hop| hop["round"].as_u64());
            let mut heard: Vec<_> = told.iter().map(|hop| address(&hop["from"])).collect();
            heard.dedup();
            let expected = names.iter().flat_map(|name| self.addresses(name));
            assert_eq!(
                heard,
                expected.collect::<Vec<_>>(),
                "{} at {ttl}",
                self.what
            );
        }
    }

    /// Whether two packets had the same number on the wire: that of an echo request or a SYN, or a
    /// datagram's checksum, which its number is hidden in.
    fn has_wrapped(&self) -> bool {
        let records = self.records.iter();
        // With more hops, this host's kernel ends connections that it knows nothing of.
        let mut numbers = records
            .filter(|record| record.request.ttl < LAST_TTL)
            .map(|record| {
                let from = if record.request.protocol == TCP { 4 } else { 6 };
                &record.request.start[from..from + 2]
            });
        let mut used = BTreeSet::new();
        !numbers.all(|number| used.insert(number))
    }

    /// Packets with a TTL, as the program announced them and as they were.
    fn packets(&self, ttl: u8) -> impl Iterator<Item = (&Value, &Record)> {
        let records = self.records.iter();
        let records = records.filter(move |record| record.request.ttl == ttl);
        self.sent(ttl).into_iter().zip(records)
    }

    /// Those that left: a busy host may be too late to send, and says so.
    fn sent(&self, ttl: u8) -> Vec<&Value> {
        let failed = self.of("send_error", ttl);
        let sent = self.of("sent", ttl).into_iter();
        sent.filter(|sent| failed.iter().all(|failed| failed["round"] != sent["round"]))
            .collect()
    }

    /// Holds each answer against that of the record, and returns the errors of the round trips.
    fn check_answers(&self, ttl: u8, told: &[&Value]) -> Vec<f64> {
        let truth = self.answers(ttl);
        assert!(
            told.len() <= truth.len(),
            "{}: {told:?} {truth:?}",
            self.what
        );
        let errors = told.iter().zip(truth).map(|(told, (record, answer))| {
            assert_eq!(
                address(&told["from"]),
                answer.from,
                "{} at {ttl}",
                self.what
            );
            let rtt = told["rtt_seconds"].as_f64().expect("it is a number");
            rtt - record.round_trip(&answer).as_secs_f64()
        });
        errors.collect()
    }

    /// Checks that nothing came while it was waited for where there is said to be silence.
    fn check_silence(&self, ttl: u8) {
        for silent in self.of("silent", ttl) {
            let waited = silent["waited_seconds"].as_f64().expect("it is a number");
            for (record, answer) in self.answers(ttl) {
                let took = self.longest(record, &answer).as_secs_f64();
                assert!(took > waited, "{}: {took} s at {ttl}: {silent}", self.what);
            }
        }
    }

    /// How long an answer took at the most, from when its packet was asked for.
    fn longest(&self, record: &Record, answer: &Delivered) -> Duration {
        answer.by.saturating_sub(record.entered) + self.lateness(record) + LEAST_LATE
    }

    /// How much later than the quickest packet one left after it was asked for.
    fn lateness(&self, record: &Record) -> Duration {
        let late = |(sent, record): (&Value, &Record)| {
            let time = sent["time"].as_str().expect("a time is text");
            let time: Timestamp = time.parse().expect("it is a time");
            record.entered.as_nanos().cast_signed() - time.as_nanosecond()
        };
        let all = (1..=self.case.expect.hops.len() as u8).flat_map(|ttl| self.packets(ttl));
        let least = all.map(late).min();
        let mut own = self.packets(record.request.ttl);
        let own = own.find(|(_, one)| std::ptr::eq(*one, record)).map(late);
        let late = own.zip(least).map_or(0, |(own, least)| own - least);
        // What is beyond the last hop may have left sooner after it was asked for than any other.
        Duration::from_nanos(late.try_into().unwrap_or(0))
    }

    /// The first answer to each packet of the discovery with a TTL, in the order in which they came.
    fn answers(&self, ttl: u8) -> Vec<(&Record, Delivered)> {
        let asked = self.packets(ttl).filter(|(sent, _)| sent["round"] == 0);
        let answered = asked.filter_map(|(_, record)| Some((record, self.answer(record)?)));
        let mut answers: Vec<_> = answered.collect();
        answers.sort_by_key(|(_, answer)| answer.at);
        answers
    }

    /// The first answer to a packet. What comes by TCP from an address that was not asked belongs to
    /// another connection.
    fn answer(&self, record: &Record) -> Option<Delivered> {
        let heard = record.heard().into_iter();
        let mut heard = heard.filter(|answer| answer.answer.is_error() || self.is_due(answer));
        heard.next()
    }

    fn is_due(&self, answer: &Delivered) -> bool {
        answer.answer == Answer::EchoReply || answer.from == self.target
    }

    fn named(&self, name: &str) -> impl Iterator<Item = &Value> {
        let events = self.events.iter();
        events.filter(move |event| event["event"] == name)
    }

    fn of(&self, name: &str, ttl: u8) -> Vec<&Value> {
        self.named(name)
            .filter(|event| event["ttl"] == ttl)
            .collect()
    }

    /// The addresses behind names such as `a|b`, or none behind a star.
    fn addresses(&self, names: &str) -> BTreeSet<IpAddr> {
        let network = &self.case.network;
        let known = network.names();
        let address = |name: &str| {
            if name == "target" {
                return self.target;
            }
            let place = known.iter().position(|known| known == name);
            let place = place.unwrap_or_else(|| panic!("{}: there is no {name}", self.what));
            network.addresses(place)[usize::from(self.target.is_ipv6())]
        };
        names
            .split('|')
            .filter(|name| *name != "*")
            .map(address)
            .collect()
    }
}

/// At most so late does the quickest packet of a trace leave after it was asked for.
const LEAST_LATE: Duration = Duration::from_millis(2);

/// For how long rounds wait for an answer.
const WAIT: Duration = Duration::from_millis(750);

/// RFC 9293's number among protocols.
const TCP: u8 = 6;

/// More than any path here has, and what is beyond.
const LAST_TTL: u8 = 64;

fn address(value: &Value) -> IpAddr {
    let text = value.as_str().expect("an address is text");
    text.parse().expect("an address can be read")
}
