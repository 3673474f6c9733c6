//! The certificate that encoders are shown over TLS: read from two files, and again where these have changed.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// The longest file that is read, in bytes.
const FILE_LEN_MAX: u64 = 1 << 20;

/// Why a certificate can't be shown. The texts begin with the key of `railbird.toml` that is to be looked at.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file can't be read.
    #[error("{table}.{name}: the file {} can't be read: {error}", path.display())]
    Unreadable {
        /// Its table.
        table: &'static str,
        /// `certificate` or `key`.
        name: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A file holds something else.
    #[error("{table}.{name}: the file {} has no {wanted} in PEM: {error}", path.display())]
    Other {
        /// Its table.
        table: &'static str,
        /// `certificate` or `key`.
        name: &'static str,
        /// The file.
        path: PathBuf,
        /// What it should hold.
        wanted: &'static str,
        /// What the reader of it says.
        error: String,
    },
    /// The two don't belong together, or TLS can't use them.
    #[error("{table}.certificate and {table}.key can't be used together: {error}")]
    Useless {
        /// Their table.
        table: &'static str,
        /// Why.
        error: rustls::Error,
    },
}

/// A certificate, its key, and where they came from. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Certificate(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    table: &'static str,
    certificate: PathBuf,
    key: PathBuf,
    shown: Mutex<Shown>,
}

#[derive(Debug)]
struct Shown {
    config: Arc<ServerConfig>,
    /// What the files looked like when they were last read, whether or not that led to anything.
    seen: Option<[Stamp; 2]>,
}

/// How a change of a file is noticed.
type Stamp = (SystemTime, u64);

impl Certificate {
    /// Reads the chain of certificates and the key from files in PEM, which this table of `railbird.toml` names.
    pub fn read(
        table: &'static str,
        certificate: &Path,
        key: &Path,
    ) -> Result<Certificate, CertificateError> {
        let seen = stamps(certificate, key);
        let shown = Mutex::new(Shown { config: config(table, certificate, key)?, seen });
        Ok(Certificate(Arc::new(Inner { table, certificate: certificate.into(), key: key.into(), shown })))
    }

    /// What to show the next encoder. Where the files have changed, they are read again; where they are of no use by now, or only
    /// one of the two is new, what was shown so far is shown, and the log says why.
    pub async fn current(&self) -> Arc<ServerConfig> {
        let this = self.clone();
        let looked = tokio::task::spawn_blocking(move || this.look()).await;
        // It does not panic; if it did, what was shown so far would be as good as ever.
        looked.unwrap_or_else(|_| self.lock().config.clone())
    }

    fn look(&self) -> Arc<ServerConfig> {
        let Inner { table, certificate, key, .. } = &*self.0;
        let mut shown = self.lock();
        let seen = stamps(certificate, key);
        if seen.is_some() && shown.seen != seen {
            shown.seen = seen;
            match config(table, certificate, key) {
                Ok(config) => {
                    shown.config = config;
                    tracing::info!(table, certificate = %certificate.display(), "encoders are shown the new certificate");
                }
                Err(error) => {
                    tracing::error!(%error, "the new certificate is of no use: the one before is shown on");
                }
            }
        }
        shown.config.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Shown> {
        // Nothing panics while it holds the lock; if it did, what is in it would still be whole.
        self.0.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `None` while a file is not there, as between its removal and its return.
fn stamps(certificate: &Path, key: &Path) -> Option<[Stamp; 2]> {
    let stamp = |path: &Path| {
        let about = fs::metadata(path).ok()?;
        Some((about.modified().ok()?, about.len()))
    };
    Some([stamp(certificate)?, stamp(key)?])
}

fn config(
    table: &'static str,
    certificate: &Path,
    key: &Path,
) -> Result<Arc<ServerConfig>, CertificateError> {
    let pem = read(table, certificate, "certificate")?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let other = |name, path: &Path, wanted, error: String| CertificateError::Other {
        table,
        name,
        path: path.into(),
        wanted,
        error,
    };
    let nothing = || "there is no -----BEGIN CERTIFICATE-----".to_string();
    let chain = chain.map_err(|error| error.to_string());
    let chain = chain.and_then(|chain| if chain.is_empty() { Err(nothing()) } else { Ok(chain) });
    let chain = chain.map_err(|error| other("certificate", certificate, "chain of certificates", error))?;
    let pem = read(table, key, "key")?;
    let private = PrivateKeyDer::from_pem_slice(&pem)
        .map_err(|error| other("key", key, "private key", error.to_string()))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = builder
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, private))
        .map_err(|error| CertificateError::Useless { table, error })?;
    Ok(Arc::new(config))
}

fn read(table: &'static str, path: &Path, name: &'static str) -> Result<Vec<u8>, CertificateError> {
    let mut bytes = Vec::new();
    // The length that a file claims is no bound: a device has none.
    let read = fs::File::open(path).and_then(|file| file.take(FILE_LEN_MAX).read_to_end(&mut bytes));
    match read {
        Ok(_) => Ok(bytes),
        Err(error) => Err(CertificateError::Unreadable { table, name, path: path.into(), error }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Files {
        _dir: tempfile::TempDir,
        certificate: PathBuf,
        key: PathBuf,
    }

    impl Files {
        fn new() -> Files {
            let dir = tempfile::tempdir().unwrap();
            let (certificate, key) = (dir.path().join("chain.pem"), dir.path().join("key.pem"));
            Files { _dir: dir, certificate, key }
        }

        /// Writes a new certificate and its key; each is of another length, as a clock may stand.
        fn renew(&self, name: &str) -> (String, String) {
            let made = rcgen::generate_simple_self_signed([name.to_string()]).unwrap();
            let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
            let padded = |text: &str| format!("{text}{}", "\n".repeat(name.len()));
            fs::write(&self.certificate, padded(&certificate)).unwrap();
            fs::write(&self.key, padded(&key)).unwrap();
            (certificate, key)
        }

        fn read(&self) -> Result<Certificate, CertificateError> {
            Certificate::read("rtmps", &self.certificate, &self.key)
        }
    }

    #[tokio::test]
    async fn changed_files_are_read_again_and_useless_ones_are_not_shown() {
        let files = Files::new();
        files.renew("a.example");
        let certificate = files.read().unwrap();
        let first = certificate.current().await;
        assert!(Arc::ptr_eq(&first, &certificate.current().await), "what has not changed is not read again");
        let (_, key) = files.renew("bb.example");
        let second = certificate.current().await;
        assert!(!Arc::ptr_eq(&first, &second));
        // A key that does not belong to the certificate, then none at all: as in the middle of a renewal.
        fs::write(&files.key, "").unwrap();
        assert!(Arc::ptr_eq(&second, &certificate.current().await));
        fs::remove_file(&files.key).unwrap();
        assert!(Arc::ptr_eq(&second, &certificate.current().await));
        fs::write(&files.key, key).unwrap();
        assert!(!Arc::ptr_eq(&second, &certificate.current().await));
    }

    #[test]
    fn what_is_wrong_with_the_files_is_said() {
        let files = Files::new();
        let said = |files: &Files| files.read().unwrap_err().to_string();
        assert!(said(&files).starts_with("rtmps.certificate: the file "), "{}", said(&files));
        let (certificate, _) = files.renew("a.example");
        fs::remove_file(&files.key).unwrap();
        assert!(said(&files).starts_with("rtmps.key: the file "), "{}", said(&files));
        fs::write(&files.key, certificate).unwrap();
        assert!(said(&files).contains("has no private key in PEM"), "{}", said(&files));
        fs::write(&files.certificate, "").unwrap();
        assert!(said(&files).contains("has no chain of certificates in PEM"), "{}", said(&files));
        let (_, key) = files.renew("a.example");
        files.renew("b.example");
        fs::write(&files.key, key).unwrap();
        assert!(said(&files).contains("can't be used together"), "{}", said(&files));
    }
}
