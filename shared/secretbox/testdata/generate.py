"""Writes vectors.json: values sealed by an independent implementation of the scheme (pip install pycryptodome)."""
import base64
import json
import pathlib

from Crypto.Cipher import AES, PKCS1_OAEP
from Crypto.PublicKey import RSA
from Crypto.Random import get_random_bytes

TEXTS = ["", "x", "sk-test-0123456789", "täxt 模型 🔑", "a" * 1000]

key = RSA.generate(2048)
other = RSA.generate(2048)
oaep = PKCS1_OAEP.new(key.publickey())


def hybrid(text):
    aes_key = get_random_bytes(16)
    cipher = AES.new(aes_key, AES.MODE_EAX)
    body, tag = cipher.encrypt_and_digest(text.encode())
    return base64.b64encode(b"HYBRID:" + oaep.encrypt(aes_key) + cipher.nonce + tag + body).decode()


out = {
    "private_pem": key.export_key().decode(),
    "private_pem_pkcs8": key.export_key(pkcs=8).decode(),
    "public_pem": key.publickey().export_key().decode(),
    "other_private_pem": other.export_key().decode(),
    "hybrid": [{"text": t, "sealed": hybrid(t)} for t in TEXTS],
    "plain": [{"text": t, "sealed": base64.b64encode(oaep.encrypt(t.encode())).decode()} for t in TEXTS[:4]],
}
path = pathlib.Path(__file__).with_name("vectors.json")
path.write_text(json.dumps(out, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
