//! The proxy's certificates: of its own authority, and of one that nobody knows.

use std::error::Error;
use std::io;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio_rustls::TlsAcceptor;

pub(super) struct Certificates {
    authority: String,
    known: TlsAcceptor,
    unknown: TlsAcceptor,
}

impl Certificates {
    pub(super) fn new() -> io::Result<Certificates> {
        let made = |error: Box<dyn Error + Send + Sync>| io::Error::other(error);
        let (authority, known) = acceptor("railbird test authority").map_err(made)?;
        let (_, unknown) = acceptor("an authority that nobody knows").map_err(made)?;
        Ok(Certificates { authority, known, unknown })
    }

    pub(super) fn authority(&self) -> &str {
        &self.authority
    }

    pub(super) fn acceptor(&self, unknown: bool) -> &TlsAcceptor {
        if unknown { &self.unknown } else { &self.known }
    }
}

/// A new authority's certificate, and who shows one that it signed.
fn acceptor(name: &str) -> Result<(String, TlsAcceptor), Box<dyn Error + Send + Sync>> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let names = ["localhost".to_string(), "127.0.0.1".to_string()];
    let certificate = CertificateParams::new(names)?.signed_by(&key, &authority)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der())?)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok((authority.pem(), TlsAcceptor::from(Arc::new(config))))
}
