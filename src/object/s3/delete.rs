//! DeleteObject for one key, DeleteObjects for many.

use aws_sdk_s3::error::BuildError;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};

use super::S3Bucket;
use super::error::{is_bucket_missing, kind_of_reply, translate};
use crate::object::error::{BucketError, BucketResult, ErrorKind};
use crate::object::key::check_key;

/// The most keys that S3 takes in one request.
const BATCH: usize = 1000;

impl S3Bucket {
    pub(super) async fn delete_objects(&self, keys: &[String]) -> BucketResult<()> {
        for key in keys {
            check_key("delete", key)?;
        }
        for batch in keys.chunks(BATCH) {
            match batch {
                [key] => self.delete_one(key).await?,
                many => self.delete_batch(many).await?,
            }
        }
        Ok(())
    }

    async fn delete_one(&self, key: &str) -> BucketResult<()> {
        let request = self.client.delete_object().bucket(&self.bucket).key(self.full_key(key));
        let sent = async { request.send().await.map_err(|error| translate("delete", key, error)) };
        match self.within("delete", key, 0, sent).await {
            Err(error) if error.kind == ErrorKind::NotFound && !is_bucket_missing(&error) => Ok(()),
            other => other.map(|_| ()),
        }
    }

    async fn delete_batch(&self, keys: &[String]) -> BucketResult<()> {
        let first = keys.first().map_or("", String::as_str);
        let invalid = |error: BuildError| BucketError::new(ErrorKind::Invalid, "delete", first, error);
        let mut delete = Delete::builder().quiet(true);
        for key in keys {
            let object = ObjectIdentifier::builder().key(self.full_key(key)).build();
            delete = delete.objects(object.map_err(invalid)?);
        }
        let delete = delete.build().map_err(invalid)?;
        let request = self.client.delete_objects().bucket(&self.bucket).delete(delete);
        let sent = async { request.send().await.map_err(|error| translate("delete", first, error)) };
        let reply = self.within("delete", first, 0, sent).await?;

        for failed in reply.errors() {
            // The batch itself succeeded; a key without a code gets the kind of an unknown server error.
            let kind = kind_of_reply(failed.code(), 500);
            if kind == ErrorKind::NotFound {
                continue;
            }
            let full = failed.key().unwrap_or_default();
            let key = full.strip_prefix(&self.prefix).unwrap_or(full);
            let why = format!(
                "{}: {}",
                failed.code().unwrap_or("no code"),
                failed.message().unwrap_or("no message")
            );
            return Err(BucketError::new(kind, "delete", key, why));
        }
        Ok(())
    }
}
