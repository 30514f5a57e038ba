//go:build aws

package assemble

import (
	_ "gocloud.dev/blob/fileblob"                // file://, the same
	_ "gocloud.dev/blob/memblob"                 // mem://, to try a binary without AWS
	_ "gocloud.dev/blob/s3blob"                  // s3://
	_ "gocloud.dev/pubsub/awssnssqs"             // awssqs://
	_ "gocloud.dev/runtimevar/awssecretsmanager" // awssecretsmanager://
)
