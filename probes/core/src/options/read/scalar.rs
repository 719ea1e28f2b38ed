//! Which number or truth value does a word stand for?
//!
//! The core schema of YAML 1.2 (section 10.3.2), which is also what a command line means. Where a
//! truth value is asked for, `yes` and `off` are accepted as YAML 1.1 did, for files written for
//! `blackbox_exporter` use them; where anything goes, they stay words.

/// A type that is written as one word without quotes.
pub(super) trait Literal: Sized {
    /// What to say when the word is none.
    const EXPECTED: &str;

    /// Reads the whole word, or nothing.
    fn from_word(word: &str) -> Option<Self>;
}

impl Literal for bool {
    const EXPECTED: &str = "`true` or `false`";

    fn from_word(word: &str) -> Option<Self> {
        truth(word).or_else(|| match word.to_ascii_lowercase().as_str() {
            "y" | "yes" | "on" => Some(true),
            "n" | "no" | "off" => Some(false),
            _ => None,
        })
    }
}

impl Literal for i8 {
    const EXPECTED: &str = "a whole number from -128 to 127";

    fn from_word(word: &str) -> Option<Self> {
        whole(word)
    }
}

impl Literal for i16 {
    const EXPECTED: &str = "a whole number from -32768 to 32767";

    fn from_word(word: &str) -> Option<Self> {
        whole(word)
    }
}

impl Literal for i32 {
    const EXPECTED: &str = "a whole number from -2147483648 to 2147483647";

    fn from_word(word: &str) -> Option<Self> {
        whole(word)
    }
}

impl Literal for i64 {
    const EXPECTED: &str = "a whole number";

    fn from_word(word: &str) -> Option<Self> {
        whole(word)
    }
}

impl Literal for u8 {
    const EXPECTED: &str = "a whole number from 0 to 255";

    fn from_word(word: &str) -> Option<Self> {
        whole(word)
    }
}

impl Literal for u16 {
    const EXPECTED: &str = "a whole number from 0 to 65535";

    fn from_word(word: &str) -> Option<Self> {
        whole(word)
    }
}

impl Literal for u32 {
    const EXPECTED: &str = "a whole number from 0 to 4294967295";

    fn from_word(word: &str) -> Option<Self> {
        whole(word)
    }
}

impl Literal for u64 {
    const EXPECTED: &str = "a whole number, 0 or greater";

    fn from_word(word: &str) -> Option<Self> {
        whole(word)
    }
}

impl Literal for f64 {
    const EXPECTED: &str = "a number";

    fn from_word(word: &str) -> Option<Self> {
        let unsigned = word.trim_start_matches(['+', '-']);
        match unsigned {
            ".inf" | ".Inf" | ".INF" if word.starts_with('-') => Some(Self::NEG_INFINITY),
            ".inf" | ".Inf" | ".INF" => Some(Self::INFINITY),
            ".nan" | ".NaN" | ".NAN" => Some(Self::NAN),
            // The standard library would also read `inf` and `nan`, which are words here.
            _ if unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') => {
                word.parse().ok()
            }
            _ => None,
        }
    }
}

/// The truth values that are so wherever they stand.
pub(super) fn truth(word: &str) -> Option<bool> {
    match word {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

fn whole<T: TryFrom<i128>>(word: &str) -> Option<T> {
    let number = if let Some(hex) = word.strip_prefix("0x") {
        i128::from(u64::from_str_radix(hex, 16).ok()?)
    } else if let Some(octal) = word.strip_prefix("0o") {
        i128::from(u64::from_str_radix(octal, 8).ok()?)
    } else {
        word.parse().ok()?
    };
    T::try_from(number).ok()
}
