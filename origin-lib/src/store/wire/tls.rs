//! Whom TLS trusts, and what its refusals mean.

use std::io;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{CertificateError, ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use super::super::PutError;
use super::{Whom, root_words, short};
use crate::config::Authority;

/// A store can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The operator's own authority is of no use.
    #[error("ca_file {file}: {text}")]
    Authority {
        /// The file.
        file: String,
        /// Why.
        text: String,
    },
    /// TLS can't be set up.
    #[error("TLS can't be set up: {0}")]
    Tls(String),
    /// A credential can't stand in a header.
    #[error("{key}: its secret can't stand in an HTTP header: use ASCII on one line")]
    Credential {
        /// The key of `railbird.toml`.
        key: String,
    },
}

/// A connector that trusts the system's authorities and this one.
pub(super) fn connector(own: Option<&Authority>) -> Result<TlsConnector, OpenError> {
    let mut roots = RootCertStore::empty();
    // Some of a system's certificates may be unreadable or odd: the others count.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(own) = own {
        let useless = |text: String| OpenError::Authority { file: own.path.display().to_string(), text };
        for certificate in CertificateDer::pem_slice_iter(own.pem.as_bytes()) {
            let certificate = certificate.map_err(|error| useless(short(&error.to_string())))?;
            roots.add(certificate).map_err(|error| useless(short(&error.to_string())))?;
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| OpenError::Tls(short(&error.to_string())))?;
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

/// A handshake that failed.
pub(super) fn refused(error: &io::Error, whom: &Whom) -> PutError {
    let (place, key) = (&whom.place, whom.address_key);
    let cause = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let wrong = |text: &str| PutError::Misconfigured(format!("tls: {place} {text}"));
    match cause {
        Some(rustls::Error::InvalidCertificate(certificate)) => match certificate {
            // A bad signature is that of a namesake of an authority that is known.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => wrong(
                "shows a certificate of an authority that this machine doesn't know: \
                 set ca_file to that authority's certificate",
            ),
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                wrong(&format!("shows a certificate for another name: check {key}"))
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => wrong(
                "shows a certificate that has expired: tell its provider, and check this machine's clock",
            ),
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                wrong("shows a certificate that is not valid yet: check this machine's clock")
            }
            other => wrong(&format!("shows a certificate that is not valid: {}", short(&other.to_string()))),
        },
        Some(rustls::Error::InvalidMessage(_)) => {
            PutError::Unreachable(format!("tls: {place} does not speak TLS: is the port in {key} right?"))
        }
        _ => PutError::Unreachable(format!("tls: {place} broke off the handshake: {}", root_words(error))),
    }
}
