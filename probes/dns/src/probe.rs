//! How is one question asked?
//!
//! Over UDP, and again over TCP if the options want that of a truncated answer; or over TCP, with
//! TLS or without. What is sent is in [`crate::question`], what an answer is worth in
//! [`crate::judge`].

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use leadsman_core::{Blocker, Cause, Context, Family, Fault, Probe, async_trait};
use tokio::task::consume_budget;
use tokio::time::{Instant, timeout_at};

use crate::answer::Answer;
use crate::course::{Course, Phase};
use crate::datagram::{Datagrams, Unasked};
use crate::events::{Answered, Truncated, Unanswered};
use crate::judge::judge;
use crate::metrics;
use crate::options::DnsOptions;
use crate::question::{Answers, Question};
use crate::stream::{self, Server, garbage};

/// DNS aimed at one server.
#[derive(Debug)]
pub(crate) struct DnsProbe {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// The name that its certificate must have.
    pub(crate) server_name: String,
    pub(crate) is_udp: bool,
    pub(crate) question: Question,
    pub(crate) options: Arc<DnsOptions>,
}

impl DnsProbe {
    async fn ask(&mut self, course: &mut Course<'_, '_>) -> Result<Answer, Fault> {
        let options = Arc::clone(&self.options);
        let (written, cx) = (&options.written, course.cx());
        let preference = written.preference();
        if !self.is_udp {
            let addresses = cx.resolve_all(&self.host, preference).await?;
            return self.over_stream(course, &addresses).await;
        }
        let address = match written.source_ip_address {
            None => cx.resolve(&self.host, preference).await?,
            Some(source) => {
                let addresses = cx.resolve_all(&self.host, preference).await?;
                let same = |address: &&IpAddr| Family::of(**address) == Family::of(source);
                let address = addresses.iter().find(same).ok_or_else(|| {
                    let detail = format!("{} has no address that {source} can ask", self.host);
                    Fault::Own(Blocker::Network, detail.into())
                });
                *address?
            }
        };
        let peer = SocketAddr::new(address, self.port);
        let message = self.over_datagrams(course, peer).await?;
        course.enter(Phase::Own);
        let answer = read(message, peer)?;
        if answer.header.truncation {
            cx.add(&metrics::TRUNCATED, 1);
            if written.retry_over_tcp {
                cx.event(Truncated::NAME, || Truncated {
                    bytes: answer.message.len(),
                });
                course.retry();
                return self.over_stream(course, &[address]).await;
            }
        }
        Ok(answer)
    }

    async fn over_datagrams(
        &mut self,
        course: &mut Course<'_, '_>,
        peer: SocketAddr,
    ) -> Result<Vec<u8>, Fault> {
        let written = &self.options.written;
        course.enter(Phase::Connect);
        course.cx().permits(peer)?;
        let socket = Unasked::open(peer, written.source_ip_address)?;
        course.asked(&self.question, peer, "UDP");
        course.enter(Phase::Wait);
        // The same id each time, so that a late answer to an earlier one is still an answer.
        let id = self.question.renew();
        course.sent();
        let socket = socket.send(self.question.datagram())?;
        for left in (1..=u32::from(written.retries)).rev() {
            let begin = Instant::now();
            let share = course.cx().deadline().saturating_duration_since(begin) / (left + 1);
            let answered = self.answer_among(&socket, course, peer, id);
            if let Ok(ended) = timeout_at(begin + share, answered).await {
                return ended;
            }
            course.cx().event(Unanswered::NAME, || Unanswered {
                seconds: share.as_secs_f64(),
            });
            course.sent();
            socket.send(self.question.datagram()).await?;
        }
        self.answer_among(&socket, course, peer, id).await
    }

    /// The first message that answers the question.
    async fn answer_among(
        &self,
        socket: &Datagrams,
        course: &mut Course<'_, '_>,
        peer: SocketAddr,
        id: u16,
    ) -> Result<Vec<u8>, Fault> {
        loop {
            let message = socket.receive().await?;
            match self.question.is_answered_by(&message, id) {
                Answers::This => return Ok(message),
                Answers::Other(why) => course.ignored(why),
                Answers::Garbage => return Err(garbage(peer)),
            }
            // A peer that never ceases to send must not keep the deadline from being seen.
            consume_budget().await;
        }
    }

    async fn over_stream(
        &mut self,
        course: &mut Course<'_, '_>,
        addresses: &[IpAddr],
    ) -> Result<Answer, Fault> {
        let options = Arc::clone(&self.options);
        let written = &options.written;
        let tls = if written.dns_over_tls {
            course.cx().enter("connect");
            course.enter(Phase::Own);
            let tls = options.tls.tls(&written.tls_config).await;
            Some(tls.map_err(Fault::own)?)
        } else {
            None
        };
        let server = Server {
            addresses,
            port: self.port,
            source: written.source_ip_address,
            tls: tls.as_ref().map(|tls| (tls, self.server_name.as_str())),
        };
        // In a box, for it is large, and most questions go over UDP.
        let message = Box::pin(stream::ask(course, server, &mut self.question)).await?;
        course.enter(Phase::Own);
        // Which of them has answered is told; here it is only about words.
        read(message, SocketAddr::new(addresses[0], self.port))
    }
}

#[async_trait]
impl Probe for DnsProbe {
    async fn measure(&mut self, cx: &Context<'_>) -> Result<(), Fault> {
        metrics::record_nothing(cx);
        let mut course = Course::begin(cx);
        let answer = self.ask(&mut course).await?;
        metrics::record_answer(cx, &answer, self.question.kind());
        cx.event(Answered::NAME, || Answered::new(&answer));
        Ok(judge(&self.options.written, &answer, cx.is_compatible())?)
    }
}

fn read(message: Vec<u8>, peer: SocketAddr) -> Result<Answer, Fault> {
    Answer::read(message).map_err(|why| {
        let detail = format!("the answer of {peer} is malformed: {why}");
        Fault::target(Cause::Protocol, detail)
    })
}
