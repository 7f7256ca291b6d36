//! Encrypt and Decrypt, one request each.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_kms::Client;
use aws_sdk_kms::config::Builder;
use aws_sdk_kms::config::retry::RetryConfig;
use aws_sdk_kms::config::timeout::TimeoutConfig;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::EncryptionAlgorithmSpec;
use zeroize::Zeroize;

use super::context::EncryptionContext;
use super::error::{KmsError, KmsErrorKind};
use super::region::region_of;
use crate::crypto::SecretKey;
use crate::object::{S3Options, TransportOptions, aws_configuration};

/// Time for the TCP and TLS handshakes.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Time for one attempt: KMS answers within milliseconds.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);
/// Time for all attempts and the waits between them: somebody is looking at a terminal.
const TIMEOUT: Duration = Duration::from_secs(25);
/// Attempts in all, with growing delays: throttling is passing trouble.
const ATTEMPTS: u32 = 4;
/// Most bytes of a ciphertext that KMS documents.
const MAX_CIPHERTEXT_LEN: usize = 6144;

/// What the user can say beyond the standard AWS configuration. The default takes everything from that.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KmsOptions {
    /// A server other than AWS (else `AWS_ENDPOINT_URL_KMS`, `AWS_ENDPOINT_URL`, the profile).
    pub endpoint_url: Option<String>,
    /// For keys that are not named by an ARN, which has a region of its own.
    pub region: Option<String>,
    pub profile: Option<String>,
    /// How connections are protected.
    pub transport: TransportOptions,
}

impl KmsOptions {
    /// The same as the options of a client, for requests that name `key`. Plain HTTP to another machine is
    /// never permitted here: the secret that unlocks a volume goes over this line.
    fn for_key(&self, key: &str) -> S3Options {
        S3Options {
            endpoint_url: self.endpoint_url.clone(),
            region: region_of(key).map(str::to_owned).or_else(|| self.region.clone()),
            profile: self.profile.clone(),
            transport: TransportOptions { insecure_http: false, ..self.transport.clone() },
            ..S3Options::default()
        }
    }
}

/// A secret as KMS has wrapped it.
pub struct Wrapped {
    /// The ARN of the key that did it, whatever name it was asked for by.
    pub key: String,
    pub ciphertext: Vec<u8>,
}

/// KMS, reached or not.
pub struct Kms {
    options: KmsOptions,
}

impl Kms {
    /// Nothing is looked at yet.
    pub fn new(options: KmsOptions) -> Self {
        Self { options }
    }

    /// Wraps `secret` with `key` (an id, an ARN or an alias), bound to `context`.
    ///
    /// # Errors
    /// What KMS or the way there said.
    pub async fn wrap(
        &self,
        key: &str,
        context: EncryptionContext,
        secret: &SecretKey,
    ) -> Result<Wrapped, KmsError> {
        let (client, endpoint) = self.client("Encrypt", key).await?;
        let request = client
            .encrypt()
            .key_id(key)
            .encryption_algorithm(EncryptionAlgorithmSpec::SymmetricDefault)
            .set_encryption_context(Some(context.pairs()))
            .plaintext(Blob::new(secret.expose().to_vec()));
        let reply = request.send().await;
        let reply = reply.map_err(|error| KmsError::translate("Encrypt", key, &error).at(&endpoint))?;
        let nonsense =
            |why: &'static str| KmsError::new(KmsErrorKind::Nonsense, "Encrypt", key, why).at(&endpoint);
        let ciphertext = reply.ciphertext_blob.ok_or_else(|| nonsense("no ciphertext"))?.into_inner();
        if ciphertext.is_empty() || ciphertext.len() > MAX_CIPHERTEXT_LEN {
            return Err(nonsense("a ciphertext of an impossible length"));
        }
        let key = reply.key_id.ok_or_else(|| nonsense("no key id"))?;
        Ok(Wrapped { key, ciphertext })
    }

    /// Unwraps what [`Kms::wrap`] returned for the same context. The key is always named, so that KMS
    /// refuses a ciphertext of another key instead of finding the key by itself. Which key it was stands in the answer,
    /// and is compared: some servers do not look.
    ///
    /// # Errors
    /// What KMS or the way there said.
    pub async fn unwrap(
        &self,
        key: &str,
        context: EncryptionContext,
        ciphertext: &[u8],
    ) -> Result<SecretKey, KmsError> {
        let (client, endpoint) = self.client("Decrypt", key).await?;
        let request = client
            .decrypt()
            .key_id(key)
            .encryption_algorithm(EncryptionAlgorithmSpec::SymmetricDefault)
            .set_encryption_context(Some(context.pairs()))
            .ciphertext_blob(Blob::new(ciphertext));
        let reply = request.send().await;
        let reply = reply.map_err(|error| KmsError::translate("Decrypt", key, &error).at(&endpoint))?;
        let nonsense =
            |why: &'static str| KmsError::new(KmsErrorKind::Nonsense, "Decrypt", key, why).at(&endpoint);
        let used = reply.key_id.ok_or_else(|| nonsense("no key id"))?;
        if !may_name(key, &used) {
            let why = format!("KMS used the key {used:?}");
            return Err(KmsError::new(KmsErrorKind::WrongKey, "Decrypt", key, why));
        }
        let mut plain = reply.plaintext.ok_or_else(|| nonsense("no plaintext"))?.into_inner();
        let secret = SecretKey::filled_by(|secret| {
            if plain.len() != secret.len() {
                return Err(nonsense("a secret of another length than 32 bytes"));
            }
            secret.copy_from_slice(&plain);
            Ok(())
        });
        plain.zeroize();
        secret
    }

    /// The client for requests that name `key`, and the name of the server that they go to.
    async fn client(&self, operation: &'static str, key: &str) -> Result<(Client, String), KmsError> {
        let options = self.options.for_key(key);
        let shared = aws_configuration("KMS", &options)
            .await
            .map_err(|error| KmsError::of_endpoint(operation, key, error))?;
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .operation_timeout(TIMEOUT)
            .build();
        let config = Builder::from(&shared)
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .timeout_config(timeouts)
            .build();
        Ok((Client::from_conf(config), endpoint_of(&options, &shared)))
    }
}

/// The server that is asked, in the order in which the SDK looks; a section of a profile for KMS alone is not seen here.
fn endpoint_of(options: &S3Options, shared: &SdkConfig) -> String {
    let named = options.endpoint_url.clone().or_else(|| std::env::var("AWS_ENDPOINT_URL_KMS").ok());
    let named = named.or_else(|| shared.endpoint_url().map(str::to_owned));
    let region = shared.region().map_or("the default region", |region| region.as_ref());
    named.unwrap_or_else(|| format!("KMS of AWS in {region}"))
}

/// Whether `asked` (an ARN, an id, an alias) can name the key whose ARN is `used`. Of an alias only KMS knows.
pub(super) fn may_name(asked: &str, used: &str) -> bool {
    fn id(name: &str) -> &str {
        name.rsplit_once(":key/").map_or(name, |(_, id)| id)
    }
    let is_alias = asked.starts_with("alias/") || asked.contains(":alias/");
    let both_arns = asked.starts_with("arn:") && used.starts_with("arn:");
    is_alias || asked == used || (!both_arns && id(asked) == id(used))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_that_kms_used_is_compared_with_the_one_that_was_named() {
        let (arn, other) = ("arn:aws:kms:eu-central-1:1:key/1", "arn:aws:kms:eu-central-1:1:key/2");
        for fine in [arn, "1", "alias/mine", "arn:aws:kms:eu-central-1:1:alias/mine"] {
            assert!(may_name(fine, arn), "{fine}");
        }
        for wrong in [other, "2", "arn:aws:kms:eu-west-1:1:key/1", ""] {
            assert!(!may_name(wrong, arn), "{wrong}");
        }
    }

    #[test]
    fn a_keys_arn_names_the_region_and_nothing_permits_plain_http() {
        let options = KmsOptions {
            region: Some("us-west-2".into()),
            transport: TransportOptions { insecure_http: true, ..TransportOptions::default() },
            ..KmsOptions::default()
        };
        let of = |key| options.for_key(key);
        assert_eq!(of("arn:aws:kms:eu-central-1:1:key/1").region.as_deref(), Some("eu-central-1"));
        assert_eq!(of("alias/mine").region.as_deref(), Some("us-west-2"));
        assert!(!of("alias/mine").transport.insecure_http);
    }
}
