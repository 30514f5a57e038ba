//go:build !aws && !gcp && !azure

package assemble

import (
	_ "gocloud.dev/blob/fileblob"    // file://
	_ "gocloud.dev/blob/memblob"     // mem://
	_ "gocloud.dev/pubsub/mempubsub" // mem://
)
