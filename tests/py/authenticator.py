"""An authenticator app for the conformance server's users, using the server's clock."""

import base64
import hashlib
import hmac
import struct

SECRETS = {"bob": "JBSWY3DPEHPK3PXP", "zoe": "KRSXG5CTMVRXEZLU"}


def code_at(user, milliseconds):
    """Returns the code of the user's app at this time (RFC 6238)."""
    step = struct.pack(">Q", milliseconds // 30_000)
    digest = hmac.new(base64.b32decode(SECRETS[user]), step, hashlib.sha1).digest()
    start = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[start:start + 4])[0] & 0x7FFFFFFF) % 1_000_000:06}"
