//! What does a client want?
//!
//! Reads one line, without its end, as a command (RFC 5321, section 4.1). What cannot be read has an
//! answer of its own. Whether a command may come now is the dialogue's affair.

use super::reply::Reply;

/// A line that could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// Somebody says hello, in one of three ways.
    Hello(Hello),
    /// A message begins.
    Mail(Sender),
    /// It is for this address too, as it was written.
    Rcpt(String),
    /// Its content comes now, up to a dot.
    Data,
    /// So many octets of its content come now (RFC 3030).
    Bdat(Chunk),
    /// It is none after all.
    Rset,
    /// Nothing.
    Noop,
    /// Whether there is such an address.
    Vrfy,
    /// What can be said here.
    Help,
    /// TLS comes now (RFC 3207).
    StartTls,
    /// Farewell.
    Quit,
}

/// How a client introduces itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hello {
    /// In SMTP as it was in the beginning.
    Helo,
    /// And would like to hear of extensions.
    Ehlo,
    /// In LMTP (RFC 2033).
    Lhlo,
}

/// Who sends a message, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sender {
    /// Nobody if it is empty.
    pub(super) address: String,
    /// How large it will be, if that is said (RFC 1870).
    pub(super) size: Option<u64>,
    /// Whether there may be anything beyond ASCII in addresses and header (RFC 6531).
    pub(super) international: bool,
}

/// A part of a message's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chunk {
    /// Octets.
    pub(super) size: u64,
    /// Whether it is the last one.
    pub(super) is_last: bool,
}

impl Command {
    /// Reads a line, or says what is wrong with it.
    pub(super) fn read(line: &[u8]) -> Result<Self, Reply> {
        // Where one program sees the end of a line and the next does not, something is smuggled.
        if line.iter().any(|byte| b"\r\n\0".contains(byte)) {
            return Err(Reply::BARE_LINE_END);
        }
        let Ok(line) = std::str::from_utf8(line) else {
            return Err(Reply::NOT_TEXT);
        };
        let line = line.trim_end_matches([' ', '\t']);
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.trim_start_matches(' ');
        let alone = |command| {
            let none = rest.is_empty();
            none.then_some(command).ok_or(Reply::NO_ARGUMENT)
        };
        let hello = |hello| {
            let named = !rest.is_empty();
            named.then_some(Self::Hello(hello)).ok_or(Reply::WHO)
        };
        match verb.to_ascii_uppercase().as_str() {
            "HELO" => hello(Hello::Helo),
            "EHLO" => hello(Hello::Ehlo),
            "LHLO" => hello(Hello::Lhlo),
            "MAIL" => Sender::read(after(rest, "FROM:")?).map(Self::Mail),
            "RCPT" => recipient(after(rest, "TO:")?).map(Self::Rcpt),
            "BDAT" => Chunk::read(rest).map(Self::Bdat),
            "DATA" => alone(Self::Data),
            "RSET" => alone(Self::Rset),
            "STARTTLS" => alone(Self::StartTls),
            "QUIT" => alone(Self::Quit),
            "NOOP" => Ok(Self::Noop),
            "VRFY" => Ok(Self::Vrfy),
            "HELP" => Ok(Self::Help),
            "EXPN" | "ETRN" | "TURN" | "AUTH" => Err(Reply::NOT_HERE),
            _ => Err(Reply::UNKNOWN),
        }
    }
}

impl Sender {
    fn read(text: &str) -> Result<Self, Reply> {
        let (address, parameters) = path(text)?;
        let mut sender = Self {
            address: address.to_owned(),
            ..Self::default()
        };
        for parameter in parameters.split_ascii_whitespace() {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            match (name.to_ascii_uppercase().as_str(), value) {
                ("SIZE", size) => sender.size = Some(number(size)?),
                ("BODY", body) if is_one_of(body, &["7BIT", "8BITMIME"]) => {}
                ("SMTPUTF8", "") => sender.international = true,
                _ => return Err(Reply::PARAMETER),
            }
        }
        Ok(sender)
    }
}

impl Chunk {
    fn read(text: &str) -> Result<Self, Reply> {
        let (size, last) = text.split_once(' ').unwrap_or((text, ""));
        let is_last = last.trim().eq_ignore_ascii_case("LAST");
        if !is_last && !last.is_empty() {
            return Err(Reply::CHUNK);
        }
        let size = number(size).map_err(|_| Reply::CHUNK)?;
        Ok(Self { size, is_last })
    }
}

fn recipient(text: &str) -> Result<String, Reply> {
    match path(text)? {
        ("", _) => Err(Reply::PATH),
        (address, "") => Ok(address.to_owned()),
        // None was offered that a recipient could have.
        _ => Err(Reply::PARAMETER),
    }
}

/// What comes after a keyword, with or without the space that should not be there.
fn after<'a>(text: &'a str, keyword: &str) -> Result<&'a str, Reply> {
    match text.split_at_checked(keyword.len()) {
        Some((word, rest)) if word.eq_ignore_ascii_case(keyword) => Ok(rest.trim_start()),
        _ => Err(Reply::PATH),
    }
}

/// What is in angle brackets, without the route that nobody should give any more (RFC 5321, appendix
/// C), and what comes behind.
fn path(text: &str) -> Result<(&str, &str), Reply> {
    let inside = text.strip_prefix('<').ok_or(Reply::PATH)?;
    let (mut quoted, mut escaped) = (false, false);
    let end = inside.find(|c| {
        if escaped {
            escaped = false;
            return false;
        }
        match c {
            '\\' => escaped = quoted,
            '"' => quoted = !quoted,
            _ => {}
        }
        c == '>' && !quoted
    });
    let end = end.ok_or(Reply::PATH)?;
    let (address, rest) = (&inside[..end], &inside[end + 1..]);
    if address.len() > LONGEST_PATH || address.chars().any(char::is_control) {
        return Err(Reply::PATH);
    }
    if !(rest.is_empty() || rest.starts_with(' ')) {
        return Err(Reply::PATH);
    }
    let address = match address.strip_prefix('@') {
        Some(route) => route.split_once(':').ok_or(Reply::PATH)?.1,
        None => address,
    };
    let is_mailbox = address.rsplit_once('@').is_some_and(|(local, domain)| {
        !local.is_empty() && !domain.is_empty() && !domain.contains([' ', '"'])
    });
    if !address.is_empty() && !is_mailbox {
        return Err(Reply::PATH);
    }
    Ok((address, rest.trim_start()))
}

/// Digits, and no more of them than anybody needs (RFC 1870, section 3).
fn number(text: &str) -> Result<u64, Reply> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit()) && text.len() <= 20;
    let number = is_number.then(|| text.parse().ok()).flatten();
    number.ok_or(Reply::PARAMETER)
}

fn is_one_of(text: &str, words: &[&str]) -> bool {
    words.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// Octets between the brackets (RFC 5321, section 4.5.3.1.3).
const LONGEST_PATH: usize = 254;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_they_are_written_by_clients_of_all_kinds() {
        fn check(line: &str, expected: Command) {
            assert_eq!(Command::read(line.as_bytes()), Ok(expected), "{line}");
        }
        let mail = |address: &str, size, international| {
            Command::Mail(Sender {
                address: address.to_owned(),
                size,
                international,
            })
        };
        let chunk = |size, is_last| Command::Bdat(Chunk { size, is_last });
        let rcpt = |address: &str| Command::Rcpt(address.to_owned());
        check("EHLO client.test", Command::Hello(Hello::Ehlo));
        check("helo [192.0.2.1]", Command::Hello(Hello::Helo));
        check("LHLO x", Command::Hello(Hello::Lhlo));
        check("MAIL FROM:<>", mail("", None, false));
        check("mail from:<a@b> size=10", mail("a@b", Some(10), false));
        check("MAIL FROM: <a@b>", mail("a@b", None, false));
        check(
            "MAIL FROM:<ü@b> SMTPUTF8 BODY=8BITMIME",
            mail("ü@b", None, true),
        );
        check("MAIL FROM:<@x,@y:a@b> BODY=7bit", mail("a@b", None, false));
        check("RCPT TO:<\"a >\\\" b\"@c>", rcpt("\"a >\\\" b\"@c"));
        check("RCPT TO:<a@[192.0.2.1]>", rcpt("a@[192.0.2.1]"));
        check("DATA  ", Command::Data);
        check("BDAT 0 LAST", chunk(0, true));
        check("BDAT 18446744073709551615", chunk(u64::MAX, false));
        check("NOOP whatever", Command::Noop);
        check("VRFY a", Command::Vrfy);
        check("HELP", Command::Help);
        check("RSET", Command::Rset);
        check("STARTTLS", Command::StartTls);
        check("QUIT", Command::Quit);
    }

    #[test]
    fn what_is_no_command_is_told_why() {
        fn check(line: &[u8], expected: Reply) {
            assert_eq!(
                Command::read(line),
                Err(expected),
                "{}",
                line.escape_ascii()
            );
        }
        check(b"", Reply::UNKNOWN);
        check(b"GET / HTTP/1.1", Reply::UNKNOWN);
        check(b"\x16\x03\x01", Reply::UNKNOWN);
        check(b"\xff", Reply::NOT_TEXT);
        check(b"NOOP\nMAIL FROM:<a@b>", Reply::BARE_LINE_END);
        check(b"NOOP\rX", Reply::BARE_LINE_END);
        check(b"NOOP\0", Reply::BARE_LINE_END);
        check(b"EHLO", Reply::WHO);
        check(b"DATA now", Reply::NO_ARGUMENT);
        check(b"AUTH PLAIN", Reply::NOT_HERE);
        check(b"MAIL", Reply::PATH);
        check(b"MAIL TO:<a@b>", Reply::PATH);
        check(b"MAIL FROM:a@b", Reply::PATH);
        check(b"MAIL FROM:<a@b", Reply::PATH);
        check(b"MAIL FROM:<a>", Reply::PATH);
        check(b"MAIL FROM:<@b>", Reply::PATH);
        check(b"MAIL FROM:<a@b>SIZE=1", Reply::PATH);
        check(b"MAIL FROM:<\"a@b>", Reply::PATH);
        check(b"MAIL FROM:<a\x1b@b>", Reply::PATH);
        check(
            format!("MAIL FROM:<{}@b>", "a".repeat(253)).as_bytes(),
            Reply::PATH,
        );
        check(b"MAIL FROM:<a@b> SIZE=-1", Reply::PARAMETER);
        check(
            b"MAIL FROM:<a@b> SIZE=99999999999999999999",
            Reply::PARAMETER,
        );
        check(b"MAIL FROM:<a@b> BODY=BINARYMIME", Reply::PARAMETER);
        check(b"MAIL FROM:<a@b> RET=HDRS", Reply::PARAMETER);
        check(b"RCPT TO:<>", Reply::PATH);
        check(b"RCPT TO:<a@b> NOTIFY=NEVER", Reply::PARAMETER);
        check(b"BDAT", Reply::CHUNK);
        check(b"BDAT -1", Reply::CHUNK);
        check(b"BDAT 1 MORE", Reply::CHUNK);
    }
}
