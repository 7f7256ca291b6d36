//! Where the test servers are, as the scripts in scripts/servers told the environment.

// Each test binary uses its part of this.
#![allow(dead_code)]

use std::sync::Arc;

use hushfs::object::{Bucket, S3Bucket, S3Options};

/// A running S3 server and a bucket that exists there.
pub struct Server {
    pub endpoint: String,
    pub bucket: String,
}

impl Server {
    /// SeaweedFS: honours conditions.
    pub fn seaweedfs() -> Self {
        Self { endpoint: setting("HUSHFS_TEST_S3_ENDPOINT"), bucket: setting("HUSHFS_TEST_S3_BUCKET") }
    }

    /// moto 4: ignores conditions.
    pub fn careless() -> Self {
        Self {
            endpoint: setting("HUSHFS_TEST_CARELESS_S3_ENDPOINT"),
            bucket: setting("HUSHFS_TEST_CARELESS_S3_BUCKET"),
        }
    }

    /// Ceph's gateway: honours conditions, and refuses customer keys over plain HTTP.
    pub fn ceph() -> Self {
        Self { endpoint: setting("HUSHFS_TEST_CEPH_ENDPOINT"), bucket: setting("HUSHFS_TEST_CEPH_BUCKET") }
    }

    /// What a user would pass to reach the server.
    pub fn options(&self) -> S3Options {
        S3Options { endpoint_url: Some(self.endpoint.clone()), ..S3Options::default() }
    }

    /// The part of the server's bucket under `prefix`.
    pub async fn connect(&self, prefix: &str) -> Arc<dyn Bucket> {
        Arc::new(S3Bucket::connect(&self.bucket, prefix, &self.options()).await.unwrap())
    }
}

/// A KMS that really encrypts (moto's).
pub struct KmsServer {
    pub endpoint: String,
    /// The ARN of a symmetric key.
    pub key: String,
}

impl KmsServer {
    pub fn moto() -> Self {
        Self { endpoint: setting("HUSHFS_TEST_KMS_ENDPOINT"), key: setting("HUSHFS_TEST_KMS_KEY") }
    }
}

/// What the scripts told the environment.
pub fn setting(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: run scripts/servers/with-servers cargo test (or scripts/test)")
    })
}
