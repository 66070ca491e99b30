"""Signs the payload as a sender in Python would, with two libraries."""

import copy
import json
import pathlib

import jwt
from authlib.jose import jwt as authlib_jwt

HERE = pathlib.Path(__file__).parent
SECRET = "signing-secret-of-the-leadpro-dashboard"
PAYLOAD = json.loads((HERE / "payload.json").read_text("utf-8"))
LONG = copy.deepcopy(PAYLOAD)
LONG["data"]["message"] = "🚗" * 8192


def write(name, token):
    (HERE / "tokens" / f"{name}.jwt").write_text(f"{token}\n")


write("python_pyjwt", jwt.encode(PAYLOAD, SECRET, algorithm="HS256"))
write("python_pyjwt_long", jwt.encode(LONG, SECRET, algorithm="HS256"))
write("python_authlib", authlib_jwt.encode({"alg": "HS256"}, PAYLOAD, SECRET).decode())
