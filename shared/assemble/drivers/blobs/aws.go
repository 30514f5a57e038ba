//go:build aws

package blobs

import (
	_ "gocloud.dev/blob/fileblob" // file://, to try a binary without AWS
	_ "gocloud.dev/blob/memblob"  // mem://, the same
	_ "gocloud.dev/blob/s3blob"   // s3://
)
