//! What is probed?

/// What is probed, as the person wrote it, with the labels that its series carry.
///
/// The address is not parsed here: whether it is a host, a URL or a mail address is the protocol's
/// affair, in [`crate::Options::aim`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The address as written; the value of the label `target`.
    pub address: Box<str>,
    /// The name to ask for where it differs from the address: TLS server name, HTTP `Host`.
    pub hostname: Option<Box<str>>,
    /// The user's labels, sorted by name, without `probe` and `target`.
    pub labels: Box<[(Box<str>, Box<str>)]>,
}

impl Target {
    /// A target without labels.
    pub fn new(address: impl Into<Box<str>>) -> Self {
        Self {
            address: address.into(),
            hostname: None,
            labels: Box::default(),
        }
    }
}
