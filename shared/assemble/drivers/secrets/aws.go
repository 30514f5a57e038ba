//go:build aws

package secrets

import (
	_ "gocloud.dev/runtimevar/awssecretsmanager" // awssecretsmanager://
)
