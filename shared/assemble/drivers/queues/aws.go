//go:build aws

package queues

import (
	_ "gocloud.dev/pubsub/awssnssqs" // awssqs://
)
