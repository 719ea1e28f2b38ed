//! Is TLS agreed on with those who may come, and with nobody else?

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use leadsman_core::options::{Kind, Node, read};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType,
    generate_simple_self_signed,
};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

use super::ClientAuth::{None as Nobody, Request, RequireAndVerify, RequireAny, VerifyIfGiven};
use super::*;
use crate::{Protocol, TlsCache, TlsOptions, TlsVersion};

/// A certificate and its key, both in PEM.
struct Pair {
    cert: String,
    key: String,
}

struct Stage {
    authority: CertifiedIssuer<'static, KeyPair>,
    server: Pair,
}

impl Stage {
    fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let own = generate_simple_self_signed(["door.test".to_owned()]).unwrap();
        Self {
            authority: CertifiedIssuer::self_signed(params, key).unwrap(),
            server: Pair {
                cert: own.cert.pem(),
                key: own.signing_key.serialize_pem(),
            },
        }
    }

    /// A client's certificate that the authority has signed.
    fn client(&self, name: SanType) -> Pair {
        let mut params = CertificateParams::new([]).unwrap();
        params.subject_alt_names.push(name);
        let key = KeyPair::generate().unwrap();
        Pair {
            cert: params.signed_by(&key, &self.authority).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }

    fn options(&self) -> ServerTlsOptions {
        ServerTlsOptions {
            cert: Some(self.server.cert.clone()),
            key: Some(self.server.key.clone().into()),
            ..ServerTlsOptions::default()
        }
    }

    /// What is agreed on with a client that shows this certificate or none; `None` if nothing is.
    async fn agreed(
        &self,
        options: &ServerTlsOptions,
        client: Option<&Pair>,
        versions: TlsOptions,
    ) -> Option<Protocol> {
        let files = ServerFiles::read(options).unwrap();
        let server = ServerTls::new(options, &files, &[b"h2", b"http/1.1"]).unwrap();
        let options = TlsOptions {
            ca: Some(self.server.cert.clone()),
            cert: client.map(|pair| pair.cert.clone()),
            key: client.map(|pair| pair.key.clone().into()),
            ..versions
        };
        let tls = TlsCache::default().tls(&options).await.unwrap();
        let (near, far) = duplex(65536);
        let serve = async {
            let mut accepted = server.accept(far).await.ok()?;
            accepted.stream.write_all(b"x").await.ok()?;
            accepted.stream.flush().await.ok()?;
            accepted.alpn
        };
        let peer = SocketAddr::from(([127, 0, 0, 1], 1));
        let ask = async {
            let handshake = tls.handshake(near, peer, "door.test", &[b"http/1.1"]).await;
            let mut stream = handshake.stream.ok()?;
            // In TLS 1.3 a client learns only now that its certificate was refused.
            stream.read_u8().await.ok()?;
            Some(Protocol::of(&stream))
        };
        let (chosen, agreed) = tokio::join!(serve, ask);
        assert!(agreed.is_none() || chosen.as_deref() == Some(b"http/1.1"));
        agreed
    }
}

#[tokio::test]
async fn a_client_shows_what_the_policy_asks_for() {
    let stage = Stage::new();
    let trusted = stage.client(SanType::DnsName("a.test".try_into().unwrap()));
    let other = Stage::new();
    let stranger = other.client(SanType::DnsName("a.test".try_into().unwrap()));
    for (policy, without, with_trusted, with_stranger) in [
        (Nobody, true, true, true),
        (Request, true, true, true),
        (RequireAny, false, true, true),
        (VerifyIfGiven, true, true, false),
        (RequireAndVerify, false, true, false),
    ] {
        let mut options = stage.options();
        options.client_auth_type = policy;
        if matches!(policy, VerifyIfGiven | RequireAndVerify) {
            options.client_ca = Some(stage.authority.pem());
        }
        for (client, expected) in [
            (None, without),
            (Some(&trusted), with_trusted),
            (Some(&stranger), with_stranger),
        ] {
            let agreed = stage.agreed(&options, client, TlsOptions::default()).await;
            assert_eq!(agreed.is_some(), expected, "{policy:?}");
        }
    }
}

#[tokio::test]
async fn a_client_may_have_to_have_a_certain_name() {
    let stage = Stage::new();
    let mut options = stage.options();
    options.client_auth_type = RequireAndVerify;
    options.client_ca = Some(stage.authority.pem());
    options.client_allowed_sans = ["a.test", "192.0.2.1", "a@a.test", "spiffe://a/b"]
        .map(str::to_owned)
        .to_vec();
    for (name, expected) in [
        (SanType::DnsName("a.test".try_into().unwrap()), true),
        (SanType::DnsName("b.test".try_into().unwrap()), false),
        (SanType::DnsName("x.a.test".try_into().unwrap()), false),
        (SanType::IpAddress([192, 0, 2, 1].into()), true),
        (SanType::IpAddress([192, 0, 2, 2].into()), false),
        (SanType::Rfc822Name("a@a.test".try_into().unwrap()), true),
        (SanType::URI("spiffe://a/b".try_into().unwrap()), true),
        (SanType::URI("spiffe://a/c".try_into().unwrap()), false),
    ] {
        let client = stage.client(name.clone());
        let agreed = stage.agreed(&options, Some(&client), TlsOptions::default());
        assert_eq!(agreed.await.is_some(), expected, "{name:?}");
    }
}

#[tokio::test]
async fn versions_suites_and_curves_are_those_that_were_chosen() {
    let stage = Stage::new();
    let check = async |written: &[(&str, &[&str])], client: TlsOptions, expected: Option<&str>| {
        let mut options: ServerTlsOptions = read(&node(written)).unwrap();
        let certified = stage.options();
        (options.cert, options.key) = (certified.cert, certified.key);
        let agreed = stage.agreed(&options, None, client).await;
        let said = agreed.map(|agreed| format!("{} {}", agreed.version, agreed.cipher));
        let fits = match (&said, expected) {
            (Some(said), Some(expected)) => said.starts_with(expected),
            (said, expected) => said.is_none() && expected.is_none(),
        };
        assert!(fits, "{written:?}: {said:?}");
    };
    let only_12 = || TlsOptions {
        max_version: Some(TlsVersion::Tls12),
        ..TlsOptions::default()
    };
    let any = TlsOptions::default;
    check(&[], any(), Some("TLS 1.3")).await;
    check(&[("max_version", &["TLS12"])], any(), Some("TLS 1.2")).await;
    check(&[("min_version", &["TLS13"])], only_12(), None).await;
    check(&[("min_version", &["TLS10"])], only_12(), Some("TLS 1.2")).await;
    let suite = "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305";
    let suites = [suite, "TLS_RSA_WITH_AES_128_CBC_SHA"];
    let chosen = Some("TLS 1.2 TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256");
    check(&[("cipher_suites", &suites)], only_12(), chosen).await;
    check(&[("cipher_suites", &suites)], any(), Some("TLS 1.3")).await;
    // Nothing of TLS 1.2 is left.
    let unspoken = ["TLS_RSA_WITH_AES_128_CBC_SHA", "TLS_AES_128_GCM_SHA256"];
    check(&[("cipher_suites", &unspoken)], only_12(), None).await;
    check(&[("cipher_suites", &unspoken)], any(), Some("TLS 1.3")).await;
    let curves = ["CurveP521", "CurveP384"];
    check(&[("curve_preferences", &curves)], any(), Some("TLS 1.3")).await;
}

#[test]
fn what_cannot_be_spoken_is_refused_with_the_reason() {
    let stage = Stage::new();
    let check = |change: &dyn Fn(&mut ServerTlsOptions), expected: &str| {
        let mut options = stage.options();
        change(&mut options);
        let made = ServerFiles::read(&options);
        let made = made.and_then(|files| ServerTls::new(&options, &files, &[]));
        let said = made.unwrap_err().to_string();
        assert!(said.contains(expected), "{said}");
    };
    check(
        &|options| options.key = None,
        "`key` or `key_file` is missing",
    );
    check(
        &|options| options.cert = None,
        "`cert` or `cert_file` is missing",
    );
    check(
        &|options| options.cert_file = Some("a".into()),
        "of `cert` and `cert_file` at most one",
    );
    check(
        &|options| {
            options.key = None;
            options.key_file = Some("/no/such/key".into());
        },
        "cannot read /no/such/key, the file of `key_file`",
    );
    check(
        &|options| options.cert = Some("x".into()),
        "no certificate in `cert`",
    );
    check(
        &|options| options.key = Some("x".to_owned().into()),
        "no private key",
    );
    let other = Stage::new().server.key;
    check(
        &|options| options.key = Some(other.clone().into()),
        "with its key",
    );
    check(
        &|options| options.max_version = Some(TlsVersion::Tls11),
        "leave no version",
    );
    check(
        &|options| options.client_auth_type = RequireAndVerify,
        "needs the authorities to trust",
    );
    check(
        &|options| options.client_ca = Some(stage.authority.pem()),
        "has no effect without `client_auth_type`",
    );
    check(
        &|options| options.client_allowed_sans = vec!["a".to_owned()],
        "needs a `client_auth_type` that requires",
    );
    check(
        &|options| {
            options.client_auth_type = RequireAndVerify;
            options.client_ca = Some("x".to_owned());
        },
        "no certificate in `client_ca`",
    );
    check(
        &|options| {
            options.max_version = Some(TlsVersion::Tls12);
            let suite = "TLS_RSA_WITH_AES_128_CBC_SHA".to_owned();
            options.cipher_suites = vec![suite.try_into().unwrap()];
        },
        "knows none of the `cipher_suites`",
    );
    check(
        &|options| options.curve_preferences = vec![Curve::P521],
        "knows none of the `curve_preferences`",
    );
    let invented = read::<ServerTlsOptions>(&node(&[("cipher_suites", &["TLS_BEST"])]));
    let said = invented.unwrap_err()[0].to_string();
    assert!(said.contains("no cipher suite `TLS_BEST`"), "{said}");
}

/// Options as if a person had written them; what has one word and no plural is no list.
fn node(written: &[(&str, &[&str])]) -> Node {
    let entries = written.iter().map(|(key, words)| {
        let words: Vec<_> = words.iter().map(|word| Node::word(*word)).collect();
        let value = if key.ends_with("version") {
            words[0].clone()
        } else {
            Node::new(Kind::List(words))
        };
        (Node::word(*key), value)
    });
    Node::new(Kind::Map(entries.collect()))
}

#[test]
fn renewed_certificate_is_shown_once_it_is_whole() {
    /// Puts another file at a path at once, as who renews certificates does.
    fn put(path: &Path, content: &str) {
        let beside = path.with_extension("new");
        fs::write(&beside, content).unwrap();
        fs::rename(beside, path).unwrap();
    }

    let directory = TempDir::new().unwrap();
    let [cert, key] = ["cert", "key"].map(|name| directory.path().join(name));
    let (first, second) = (Stage::new().server, Stage::new().server);
    put(&cert, &first.cert);
    put(&key, &first.key);
    let renewable = Renewable::open(cert.clone(), key.clone(), &[]).unwrap();
    let shown = || Arc::as_ptr(&renewable.tls().0);
    let mut last = shown();
    let mut look = |expected: Result<bool, &str>| {
        let looked = renewable.look().map_err(|why| why.to_string());
        match (&looked, expected) {
            (Err(why), Err(begin)) => assert!(why.starts_with(begin), "{why}"),
            _ => assert_eq!(looked.as_ref().ok(), expected.ok().as_ref(), "{looked:?}"),
        }
        let is_new = std::mem::replace(&mut last, shown()) != last;
        assert_eq!(is_new, looked == Ok(true));
    };
    look(Ok(false));
    put(&cert, "nonsense");
    look(Err("there is no certificate in "));
    look(Ok(false));
    put(&cert, &second.cert);
    look(Err("cannot use the certificate in "));
    put(&key, &second.key);
    look(Ok(true));
    fs::remove_file(&key).unwrap();
    look(Err("cannot read "));
    look(Ok(false));
    put(&key, &first.cert);
    look(Err("there is no private key in "));
    put(&cert, &first.cert);
    put(&key, &first.key);
    look(Ok(true));
    look(Ok(false));
}
