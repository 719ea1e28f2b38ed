//! What the cache decides, on a clock that only these tests move.

use super::*;

/// A cache, one question, and the time.
struct Scene {
    cache: Cache,
    question: Question,
    now: Instant,
}

impl Scene {
    fn new() -> Self {
        Self {
            cache: Cache::new(10),
            question: Question::new("web.test", Family::V4),
            now: Instant::now(),
        }
    }

    /// Starts from an answer with this address and TTL.
    fn answered(address: &str, ttl: u64) -> Self {
        let mut scene = Self::new();
        scene.learn(found(address, ttl));
        scene
    }

    fn later(&mut self, millis: u64) -> &mut Self {
        self.now += Duration::from_millis(millis);
        self
    }

    fn look(&mut self) -> Look {
        self.cache.look(&self.question, self.now)
    }

    fn learn(&mut self, answer: Answer) -> Verdict {
        let settled = self.cache.settle(&self.question, Ok(answer), self.now);
        settled.verdict
    }

    fn fail(&mut self) -> Settled {
        self.cache.settle(&self.question, Err(failure()), self.now)
    }

    /// Looks, and expects this reply at once; tells whether to ask.
    fn expect(&mut self, expected: &Verdict) -> Option<watch::Sender<Option<Verdict>>> {
        let Look { reply, depart } = self.look();
        match reply {
            Reply::Now(verdict) => assert_eq!(verdict, *expected),
            Reply::Later { .. } => panic!("expected {expected:?} at once"),
        }
        depart
    }

    /// Looks, expects to wait, and tells what is served in the end and whether to ask.
    fn wait(
        &mut self,
    ) -> (
        Option<(Instant, Verdict)>,
        Option<watch::Sender<Option<Verdict>>>,
    ) {
        let Look { reply, depart } = self.look();
        match reply {
            Reply::Now(verdict) => panic!("expected to wait, not {verdict:?}"),
            Reply::Later { meanwhile, .. } => (meanwhile, depart),
        }
    }
}

fn found(address: &str, ttl: u64) -> Answer {
    Answer {
        records: Arc::new([address.parse().unwrap()]),
        ttl: Duration::from_secs(ttl),
    }
}

fn nothing(ttl: u64) -> Answer {
    Answer {
        records: Arc::new([]),
        ttl: Duration::from_secs(ttl),
    }
}

fn serves(answer: Answer) -> Verdict {
    Verdict(Ok(answer.records))
}

fn broken() -> Verdict {
    Verdict(Err(failure()))
}

fn failure() -> ResolveError {
    ResolveError::Failed("web.test".into(), "broken".into())
}

#[test]
fn answer_is_fresh_for_its_ttl_within_bounds() {
    let check = |answer: Answer, fresh: Duration| {
        let mut scene = Scene::new();
        let begin = scene.now;
        scene.learn(answer.clone());
        scene.now = begin + fresh - Duration::from_millis(1);
        scene.expect(&serves(answer));
        scene.now = begin + fresh;
        scene.wait();
    };
    check(found("192.0.2.1", 300), Duration::from_mins(5));
    check(found("192.0.2.1", 0), Duration::from_secs(1));
    check(
        found("192.0.2.1", u64::from(u32::MAX)),
        Duration::from_hours(24),
    );
    check(nothing(30), Duration::from_secs(30));
    check(nothing(0), Duration::from_secs(1));
    check(nothing(3600), Duration::from_mins(1));
}

#[test]
fn names_differ_by_family_and_final_dot_but_not_by_case() {
    let question = Question::new("Web.Test", Family::V4);
    assert_eq!(question, Question::new("web.test", Family::V4));
    assert_ne!(question, Question::new("web.test", Family::V6));
    assert_ne!(question, Question::new("web.test.", Family::V4));
}

#[test]
fn many_who_look_share_one_flight() {
    let mut scene = Scene::new();
    let (_, depart) = scene.wait();
    let depart = depart.expect("the first one asks");
    for _ in 0..3 {
        let (_, other) = scene.later(1).wait();
        assert!(other.is_none());
    }
    scene.learn(found("192.0.2.1", 60));
    drop(depart);
    assert!(scene.expect(&serves(found("192.0.2.1", 60))).is_none());
}

#[test]
fn abandoned_flight_is_replaced() {
    let mut scene = Scene::new();
    let (_, depart) = scene.wait();
    drop(depart);
    let (_, depart) = scene.wait();
    assert!(depart.is_some());
}

#[test]
fn answer_near_its_end_is_renewed_once_while_it_is_served() {
    let mut scene = Scene::answered("192.0.2.1", 100);
    let old = serves(found("192.0.2.1", 100));
    assert!(scene.later(89_999).expect(&old).is_none());
    let depart = scene.later(1).expect(&old);
    assert!(depart.is_some());
    assert!(scene.later(1).expect(&old).is_none());
    scene.learn(found("192.0.2.2", 100));
    scene.expect(&serves(found("192.0.2.2", 100)));
}

#[test]
fn expired_address_is_served_when_renewal_takes_long() {
    let mut scene = Scene::answered("192.0.2.1", 60);
    let old = serves(found("192.0.2.1", 60));
    let (meanwhile, depart) = scene.later(60_000).wait();
    assert!(depart.is_some());
    assert_eq!(meanwhile, Some((scene.now + PATIENCE, old.clone())));
    assert!(scene.later(500).expect(&old).is_none());
}

#[test]
fn expired_address_is_served_after_a_failure_without_asking_for_a_while() {
    let mut scene = Scene::answered("192.0.2.1", 60);
    let old = serves(found("192.0.2.1", 60));
    let (_, depart) = scene.later(60_000).wait();
    assert_eq!(scene.fail().verdict, old);
    drop(depart);
    assert!(scene.later(4_999).expect(&old).is_none());
    let (meanwhile, depart) = scene.later(1).wait();
    assert!(depart.is_some());
    assert_eq!(meanwhile.expect("the old address").1, old);
}

#[test]
fn expired_address_is_given_up_after_a_day() {
    let mut scene = Scene::answered("192.0.2.1", 60);
    scene.later(60_000 + 24 * 3_600_000);
    assert_eq!(scene.fail().verdict, broken());
    scene.expect(&broken());
}

#[test]
fn serving_an_old_address_is_reported_once_a_minute() {
    let mut scene = Scene::answered("192.0.2.1", 1);
    scene.later(2_000);
    let mut reports = Vec::new();
    for _ in 0..13 {
        reports.push(scene.fail().report);
        scene.later(5_000);
    }
    let mut expected = [false; 13];
    expected[0] = true;
    expected[12] = true;
    assert_eq!(reports, expected);
}

#[test]
fn no_such_record_replaces_an_address_at_once_and_is_never_stale() {
    let mut scene = Scene::answered("192.0.2.1", 60);
    scene.later(60_000);
    assert_eq!(scene.learn(nothing(30)), serves(nothing(30)));
    scene.expect(&serves(nothing(30)));
    scene.later(30_000);
    assert_eq!(scene.fail().verdict, broken());
}

#[test]
fn failure_without_an_address_is_told_while_it_lasts() {
    let mut scene = Scene::new();
    let (meanwhile, _) = scene.wait();
    assert_eq!(meanwhile, None);
    scene.fail();
    assert!(scene.later(4_999).expect(&broken()).is_none());
    let (meanwhile, depart) = scene.later(1).wait();
    assert!(depart.is_some());
    assert_eq!(meanwhile, Some((scene.now + PATIENCE, broken())));
    assert!(scene.later(500).expect(&broken()).is_none());
}

#[test]
fn full_cache_forgets_what_was_not_asked_for_longest() {
    let mut cache = Cache::new(16);
    let begin = Instant::now();
    let question = |n: u64| Question::new(&format!("{n}.test"), Family::V4);
    let at = |n: u64| begin + Duration::from_secs(n);
    let flying = cache.look(&question(0), at(0));
    for n in 1..16 {
        cache.settle(&question(n), Ok(found("192.0.2.1", 60)), at(n));
    }
    // Used again, so that the oldest are 2 and 3, beside 0 that is still being asked.
    cache.look(&question(1), at(20));
    cache.look(&question(16), at(21));
    let mut forgotten: Vec<u64> = (0..17)
        .filter(|n| !cache.entries.contains_key(&question(*n)))
        .collect();
    forgotten.sort_unstable();
    assert_eq!(forgotten, [2, 3]);
    drop(flying);
}
