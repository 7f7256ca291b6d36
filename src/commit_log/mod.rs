//! The commit log: dense, sealed, hash-chained entries `log/<16 hex>`, created once. Knows nothing of ops.
