//! A bucket behind the S3 API, through `aws-sdk-s3`. The SDK's types stay in this file; its requests go over our wire.

use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_s3::Client;
use aws_sdk_s3::client::customize::CustomizableOperation;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, Credentials, HttpClient, Region, RequestChecksumCalculation, ResponseChecksumValidation,
    RuntimeComponents, StalledStreamProtectionConfig,
};
use aws_sdk_s3::error::{ConnectorError, ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder;
use aws_sdk_s3::operation::put_object::{PutObjectError, PutObjectOutput};
use aws_sdk_s3::primitives::{ByteStream, SdkBody};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use bytes::Bytes;
use http_body_util::BodyExt;

use super::wire::{self, ANSWER_LEN_MAX, OpenError, Outgoing, Whom, Wire};
use super::{Answer, Created, Object, Pending, PutError, Store, Trace};
use crate::config::{Bucket, Connection};
use crate::redact::Redact;

/// The most names that a store is asked for in one request: what S3 gives at most.
const PAGE_MAX: usize = 1000;

/// The longest page of names, in bytes: a name and what S3 says of it take less than 4 KB.
const PAGE_LEN_MAX: usize = 4 << 20;

/// A bucket behind the S3 API. Connections are kept and reused; nothing is retried here.
#[derive(Clone, Debug)]
pub struct S3 {
    client: Client,
    bucket: Bucket,
    redact: Redact,
}

impl S3 {
    /// Opens nothing yet: the first request connects.
    pub fn new(bucket: &Bucket, connection: &Connection) -> Result<S3, OpenError> {
        let redact = Redact::new(&bucket.secrets());
        let address_key = if bucket.endpoint.is_some() { "endpoint" } else { "region" };
        let whom = Whom { place: place(bucket), address_key, redact: redact.clone() };
        let secure = bucket.endpoint.as_ref().is_none_or(|endpoint| endpoint.starts_with("https:"));
        let wire = Connector(Arc::new(Wire::new(whom, connection, secure)?));
        let credentials =
            Credentials::new(bucket.access_key.expose(), bucket.secret_key.expose(), None, None, "railbird");
        let mut config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new(bucket.region.clone()))
            .credentials_provider(credentials)
            .force_path_style(bucket.path_style)
            .http_client(wire)
            .retry_config(RetryConfig::disabled())
            // The wire has the deadlines.
            .timeout_config(TimeoutConfig::disabled())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
        if let Some(endpoint) = &bucket.endpoint {
            config = config.endpoint_url(endpoint);
        }
        Ok(S3 { client: Client::from_conf(config.build()), bucket: bucket.clone(), redact })
    }

    /// What a name is called in the bucket.
    fn key(&self, name: &str) -> String {
        let prefix = &self.bucket.prefix;
        if prefix.is_empty() { name.into() } else { format!("{prefix}/{name}") }
    }

    fn writing(&self, object: Object) -> PutObjectFluentBuilder {
        self.client
            .put_object()
            .bucket(&self.bucket.bucket)
            .key(self.key(&object.name))
            .content_type(object.content_type)
            .cache_control(object.cache_control)
            .body(ByteStream::from(object.body))
    }

    async fn write(
        &self,
        request: PutObjectFluentBuilder,
        call: &Call,
    ) -> Result<(), SdkError<PutObjectError>> {
        // The body's SHA-256 would cost more CPU than everything else that a put does. TLS guards the bytes.
        let request = call.mark(request.customize().disable_payload_signing());
        let output: PutObjectOutput = request.send().await?;
        if output.e_tag.is_none() {
            // Every S3 store names what it took by an ETag: this answer is some other server's.
            call.found(PutError::Retry(format!(
                "{} answered a put without an ETag, not as an S3 store does",
                self.place()
            )));
        }
        Ok(())
    }

    async fn page(
        &self,
        prefix: &str,
        from: Option<String>,
        max: usize,
        call: &Call,
    ) -> Result<(Vec<String>, Option<String>), PutError> {
        let listing = self
            .client
            .list_objects_v2()
            .bucket(&self.bucket.bucket)
            .prefix(self.key(prefix))
            .max_keys(i32::try_from(max.min(PAGE_MAX)).unwrap_or(1))
            .set_continuation_token(from);
        let page = call.mark(listing.customize()).send().await;
        let page = page.map_err(|error| self.failed(call, &error, "list"))?;
        let ours = self.key("");
        let names = page.contents.unwrap_or_default().into_iter().filter_map(|object| object.key);
        let names = names.filter_map(|key| key.strip_prefix(&ours).map(String::from)).collect();
        let more = page.is_truncated == Some(true);
        Ok((names, page.next_continuation_token.filter(|_| more)))
    }

    /// Why a call failed. `verb`: what the credentials should allow, for a person.
    fn failed<E: ProvideErrorMetadata>(
        &self,
        call: &Call,
        error: &SdkError<E>,
        verb: &'static str,
    ) -> PutError {
        if let Some(error) = call.error() {
            return error;
        }
        match error {
            SdkError::ServiceError(_) | SdkError::ResponseError(_) => self.answered(error, verb),
            // Requests that could not be built: no later try builds them.
            _ => PutError::GiveUp(format!("the request to {} could not be made", self.place())),
        }
    }

    fn answered<E: ProvideErrorMetadata>(&self, error: &SdkError<E>, verb: &'static str) -> PutError {
        let place = self.place();
        let (status, code) = (status(error).unwrap_or(0), code(error).unwrap_or(""));
        let meant = error.as_service_error().and_then(|error| error.message()).unwrap_or("");
        // What a provider says may quote the request and what let us in.
        let words = wire::short(&self.redact.text(meant));
        let named = wire::short(&self.redact.text(code));
        let said = match (code, words.as_str()) {
            ("", _) => format!("{place} answered {status}"),
            (_, "") => format!("{place} answered {status} {named}"),
            (_, words) => format!("{place} answered {status} {named} ({words})"),
        };
        let fix = |what: &str| PutError::Misconfigured(format!("{said}: {what}"));
        match (status, code) {
            (_, "InvalidAccessKeyId" | "NotSignedUp") => {
                fix("the store does not know this access_key: check it")
            }
            (_, "SignatureDoesNotMatch") => {
                fix("the secret_key does not belong to the access_key: check both")
            }
            // The SDK signs what follows with the store's time, which it has from this very answer.
            (_, "RequestTimeTooSkewed") => {
                PutError::Retry(format!("{said}: this machine's clock is wrong: set it"))
            }
            (_, "AuthorizationHeaderMalformed" | "PermanentRedirect" | "TemporaryRedirect") => {
                fix("the bucket is in another region: check region and endpoint")
            }
            (_, "NoSuchBucket") => fix("there is no such bucket: create it, or check bucket and endpoint"),
            (_, "InvalidBucketName") => fix("the bucket's name is not valid there: check bucket"),
            (_, "RequestTimeout") | (408 | 409, _) => PutError::Retry(said),
            (429 | 503, _) | (_, "SlowDown") => PutError::SlowDown { after: retry_after(error), text: said },
            (500..=599 | 0, _) => PutError::Retry(said),
            (401 | 403, _) => fix(&format!(
                "access_key may not {verb} in the bucket: allow it at the store, or use another access_key and secret_key"
            )),
            (300..=399, _) => fix("the endpoint sends us elsewhere: check endpoint and region"),
            (404, _) => fix("there is no bucket at this address: check bucket, endpoint and path_style"),
            (200..=299, _) => PutError::Retry(format!("{said}, but not as an S3 store does")),
            _ => PutError::GiveUp(said),
        }
    }
}

impl Store for S3 {
    fn put(&self, object: Object) -> Pending<'_, ()> {
        let request = self.writing(object);
        Box::pin(async move {
            let call = Call::new(ANSWER_LEN_MAX);
            let result = self.write(request, &call).await;
            call.answer(result.map_err(|error| self.failed(&call, &error, "write")))
        })
    }

    fn create(&self, object: Object) -> Pending<'_, Created> {
        let request = self.writing(object).if_none_match("*");
        Box::pin(async move {
            let call = Call::new(ANSWER_LEN_MAX);
            let result = match self.write(request, &call).await {
                Ok(()) => Ok(Created::Written),
                Err(error) => match (status(&error), code(&error)) {
                    // AWS answers 409 of this code where somebody else writes the object at this moment.
                    (Some(412), _) | (_, Some("ConditionalRequestConflict")) => Ok(Created::Exists),
                    (Some(501), _) | (_, Some("NotImplemented" | "InvalidArgument")) => {
                        Ok(Created::NotOffered)
                    }
                    _ => Err(self.failed(&call, &error, "write")),
                },
            };
            call.answer(result)
        })
    }

    fn get<'a>(&'a self, name: &'a str, len_max: usize) -> Pending<'a, Option<Bytes>> {
        Box::pin(async move {
            let call = Call::new(len_max);
            let request = self.client.get_object().bucket(&self.bucket.bucket).key(self.key(name));
            let result = match call.mark(request.customize()).send().await {
                // The wire has read it whole: there is nothing left that could fail.
                Ok(output) => output
                    .body
                    .collect()
                    .await
                    .map(|body| Some(body.into_bytes()))
                    .map_err(|_| PutError::Retry(format!("the answer of {} broke off", self.place()))),
                Err(error) => match (status(&error), code(&error)) {
                    (_, Some("NoSuchKey")) => Ok(None),
                    (Some(404), Some("NotFound") | None) => Ok(None),
                    _ => Err(self.failed(&call, &error, "read")),
                },
            };
            call.answer(result)
        })
    }

    fn list<'a>(&'a self, prefix: &'a str, max: usize) -> Pending<'a, Vec<String>> {
        Box::pin(async move {
            let (call, mut names, mut from) = (Call::new(PAGE_LEN_MAX), Vec::new(), None);
            while names.len() < max {
                match self.page(prefix, from, max - names.len(), &call).await {
                    Ok((page, next)) => {
                        // A page of nothing that promises another would never end.
                        from = next.filter(|_| !page.is_empty());
                        names.extend(page);
                    }
                    Err(error) => return call.answer(Err(error)),
                }
                if from.is_none() {
                    break;
                }
            }
            names.truncate(max);
            call.answer(Ok(names))
        })
    }

    fn delete<'a>(&'a self, name: &'a str) -> Pending<'a, ()> {
        Box::pin(async move {
            let call = Call::new(ANSWER_LEN_MAX);
            let request = self.client.delete_object().bucket(&self.bucket.bucket).key(self.key(name));
            let result = match call.mark(request.customize()).send().await {
                Ok(_) => Ok(()),
                Err(error) if code(&error) == Some("NoSuchKey") => Ok(()),
                Err(error) => Err(self.failed(&call, &error, "delete")),
            };
            call.answer(result)
        })
    }

    fn place(&self) -> String {
        place(&self.bucket)
    }
}

fn place(bucket: &Bucket) -> String {
    let at = bucket.endpoint.clone().unwrap_or_else(|| format!("AWS {}", bucket.region));
    format!("bucket {:?} at {at}", bucket.bucket)
}

fn status<E>(error: &SdkError<E>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}

fn code<E: ProvideErrorMetadata>(error: &SdkError<E>) -> Option<&str> {
    error.as_service_error().and_then(|error| error.code())
}

fn retry_after<E>(error: &SdkError<E>) -> Option<std::time::Duration> {
    wire::retry_after(error.raw_response()?.headers().get("retry-after")?)
}

/// What one call tells the wire, and the wire the call: the SDK's own types carry neither.
#[derive(Clone, Debug)]
struct Call {
    len_max: usize,
    told: Arc<Mutex<(Trace, Option<PutError>)>>,
}

impl Call {
    fn new(len_max: usize) -> Call {
        Call { len_max, told: Arc::default() }
    }

    /// Makes the call's request carry it.
    fn mark<T, E, B>(&self, request: CustomizableOperation<T, E, B>) -> CustomizableOperation<T, E, B> {
        let call = self.clone();
        request.mutate_request(move |request| request.add_extension(call.clone()))
    }

    fn told(&self) -> std::sync::MutexGuard<'_, (Trace, Option<PutError>)> {
        // Both are written whole.
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn found(&self, error: PutError) {
        self.told().1 = Some(error);
    }

    fn error(&self) -> Option<PutError> {
        self.told().1.clone()
    }

    /// The call's end. What was found on the way counts above a good answer.
    fn answer<T>(&self, result: Result<T, PutError>) -> Answer<T> {
        let (trace, error) = self.told().clone();
        Answer { result: result.and_then(|good| error.map_or(Ok(good), Err)), trace }
    }
}

/// The SDK's door to the wire.
#[derive(Clone, Debug)]
struct Connector(Arc<Wire>);

impl HttpClient for Connector {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let wire = self.0.clone();
        HttpConnectorFuture::new(async move {
            let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
            let call = request.extensions().get::<Call>().cloned();
            let len_max = call.as_ref().map_or(ANSWER_LEN_MAX, |call| call.len_max);
            let request = request.map(|body| Outgoing::new(body.map_err(Into::into)));
            let Answer { result, trace } = wire.exchange(request, len_max).await;
            if let Some(call) = &call {
                *call.told() = (trace, result.as_ref().err().cloned());
            }
            let response = result.map_err(|error| ConnectorError::other(error.into(), None))?;
            HttpResponse::try_from(response.map(SdkBody::from))
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}
