//! How is a script gone through over a stream?
//!
//! What to do next is the [`Dialogue`]'s decision; here it is done, timed and told.

use std::io;

use futures_util::FutureExt as _;
use leadsman_core::{Cause, Fault};
use leadsman_dial::metrics::{FAILED_REGEX, record_answered, record_shown};
use leadsman_dial::{Protocol, failure, in_time};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::connection::Stream;
use crate::dialogue::{Dialogue, Do, Flaw};
use crate::events::{Heard, Secured, Sent};
use crate::metrics::{EXPECT_INFO, FAILED_BYTES};
use crate::received::LONGEST;
use crate::script::Script;
use crate::trip::{Phase, Trip};
use crate::words;

impl Trip<'_, '_> {
    /// Goes through a script with a peer that has just been reached.
    pub(crate) async fn talk<'t, S: Stream + 't>(
        &mut self,
        stream: S,
        script: &Script<'_>,
    ) -> Result<(), Fault> {
        if script.from_the_first_byte {
            return Box::pin(async {
                self.enter(Phase::Tls);
                let stream = self.secured(stream, script, None).await?;
                self.say(stream, script).await
            })
            .await;
        }
        if script.steps.is_empty() {
            self.reached();
            return Ok(());
        }
        Box::pin(self.say(Box::new(stream), script)).await
    }

    /// Nothing has been said that was wrong yet.
    fn reached(&self) {
        self.cx.set(&FAILED_REGEX, 0.0);
        self.cx.set(&FAILED_BYTES, 0.0);
    }

    async fn say<'t>(
        &mut self,
        stream: Box<dyn Stream + 't>,
        script: &Script<'_>,
    ) -> Result<(), Fault> {
        self.reached();
        let mut tls = script.from_the_first_byte;
        let mut stream = Some(stream);
        if !script.steps.is_empty() {
            self.enter(Phase::Dialogue);
            let mut dialogue = Dialogue::new(script.steps, self.cx.is_compatible());
            let cx = self.cx;
            let said = self.go_through(&mut dialogue, &mut stream, script);
            let Some(said) = in_time(cx, said).await else {
                let (doing, came) = (words::doing(&dialogue, script.peer), words::came(&dialogue));
                let detail = format!("{doing}, but the time was over; {came}");
                return Err(Fault::target(Cause::Timeout, detail));
            };
            said?;
            self.step(None);
            tls |= script.tls.is_some();
        }
        if let (true, Some(stream)) = (tls, &mut stream) {
            // To say goodbye is polite, but nothing that anybody waits for (RFC 8446, section 6.1).
            stream.shutdown().now_or_never();
        }
        Ok(())
    }

    async fn go_through<'t>(
        &mut self,
        dialogue: &mut Dialogue<'_>,
        place: &mut Option<Box<dyn Stream + 't>>,
        script: &Script<'_>,
    ) -> Result<(), Fault> {
        let mut told = 0;
        loop {
            let next = dialogue.next();
            self.step((dialogue.at() < script.steps.len()).then_some(dialogue.at()));
            let stream = place
                .as_mut()
                .expect("it is put back whenever it was taken");
            let done = match next {
                Ok(Do::Finish) => return Ok(()),
                Ok(Do::Read) => match stream.read_buf(dialogue.room()).await {
                    Err(why) if why.kind() != io::ErrorKind::UnexpectedEof => Err(why),
                    Ok(0) | Err(_) => {
                        dialogue.over();
                        Ok(())
                    }
                    Ok(_) => Ok(()),
                },
                Ok(Do::ReadAside(most)) => {
                    let mut bytes = vec![0; most];
                    match stream.read(&mut bytes).await {
                        Err(why) => Err(why),
                        Ok(came) => {
                            if let Err(flaw) = dialogue.aside(&bytes[..came]) {
                                return Err(self.judged(dialogue, script, &flaw));
                            }
                            self.heard(dialogue, &bytes, true);
                            Ok(())
                        }
                    }
                }
                Ok(Do::Heard { matched }) => {
                    told += usize::from(!matched);
                    if matched || told <= MOST_TOLD {
                        self.heard(dialogue, dialogue.line(), matched);
                    }
                    if matched && !dialogue.labels().is_empty() {
                        let labels = dialogue.labels().iter();
                        let labels: Vec<_> =
                            labels.map(|(name, value)| (*name, &**value)).collect();
                        self.cx.inform_as(&EXPECT_INFO, &labels);
                    }
                    Ok(())
                }
                Ok(Do::Matched) => {
                    let bytes = script.steps[dialogue.at()].expect_bytes();
                    self.heard(dialogue, bytes.unwrap_or_default(), true);
                    Ok(())
                }
                Ok(Do::Write(bytes)) => {
                    let written = stream.write_all(&bytes).await;
                    let written = written.and(stream.flush().await);
                    let (step, at) = (dialogue.at() + 1, self.elapsed().as_secs_f64());
                    self.cx.event(Sent::NAME, || Sent {
                        step,
                        text: words::readable(&bytes),
                        at,
                    });
                    written
                }
                Ok(Do::Upgrade) => {
                    self.enter(Phase::StartTls);
                    let plain = place.take().expect("it is there");
                    let step = Some(dialogue.at());
                    *place = Some(self.secured(plain, script, step).await?);
                    self.enter(Phase::Dialogue);
                    Ok(())
                }
                Err(flaw) => return Err(self.judged(dialogue, script, &flaw)),
            };
            if let Err(why) = done {
                let mut doing = words::doing(dialogue, script.peer);
                doing = format!("{doing}; {}", words::came(dialogue));
                return Err(failure(script.peer, &doing, &why));
            }
        }
    }

    /// Tells what came.
    fn heard(&self, dialogue: &Dialogue<'_>, text: &[u8], matched: bool) {
        self.cx.event(Heard::NAME, || Heard {
            step: dialogue.at() + 1,
            text: words::readable(text),
            matched,
            at: self.elapsed().as_secs_f64(),
        });
    }

    /// Whose fault it is that a dialogue cannot go on, and what people need to know of it.
    fn judged(&self, dialogue: &Dialogue<'_>, script: &Script<'_>, flaw: &Flaw) -> Fault {
        let doing = words::doing(dialogue, script.peer);
        let came = words::came(dialogue);
        let closed = "but it closed the connection";
        match flaw {
            Flaw::Unmatched => {
                self.cx.set(&FAILED_REGEX, 1.0);
                let said = dialogue.heard().lines > 0;
                let cause = if said { Cause::Mismatch } else { Cause::Closed };
                Fault::target(cause, format!("{doing}, {closed}; {came}"))
            }
            Flaw::Short => Fault::target(Cause::Closed, format!("{doing}, {closed}; {came}")),
            Flaw::Differs(bytes) => {
                self.cx.set(&FAILED_BYTES, 1.0);
                let detail = format!("{doing}, but {} came", words::shown(bytes));
                Fault::target(Cause::Mismatch, detail)
            }
            Flaw::TooLong => {
                let detail =
                    format!("{doing}, but a line came that is longer than {LONGEST} bytes");
                Fault::target(Cause::Protocol, detail)
            }
        }
    }

    /// Agrees on TLS; in a step, if it is not from the first byte.
    async fn secured<'t, S: Stream + 't>(
        &mut self,
        stream: S,
        script: &Script<'_>,
        step: Option<usize>,
    ) -> Result<Box<dyn Stream + 't>, Fault> {
        let tls = script
            .tls
            .as_ref()
            .expect("whoever wants it has prepared it");
        let handshake = tls.handshake(stream, script.peer, script.name, &[]);
        let Some(handshake) = in_time(self.cx, handshake).await else {
            let (peer, name) = (script.peer, script.name);
            let detail = format!("cannot agree on TLS with {peer} as {name}: the time was over");
            return Err(Fault::target(Cause::Timeout, detail));
        };
        if let Some(shown) = &handshake.shown {
            record_shown(self.cx, shown);
        }
        let stream = handshake.stream.map_err(|fault| match (fault, step) {
            (Fault::Target(cause, detail), Some(step)) => {
                let of = script.steps.len();
                Fault::target(cause, format!("step {} of {of} {detail}", step + 1))
            }
            (fault, _) => fault,
        })?;
        let agreed = Protocol::of(&stream);
        if let Some(shown) = &handshake.shown {
            record_answered(self.cx, shown, &agreed);
        }
        let at = self.elapsed().as_secs_f64();
        self.cx.event(Secured::NAME, || Secured {
            version: agreed.version.into(),
            cipher: agreed.cipher,
            at,
        });
        Ok(Box::new(stream))
    }
}

/// Lines that are told of one by one although nobody waited for them.
const MOST_TOLD: usize = 100;
