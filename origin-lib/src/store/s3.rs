//! A bucket behind the S3 API, through `aws-sdk-s3`. The SDK's types stay in this file.

use std::error::Error;
use std::io;
use std::time::{Duration, Instant};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, Credentials, Region, RequestChecksumCalculation, ResponseChecksumValidation,
    StalledStreamProtectionConfig,
};
use aws_sdk_s3::error::{ConnectorError, ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::put_object::PutObjectError;
use aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder;
use aws_sdk_s3::primitives::ByteStream;

use super::{Answer, Created, Object, Pending, PutError, Store, Trace};
use crate::config::{Secret, Target};
use crate::web::causes;

/// The most characters of a store's own words that are repeated in an error.
const WORDS_LEN_MAX: usize = 200;

/// Where a bucket is and how to get in.
#[derive(Clone, Debug)]
pub struct Place {
    /// URL of the store's API; none: AWS by its region.
    pub endpoint: Option<String>,
    /// Region by which requests are signed.
    pub region: String,
    /// The bucket.
    pub bucket: String,
    /// What stands before every object name, without slashes at its ends; empty for nothing.
    pub prefix: String,
    /// `endpoint/bucket/name` instead of `bucket.endpoint/name`.
    pub path_style: bool,
    /// Access key id.
    pub access_key: Secret,
    /// Secret access key.
    pub secret_key: Secret,
    /// How long name resolution, connecting and TLS may take.
    pub connect_deadline: Duration,
    /// How long a put may take in all.
    pub put_deadline: Duration,
}

impl From<&Target> for Place {
    fn from(target: &Target) -> Place {
        let target = target.clone();
        Place {
            endpoint: target.endpoint,
            region: target.region,
            bucket: target.bucket,
            prefix: target.prefix,
            path_style: target.path_style,
            access_key: target.access_key,
            secret_key: target.secret_key,
            connect_deadline: target.connect_deadline,
            put_deadline: target.put_deadline,
        }
    }
}

/// A bucket behind the S3 API. Connections are kept and reused; nothing is retried here.
#[derive(Clone, Debug)]
pub struct S3 {
    client: Client,
    place: Place,
}

impl S3 {
    /// Opens nothing yet: the first put connects.
    pub fn new(place: Place) -> S3 {
        let credentials =
            Credentials::new(place.access_key.expose(), place.secret_key.expose(), None, None, "railbird");
        let deadlines = TimeoutConfig::builder()
            .connect_timeout(place.connect_deadline)
            .operation_timeout(place.put_deadline)
            .build();
        let mut config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new(place.region.clone()))
            .credentials_provider(credentials)
            .force_path_style(place.path_style)
            .retry_config(RetryConfig::disabled())
            .timeout_config(deadlines)
            // The put's deadline bounds a stalled upload as well, without a look at the clock for every chunk.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
        if let Some(endpoint) = &place.endpoint {
            config = config.endpoint_url(endpoint);
        }
        S3 { client: Client::from_conf(config.build()), place }
    }

    fn request(&self, object: Object) -> PutObjectFluentBuilder {
        let name = object.name;
        let key = if self.place.prefix.is_empty() { name } else { format!("{}/{name}", self.place.prefix) };
        self.client
            .put_object()
            .bucket(&self.place.bucket)
            .key(key)
            .content_type(object.content_type)
            .cache_control(object.cache_control)
            .body(ByteStream::from(object.body))
    }

    async fn send(&self, request: PutObjectFluentBuilder) -> Result<(), SdkError<PutObjectError>> {
        // The body's SHA-256 would cost more CPU than everything else that a put does. TLS guards the bytes.
        request.customize().disable_payload_signing().send().await.map(drop)
    }
}

impl Store for S3 {
    fn put(&self, object: Object) -> Pending<'_, ()> {
        let request = self.request(object);
        Box::pin(async move {
            let began = Instant::now();
            let result = self.send(request).await.map_err(|error| self.classify(&error));
            Answer { result, trace: Trace { total: began.elapsed(), ..Trace::default() } }
        })
    }

    fn create(&self, object: Object) -> Pending<'_, Created> {
        let request = self.request(object).if_none_match("*");
        Box::pin(async move {
            let began = Instant::now();
            let result = match self.send(request).await {
                Ok(()) => Ok(Created::Written),
                Err(error) => match (status(&error), code(&error)) {
                    (Some(412), _) => Ok(Created::Exists),
                    (Some(501), _) | (_, Some("NotImplemented" | "InvalidArgument")) => {
                        Ok(Created::NotOffered)
                    }
                    _ => Err(self.classify(&error)),
                },
            };
            Answer { result, trace: Trace { total: began.elapsed(), ..Trace::default() } }
        })
    }

    fn place(&self) -> String {
        let at = self.place.endpoint.clone().unwrap_or_else(|| format!("AWS {}", self.place.region));
        format!("bucket {:?} at {at}", self.place.bucket)
    }
}

fn status(error: &SdkError<PutObjectError>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}

fn code(error: &SdkError<PutObjectError>) -> Option<&str> {
    error.as_service_error().and_then(|error| error.code())
}

impl S3 {
    fn classify(&self, error: &SdkError<PutObjectError>) -> PutError {
        match error {
            SdkError::TimeoutError(_) => {
                let ms = self.place.put_deadline.as_millis();
                PutError::Retry(format!("{} did not take an object within {ms} ms", self.place()))
            }
            SdkError::DispatchFailure(failure) => self.unanswered(failure.as_connector_error()),
            SdkError::ServiceError(_) | SdkError::ResponseError(_) => self.answered(error),
            // Includes requests that could not be built: no later try builds them.
            _ => PutError::GiveUp(format!("the request to {} could not be made", self.place())),
        }
    }

    fn unanswered(&self, error: Option<&ConnectorError>) -> PutError {
        let place = self.place();
        let Some(error) = error else {
            return PutError::Retry(format!("the connection to {place} was lost"));
        };
        let words = root_words(error);
        if refused(error) {
            PutError::Unreachable(format!(
                "{place} refuses connections: is it running, and is the port right?"
            ))
        } else if error.is_timeout() {
            let ms = self.place.connect_deadline.as_millis();
            PutError::Unreachable(format!("{place} did not answer within {ms} ms: is the address right?"))
        } else if connecting(error) {
            PutError::Unreachable(format!("{place} can't be reached: {words}"))
        } else {
            PutError::Retry(format!("the connection to {place} was lost: {words}"))
        }
    }

    fn answered(&self, error: &SdkError<PutObjectError>) -> PutError {
        let place = self.place();
        let (status, code) = (status(error).unwrap_or(0), code(error).unwrap_or(""));
        let meant = error.as_service_error().and_then(|error| error.message()).unwrap_or("");
        let words = short(meant);
        let said = match (code, words.as_str()) {
            ("", _) => format!("{place} answered {status}"),
            (code, "") => format!("{place} answered {status} {code}"),
            (code, words) => format!("{place} answered {status} {code} ({words})"),
        };
        let fix = |what: &str| PutError::Misconfigured(format!("{said}: {what}"));
        match (status, code) {
            (_, "InvalidAccessKeyId" | "NotSignedUp") => {
                fix("the store does not know this access_key: check it")
            }
            (_, "SignatureDoesNotMatch") => {
                fix("the secret_key does not belong to the access_key: check both")
            }
            (_, "RequestTimeTooSkewed") => fix("this machine's clock is wrong: set it"),
            (_, "AuthorizationHeaderMalformed" | "PermanentRedirect" | "TemporaryRedirect") => {
                fix("the bucket is in another region: check region and endpoint")
            }
            (_, "NoSuchBucket") => fix("there is no such bucket: create it, or check bucket and endpoint"),
            (_, "InvalidBucketName") => fix("the bucket's name is not valid there: check bucket"),
            (_, "RequestTimeout") | (408 | 409, _) => PutError::Retry(said),
            (429 | 503, _) | (_, "SlowDown") => PutError::SlowDown { after: retry_after(error), text: said },
            (500..=599 | 0, _) => PutError::Retry(said),
            (401 | 403, _) => fix("these keys may not write to the bucket: give them write access"),
            (300..=399, _) => fix("the endpoint sends us elsewhere: check endpoint and region"),
            (404, _) => fix("there is no bucket at this address: check bucket, endpoint and path_style"),
            (200..=299, _) => PutError::Retry(format!("{said}, but not as an S3 store does")),
            _ => PutError::GiveUp(said),
        }
    }
}

/// `Retry-After` in seconds; its other form, a date, is as good as none.
fn retry_after(error: &SdkError<PutObjectError>) -> Option<Duration> {
    let seconds = error.raw_response()?.headers().get("retry-after")?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// A store's words on one line, cut.
fn short(words: &str) -> String {
    words.chars().filter(|c| !c.is_control()).take(WORDS_LEN_MAX).collect()
}

fn refused(error: &(dyn Error + 'static)) -> bool {
    let is_refusal = |error: &io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    causes(error).any(|cause| cause.downcast_ref().is_some_and(is_refusal))
}

fn connecting(error: &(dyn Error + 'static)) -> bool {
    type ClientError = hyper_util::client::legacy::Error;
    causes(error).any(|cause| cause.downcast_ref::<ClientError>().is_some_and(ClientError::is_connect))
}

/// The words of the first cause, which are the ones that say something.
fn root_words(error: &(dyn Error + 'static)) -> String {
    causes(error).last().map(|cause| short(&cause.to_string())).unwrap_or_default()
}
