//! Is the same served with TLS, and how?

use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::*;
use crate::server::tls::TlsOptions;

/// A server with a certificate, and who trusts it.
pub(super) struct Encrypted {
    pub(super) server: Server,
    trusted: CertificateDer<'static>,
}

impl Encrypted {
    pub(super) fn start(change: impl FnOnce(&mut ServerOptions)) -> Self {
        let generated = generate_simple_self_signed(["name.test".to_owned()]).unwrap();
        let CertifiedKey { cert, signing_key } = generated;
        let server = Server::with(|options| {
            let tls = TlsOptions {
                cert_file: options.directory.with_file_name("cert.pem"),
                key_file: options.directory.with_file_name("key.pem"),
            };
            fs::write(&tls.cert_file, cert.pem()).unwrap();
            fs::write(&tls.key_file, signing_key.serialize_pem()).unwrap();
            options.tls = Some(tls);
            change(options);
        });
        Self {
            server,
            trusted: cert.der().clone(),
        }
    }

    /// How to speak TLS with the server, and one of these protocols.
    pub(super) fn client(&self, alpn: &[&str]) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.trusted.clone()).unwrap();
        let mut config = ClientConfig::builder_with_provider(ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        config
    }

    pub(super) fn connect(&self, alpn: &[&str]) -> StreamOwned<ClientConnection, TcpStream> {
        let name = "name.test".try_into().unwrap();
        let config = self.client(alpn).into();
        let connection = ClientConnection::new(config, name).unwrap();
        StreamOwned::new(connection, self.server.connect())
    }
}

#[test]
fn file_is_sent_with_a_cookie_that_stays_with_tls() {
    let encrypted = Encrypted::start(|_| {});
    fs::write(encrypted.server.root().join("big"), vec![b'x'; 3 << 20]).unwrap();
    for (path, length) in [("/index.html", 10), ("/big", 3 << 20)] {
        let mut stream = encrypted.connect(&["http/1.1"]);
        let sent = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        stream.write_all(sent.as_bytes()).unwrap();
        let mut received = Vec::new();
        stream.read_to_end(&mut received).unwrap();
        assert_eq!(stream.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
        let answer = only(answers(&received, false));
        assert_eq!((answer.status.as_str(), answer.body.len()), ("200", length));
        let cookie = answer.field("set-cookie").unwrap();
        assert!(cookie.starts_with("__Host-visit=") && cookie.ends_with("; Secure"));
    }
}

#[test]
fn whoever_speaks_no_tls_is_left_without_an_answer() {
    let encrypted = Encrypted::start(|options| options.header_timeout = crowd::SOON);
    for sent in ["", "\x16\x03\x01\x02", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"] {
        let mut stream = encrypted.server.connect();
        stream.write_all(sent.as_bytes()).unwrap();
        let mut received = Vec::new();
        _ = stream.read_to_end(&mut received);
        // An alert at most (RFC 8446, section 5.1).
        assert!(received.is_empty() || received[0] == 21, "{received:?}");
    }
}
