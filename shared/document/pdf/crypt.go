package pdf

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/md5" //nolint:gosec // the file format's
	"crypto/rc4" //nolint:gosec // the file format's
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"errors"
)

// errLocked is returned for files that do not open without a password.
var errLocked = errors.New("the file is protected by a password")

// crypt decrypts what a file without a user password holds.
type crypt struct {
	key            []byte
	streams, texts method
	wholeKey       bool // the same key for all objects
}

type method int

const (
	methodNone method = iota
	methodRC4
	methodAES
)

// padding stands for the characters that a password has not.
const padding = "\x28\xBF\x4E\x5E\x4E\x75\x8A\x41\x64\x00\x4E\x56\xFF\xFA\x01\x08" +
	"\x2E\x2E\x00\xB6\xD0\x68\x3E\x80\x2F\x0C\xA9\xFE\x64\x53\x69\x7A"

func (f *file) newCrypt(enc dict, id text) (*crypt, error) {
	integer := func(key name, otherwise int64) int64 {
		if n, ok := f.resolve(enc[key]).(int64); ok {
			return n
		}
		return otherwise
	}
	str := func(key name) []byte {
		s, _ := f.resolve(enc[key]).(text)
		return []byte(s)
	}
	if f.resolve(enc["Filter"]) != name("Standard") {
		return nil, errLocked
	}
	version, revision := integer("V", 0), integer("R", 0)
	size := integer("Length", 40) / 8
	c := &crypt{streams: methodRC4, texts: methodRC4}
	switch version {
	case 1:
		size = 5
	case 2, 3:
	case 4, 5:
		c.streams, c.texts = f.cryptFilter(enc, "StmF"), f.cryptFilter(enc, "StrF")
		if version == 4 {
			size = 16
		}
	default:
		return nil, errLocked
	}
	if size < 5 || size > 16 {
		size = 16
	}
	if version == 5 {
		c.wholeKey = true
		return c, c.open256(str("U"), str("UE"), revision)
	}
	h := md5.New() //nolint:gosec // the file format's
	h.Write([]byte(padding))
	h.Write(str("O"))
	_ = binary.Write(h, binary.LittleEndian, uint32(integer("P", 0))) //nolint:gosec // bits, whatever their sign
	h.Write([]byte(id))
	if plain, ok := f.resolve(enc["EncryptMetadata"]).(bool); ok && !plain && revision >= 4 {
		h.Write([]byte{0xff, 0xff, 0xff, 0xff})
	}
	key := h.Sum(nil)
	if revision >= 3 {
		for range 50 {
			sum := md5.Sum(key[:size]) //nolint:gosec // the file format's
			key = sum[:]
		}
	}
	c.key = key[:size]
	if !c.opens(str("U"), []byte(id), revision) {
		return nil, errLocked
	}
	return c, nil
}

func (f *file) cryptFilter(enc dict, key name) method {
	which, _ := f.resolve(enc[key]).(name)
	filters, _ := f.resolve(enc["CF"]).(dict)
	filter, _ := f.resolve(filters[which]).(dict)
	switch f.resolve(filter["CFM"]) {
	case name("V2"):
		return methodRC4
	case name("AESV2"), name("AESV3"):
		return methodAES
	}
	return methodNone
}

// opens checks the key of an empty password.
func (c *crypt) opens(u, id []byte, revision int64) bool {
	if revision < 3 {
		return bytes.Equal(unRC4(c.key, []byte(padding)), u)
	}
	h := md5.New() //nolint:gosec // the file format's
	h.Write([]byte(padding))
	h.Write(id)
	sum := h.Sum(nil)
	for i := range 20 {
		key := bytes.Clone(c.key)
		for j := range key {
			key[j] ^= byte(i)
		}
		sum = unRC4(key, sum)
	}
	return len(u) >= 16 && bytes.Equal(sum, u[:16])
}

// open256 finds the key of revisions 5 and 6.
func (c *crypt) open256(u, ue []byte, revision int64) error {
	if len(u) < 48 || len(ue) < 32 {
		return errLocked
	}
	hash := func(salt []byte) []byte {
		if revision == 5 {
			sum := sha256.Sum256(salt)
			return sum[:]
		}
		return hash2B(salt)
	}
	if !bytes.Equal(hash(u[32:40]), u[:32]) {
		return errLocked
	}
	block, err := aes.NewCipher(hash(u[40:48]))
	if err != nil {
		return err
	}
	c.key = make([]byte, 32)
	cipher.NewCBCDecrypter(block, make([]byte, 16)).CryptBlocks(c.key, ue[:32])
	return nil
}

// hash2B is algorithm 2.B of ISO 32000-2 for the empty password.
func hash2B(salt []byte) []byte {
	sum := sha256.Sum256(salt)
	k := sum[:]
	for i := 0; ; i++ {
		e := bytes.Repeat(k, 64)
		block, err := aes.NewCipher(k[:16])
		if err != nil {
			return nil
		}
		cipher.NewCBCEncrypter(block, k[16:32]).CryptBlocks(e, e)
		mod := 0
		for _, b := range e[:16] {
			mod += int(b)
		}
		switch mod % 3 {
		case 0:
			s := sha256.Sum256(e)
			k = s[:]
		case 1:
			s := sha512.Sum384(e)
			k = s[:]
		default:
			s := sha512.Sum512(e)
			k = s[:]
		}
		if i >= 63 && int(e[len(e)-1]) <= i-31 {
			return k[:32]
		}
	}
}

func (c *crypt) stream(id ref, data []byte) []byte { return c.undo(c.streams, id, data) }

func (c *crypt) text(id ref, data []byte) []byte { return c.undo(c.texts, id, data) }

func (c *crypt) undo(m method, id ref, data []byte) []byte {
	if m == methodNone {
		return data
	}
	key := c.key
	if !c.wholeKey {
		b := append(bytes.Clone(key), byte(id.num), byte(id.num>>8), byte(id.num>>16), byte(id.gen), byte(id.gen>>8))
		if m == methodAES {
			b = append(b, "sAlT"...)
		}
		sum := md5.Sum(b) //nolint:gosec // the file format's
		key = sum[:min(len(key)+5, 16)]
	}
	if m == methodRC4 {
		return unRC4(key, data)
	}
	if len(data) < 32 {
		return nil
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil
	}
	out := make([]byte, (len(data)-16)/16*16)
	cipher.NewCBCDecrypter(block, data[:16]).CryptBlocks(out, data[16:16+len(out)])
	if pad := int(out[len(out)-1]); pad <= 16 && pad <= len(out) {
		out = out[:len(out)-pad]
	}
	return out
}

func unRC4(key, data []byte) []byte {
	c, err := rc4.NewCipher(key) //nolint:gosec // the file format's
	if err != nil {
		return nil
	}
	out := make([]byte, len(data))
	c.XORKeyStream(out, data)
	return out
}
