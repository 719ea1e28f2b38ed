//! What is done with what anybody may have sent, as one function.
//!
//! For fuzzing, and for the test below that gives it its corpus again. It never panics but for a
//! mistake of ours: what it checks holds for any bytes.

use hickory_proto::rr::Name;

use crate::answer::{Answer, Section};
use crate::codes::{Class, Kind};
use crate::events::Answered;
use crate::options::Written;
use crate::question::{Answers, Manner, Question};

/// A message that came, whatever was asked.
///
/// # Panics
/// If records appear that the message does not announce, a text breaks its line, or what answers a
/// question has another id.
pub fn answer(bytes: &[u8]) {
    let bytes = &bytes[..bytes.len().min(usize::from(u16::MAX))];
    let question = Question::new(&Name::root(), Kind::ANY, Class::IN, Manner::default());
    if question.is_answered_by(bytes, 7) == Answers::This {
        assert!(bytes.starts_with(&[0, 7]), "{bytes:?}");
    }
    let Ok(answer) = Answer::read(bytes.to_vec()) else {
        return;
    };
    let announced = [6, 8, 10].map(|at| u16::from_be_bytes([bytes[at], bytes[at + 1]]));
    for (section, announced) in Section::ALL.into_iter().zip(announced) {
        let records = answer.section(section);
        let read = records.len();
        assert!(
            read == usize::from(announced) || answer.header.truncation,
            "{read}"
        );
        for record in records {
            let text = answer.text(record);
            let is_printable = |c: char| (' '..='~').contains(&c) || c == '\t';
            let sound = record.kind == Kind::OPT || text.chars().all(is_printable);
            assert!(sound, "{text:?}");
        }
    }
    answer.serial();
    let told = serde_json::to_value(Answered::new(&answer));
    assert!(told.is_ok());
    let judged = crate::judge::judge(&Written::default(), &answer, false);
    assert_eq!(judged.is_ok(), answer.rcode.0 == 0);
}

#[cfg(test)]
mod tests {
    use leadsman_core::testing::corpus;

    const CORPORA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus");

    #[test]
    fn whatever_was_found_by_fuzzing_does_no_harm() {
        for message in corpus(CORPORA, "answer") {
            super::answer(&message);
        }
    }

    #[test]
    fn no_answer_does_harm_with_a_byte_changed_or_its_end_cut_off() {
        for message in corpus(CORPORA, "answer") {
            // What is beyond says nothing new, and takes long.
            for at in 0..message.len().min(160) {
                super::answer(&message[..at]);
                // 0xc0 begins a pointer to a name.
                for byte in [0, 1, 0x3f, 0x7f, 0xc0, 0xff, message[at] ^ 0x10] {
                    let mut changed = message.clone();
                    changed[at] = byte;
                    super::answer(&changed);
                }
            }
        }
    }
}
