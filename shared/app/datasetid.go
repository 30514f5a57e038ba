package app

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/base64"

	"github.com/millrace/millrace/shared/ids"
)

// hideDatasetID hides a dataset's id in a document that leaves the workspace.
// The scheme is the contract's; it hides, it does not protect.
func hideDatasetID(tenantID, id string) (string, error) {
	key := sha256.Sum256([]byte(tenantID))
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return "", err
	}
	pad := aes.BlockSize - len(id)%aes.BlockSize
	data := []byte(id)
	for range pad {
		data = append(data, byte(pad))
	}
	cipher.NewCBCEncrypter(block, key[:aes.BlockSize]).CryptBlocks(data, data)
	return base64.StdEncoding.EncodeToString(data), nil
}

// showDatasetID reads a hidden or plain dataset id; false when it is neither,
// or was hidden by another workspace.
func showDatasetID(tenantID, text string) (string, bool) {
	if ids.Valid(text) {
		return text, true
	}
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(data) == 0 || len(data)%aes.BlockSize != 0 {
		return "", false
	}
	key := sha256.Sum256([]byte(tenantID))
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return "", false
	}
	cipher.NewCBCDecrypter(block, key[:aes.BlockSize]).CryptBlocks(data, data)
	pad := int(data[len(data)-1])
	if pad == 0 || pad > aes.BlockSize || pad > len(data) {
		return "", false
	}
	id := string(data[:len(data)-pad])
	return id, ids.Valid(id)
}
